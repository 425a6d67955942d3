"""What is burned into the frames of a capture: the answer, of what, by whom, and for what use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tumorscope.common.notice import RESEARCH_USE_ONLY
from tumorscope.common.versions import own_version
from tumorscope.detection.overlay import wrapped
from tumorscope.serving.measurement_groups import ANSWERS

if TYPE_CHECKING:
    from tumorscope.detection.series_finding import SeriesFinding, SliceFinding


def lines_of(found: SeriesFinding, each: SliceFinding | None, width: int) -> list[str]:
    """Return the lines below a slice, or of words alone, that fit a width in pixels."""
    texts = [found.words]
    if each is not None:
        texts.append(_of_slice(each))
    if each is not None and each.finding.evidence is not None:
        texts.append("Red: towards a tumour; blue: away from it; ring: the strongest place.")
    texts.append(f"Model {found.model}, tumorscope {own_version()}")
    texts.append(RESEARCH_USE_ONLY)
    return [line for said in texts for line in wrapped(said, width)]


def _of_slice(each: SliceFinding) -> str:
    finding = each.finding
    said = f"Slice {each.index + 1}, at {each.position:.0f} mm: {finding.decision}"
    if finding.decision not in ANSWERS or finding.probability is None:
        return f"{said}."
    point = f"“{finding.operating_point}”"
    if finding.threshold is None:
        return f"{said}, probability {finding.probability:.3f}."
    return (
        f"{said}, probability {finding.probability:.3f}; threshold {point} {finding.threshold:.3f}."
    )
