"""Slice + `Finding` → a picture that shows what spoke for and against a tumour, and how much."""

from __future__ import annotations

from functools import cache
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from tumorscope.common.files import atomic_path
from tumorscope.common.notice import RESEARCH_USE_ONLY
from tumorscope.detection.evidence import blend, evidence_field, full_colour, scaled
from tumorscope.detection.finding import Finding
from tumorscope.imaging.find import OVERLAY_SOFTWARE
from tumorscope.imaging.preprocess import Placement, Preprocessing, placement
from tumorscope.imaging.slice import Slice
from tumorscope.model_file.schema import Metadata

LONGEST = 2048
"""Pixels of the longer side of what `overlay` paints."""

PANEL, SMALLEST_PANEL = 1024, 480
"""Pixels of the longer side of a panel in a file, at most and at least."""

MARGIN, HEADER, LINE, BAR, SCALE = 20, 92, 24, 22, 130
INK, FAINT, PAPER, WARNING = (236, 236, 236), (160, 160, 160), (17, 17, 19), (255, 205, 90)
RED_WORDS, BLUE_WORDS = (255, 90, 85), (110, 165, 255)
TISSUE = 120
"""Grey under the scale."""


def overlay(
    scan: Slice, finding: Finding, how: Preprocessing, *, limit: float | None = None
) -> NDArray[np.uint8]:
    """Paint the evidence onto the slice: red pushes towards a tumour, blue away, none is clear.

    The map is enlarged smoothly and laid where the network saw each part: a crop and a
    padding are undone, and what it never saw stays bare.

    Parameters
    ----------
    scan : Slice
        As it was read.
    finding : Finding
        Of that slice. Without evidence (refused), the slice is returned in grey.
    how : Preprocessing
        Of the model.
    limit : float, optional
        Logit per cell at which a colour is full; by default `full_colour` of the map's shape.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        RGB, of the size of the slice, or shrunk to a longer side of 2048 pixels.
    """
    grey = scaled(scan.pixels, longest=LONGEST)
    if finding.evidence is None:
        return np.repeat(grey[..., None], 3, axis=2)
    limit = limit or full_colour(finding.evidence.shape)
    field = evidence_field(finding.evidence, scan, how, shape=(grey.shape[0], grey.shape[1]))
    return blend(grey, field / limit)


def write_overlay(path: str | Path, scan: Slice, finding: Finding, metadata: Metadata) -> None:
    """Write a PNG: the slice as read, the slice with evidence, a scale, and what was decided.

    Parameters
    ----------
    path : path
        Of the PNG; written whole or not at all.
    scan : Slice
        As it was read.
    finding : Finding
        Of that slice.
    metadata : Metadata
        Of the model.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    figure = draw(scan, finding, metadata.preprocessing.preprocessing)
    with atomic_path(Path(path)) as temporary:
        # Level 1: level 6 takes five times as long and saves a tenth.
        figure.save(temporary, "PNG", compress_level=1, pnginfo=_mark())


def _mark() -> PngInfo:
    # By this a later search of the folder tells it from a scan.
    mark = PngInfo()
    mark.add_text("Software", OVERLAY_SOFTWARE)
    return mark


def draw(scan: Slice, finding: Finding, how: Preprocessing) -> Image.Image:
    """Return the picture that `write_overlay` writes."""
    grey = scaled(scan.pixels, longest=PANEL, shortest=SMALLEST_PANEL)
    height, width = grey.shape
    panels = [("As read", Image.fromarray(grey).convert("RGB"))]
    if finding.evidence is not None:
        cells = (finding.evidence.shape[0], finding.evidence.shape[1])
        field = evidence_field(finding.evidence, scan, how, shape=(height, width))
        painted = Image.fromarray(blend(grey, field / full_colour(cells)))
        marked = _mark_box(painted, placement(scan, how), scan.pixels.shape)
        note = " (corners: what the model saw)" if marked and width > 300 else ""
        panels.append((f"Evidence{note}", painted))
    across = max(len(panels) * (width + MARGIN) + MARGIN + (SCALE if len(panels) > 1 else 0), 640)
    caption = _caption(finding, across - 2 * MARGIN)
    below = HEADER + height + MARGIN - 4
    figure = Image.new("RGB", (across, below + LINE * len(caption) + 54), PAPER)
    ink = ImageDraw.Draw(figure)
    decision = f"Decision: {finding.decision}"
    ink.text((MARGIN, 16), decision, INK, font=_font(28))
    if finding.probability is not None:
        left = MARGIN + ink.textlength(decision, font=_font(28)) + MARGIN
        said = f"calibrated probability {finding.probability:.3f}"
        ink.text((left, 26), said, INK, font=_font(18))
    for index, (name, panel) in enumerate(panels):
        left = MARGIN + index * (width + MARGIN)
        ink.text((left, HEADER - 26), name, FAINT, font=_font(16))
        figure.paste(panel, (int(left), HEADER))
    if finding.evidence is not None:
        _bar(figure, 2 * (width + MARGIN) + MARGIN, height, cells)
    for index, line in enumerate(caption):
        ink.text((MARGIN, below + LINE * index), line, INK, font=_font(16))
    last = below + LINE * len(caption) + 8
    ink.text((MARGIN, last), RESEARCH_USE_ONLY, WARNING, font=_font(18))
    return figure


def _mark_box(panel: Image.Image, place: Placement, shape: tuple[int, ...]) -> bool:
    """Mark the corners of what the network saw, where that is not the whole slice."""
    top, bottom, left, right = place.box
    if (top, bottom, left, right) == (0, shape[0], 0, shape[1]):
        return False
    x0, x1 = (round(side * panel.width / shape[1]) for side in (left, right))
    y0, y1 = (round(side * panel.height / shape[0]) for side in (top, bottom))
    arm = min(18, (x1 - x0) // 4, (y1 - y0) // 4)
    ink = ImageDraw.Draw(panel)
    for x, across in ((x0, arm), (x1 - 1, -arm)):
        for y, down in ((y0, arm), (y1 - 1, -arm)):
            ink.line([(x + across, y), (x, y), (x, y + down)], fill=INK, width=1)
    return True


def _bar(figure: Image.Image, left: int, height: int, cells: tuple[int, int]) -> None:
    ink, limit, words = ImageDraw.Draw(figure), full_colour(cells), left + BAR + 10
    share = np.linspace(1.0, -1.0, height, dtype=np.float32)[:, None].repeat(BAR, axis=1)
    bar = blend(np.full(share.shape, TISSUE, np.uint8), share)
    figure.paste(Image.fromarray(bar), (left, HEADER))
    ink.text((left, HEADER - 46), "logit per cell", FAINT, font=_font(16))
    ink.text((left, HEADER - 26), f"of {cells[0]} x {cells[1]}", FAINT, font=_font(16))
    for part in (1.0, 0.5, 0.0, -0.5, -1.0):
        y = HEADER + round((1.0 - part) / 2 * (height - 1))
        ink.line([(left + BAR, y), (left + BAR + 5, y)], fill=FAINT)
        text = f"{part * limit:+.2g}" if part else "0"
        anchor = {1.0: "lt", -1.0: "lb"}.get(part, "lm")
        ink.text((words, y), text, INK, font=_font(16), anchor=anchor)
    if height < 200:
        return  # a very wide slice leaves no room for words
    said = "or more:\ntowards\na tumour"
    ink.multiline_text((words, HEADER + 22), said, RED_WORDS, font=_font(15))
    said = "or less:\naway\nfrom it"
    ink.multiline_text((words, HEADER + height - 22), said, BLUE_WORDS, font=_font(15), anchor="ld")


def _caption(finding: Finding, width: int) -> list[str]:
    texts = [finding.words]
    if finding.evidence is not None and finding.logit is not None and finding.bias is not None:
        texts.append(
            f"Logit {finding.logit:+.2f} (before calibration) = evidence "
            f"{finding.logit - finding.bias:+.2f} (sum of the map) and bias {finding.bias:+.2f}."
        )
    # The font that comes with Pillow has no letters beyond Latin; the file's name has.
    name = PurePath(finding.source).name.encode("ascii", "replace").decode()
    texts.append(f"{''.join(each if each.isprintable() else '?' for each in name)}")
    texts.append(f"Model {finding.model}")
    return [line for text in texts for line in _wrapped(text, width)]


def _wrapped(text: str, width: int) -> list[str]:
    font, lines = _font(16), [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width:
            lines[-1] = longer
            continue
        while font.getlength(word) > width:  # file names may be one long word
            fits = next(n for n in range(len(word), 0, -1) if font.getlength(word[:n]) <= width)
            lines.append(word[:fits])
            word = word[fits:]
        lines.append(word)
    return [line for line in lines if line]


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=size)
