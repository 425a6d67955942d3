"""What is burned into the frames of a capture: the answer, of what, by whom, and for what use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tumorscope.common.notice import RESEARCH_USE_ONLY
from tumorscope.common.versions import own_version
from tumorscope.detection.overlay import wrapped
from tumorscope.serving.measurement_groups import ANSWERS

if TYPE_CHECKING:
    from tumorscope.detection.series_finding import SeriesFinding, SliceFinding


def lines_of(
    found: SeriesFinding, each: SliceFinding | None, width: int, *, name: str = ""
) -> list[str]:
    """Return the lines below a slice, or of words alone, that fit a width in pixels.

    Parameters
    ----------
    found : SeriesFinding
        Whose answer it is.
    each : SliceFinding, optional
        The slice above; none where words stand alone.
    width : int
        In pixels.
    name : str
        What viewers call the image of that slice.
    """
    texts = [found.words]
    if each is not None:
        texts.append(_of_slice(each, name))
    if each is not None and each.finding.evidence is not None:
        texts.append("Red: towards a tumour; blue: away from it; ring: strongest.")
    texts.append(f"Model {found.model}, tumorscope {own_version()}")
    texts.append(RESEARCH_USE_ONLY)
    return [line for said in texts for line in wrapped(said, width)]


def _of_slice(each: SliceFinding, name: str) -> str:
    finding = each.finding
    frame = "" if each.frame is None else f"frame {each.frame}"
    names = ", ".join(filter(None, (name, frame, f"{each.position:.0f} mm")))
    said = f"Here ({names}): {finding.decision}"
    if finding.decision not in ANSWERS or finding.probability is None:
        return f"{said}."
    threshold = "" if finding.threshold is None else f" (threshold {finding.threshold:.3f})"
    return f"{said}, probability {finding.probability:.3f}{threshold}."
