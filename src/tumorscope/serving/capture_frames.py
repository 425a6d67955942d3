"""Key slices → frames of a secondary capture: each under its evidence, with the answer in words.

A frame is the slice alone with lines of text above and below, so that one geometry is true for
every pixel of anatomy in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tumorscope.common.notice import RESEARCH_USE_ONLY
from tumorscope.detection.evidence import scaled, temperature_of
from tumorscope.detection.overlay import FAINT, INK, LINE, PAPER, WARNING, wrapped
from tumorscope.detection.painting import painted
from tumorscope.detection.probability_scale import font
from tumorscope.serving.capture_words import lines_of

if TYPE_CHECKING:
    from tumorscope.detection.series_finding import SeriesFinding, SliceFinding
    from tumorscope.imaging.slice import Slice
    from tumorscope.model_file.schema import Metadata

EDGE = 512
"""Pixels of the longer side of a slice in a frame, whatever it was."""

NARROWEST = 480
"""Pixels across a frame, so that words have room beside a narrow slice too."""

MARGIN, STRIP = 12, 40
"""Pixels beside words, and of the strip above the slice."""


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """The frames of one secondary capture.

    Attributes
    ----------
    frames : ndarray of uint8, shape (frames, rows, columns, 3)
        RGB; at least one, also where no slice was asked about.
    slices : tuple of SliceFinding
        Which slice each shows, ascending; empty where words alone are shown.
    spacing : tuple of float
        Distance of the rows and columns of a frame in mm.
    corner : tuple of float
        Row and column of a frame where the first pixel of its slice lies.
    shown : tuple of int
        Rows and columns of the slice within a frame.
    """

    frames: NDArray[np.uint8]
    slices: tuple[SliceFinding, ...]
    spacing: tuple[float, float]
    corner: tuple[int, int]
    shown: tuple[int, int]


def draw_frames(
    found: SeriesFinding, metadata: Metadata, *, names: Mapping[str, str] = MappingProxyType({})
) -> Drawn:
    """Draw the key slices of a finding, or its words alone where it has none.

    Parameters
    ----------
    found : SeriesFinding
        With pictures of its key slices.
    metadata : Metadata
        Of the model that answered.
    names : mapping of str to str
        What viewers call instances, by SOP Instance UID.
    """
    keys = sorted(found.key_slices, key=lambda each: each.position)
    panels = [
        (each, each.picture, _panel(each.picture, each, metadata))
        for each in keys
        if each.picture is not None
    ]
    if not panels:
        blank = Image.new("RGB", (NARROWEST, 1), PAPER)
        frame = _framed(blank, lines_of(found, None, NARROWEST - 2 * MARGIN), NARROWEST)
        return Drawn(np.asarray(frame)[None], (), (1.0, 1.0), (STRIP, 0), (1, NARROWEST))
    width, height = panels[0][2].size
    across = max(width, NARROWEST)
    texts = [
        lines_of(found, each, across - 2 * MARGIN, name=names.get(each.sop_instance_uid, ""))
        for each, _, _ in panels
    ]
    most = max(map(len, texts))
    frames = [
        _framed(panel, [*text, *[""] * (most - len(text))], across)
        for (_, _, panel), text in zip(panels, texts, strict=True)
    ]
    first = panels[0][1]
    spacing = first.spacing or (1.0, 1.0)
    rows, columns = first.pixels.shape
    return Drawn(
        frames=np.stack([np.asarray(frame) for frame in frames]),
        slices=tuple(each for each, _, _ in panels),
        spacing=(spacing[0] * rows / height, spacing[1] * columns / width),
        corner=(STRIP, (across - width) // 2),
        shown=(height, width),
    )


def _panel(scan: Slice, each: SliceFinding, metadata: Metadata) -> Image.Image:
    """Return a slice under its evidence, with a ring where most speaks for a tumour."""
    grey = scaled(scan.pixels, longest=EDGE, shortest=EDGE)
    evidence = each.finding.evidence
    if evidence is None:
        return Image.fromarray(grey).convert("RGB")
    how, temperature = metadata.preprocessing.preprocessing, temperature_of(metadata)
    return painted(grey, scan, evidence, how, temperature=temperature, radius=14)[0]


def _framed(panel: Image.Image, lines: list[str], across: int) -> Image.Image:
    height = STRIP + panel.height + MARGIN + LINE * len(lines) + MARGIN
    frame = Image.new("RGB", (across, height), PAPER)
    ink = ImageDraw.Draw(frame)
    ink.text((MARGIN, 10), "RESEARCH USE ONLY", WARNING, font=font(18))
    ink.text((across - MARGIN, 12), "AI result", FAINT, font=font(16), anchor="ra")
    frame.paste(panel, ((across - panel.width) // 2, STRIP))
    top = STRIP + panel.height + MARGIN
    for index, line in enumerate(lines):
        colour = WARNING if line in wrapped(RESEARCH_USE_ONLY, across - 2 * MARGIN) else INK
        ink.text((MARGIN, top + LINE * index), line, colour, font=font(16))
    return frame
