"""Slice + `Finding` → a picture that shows what spoke for and against a tumour, and how much."""

from __future__ import annotations

from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

from tumorscope.common.files import atomic_path
from tumorscope.common.notice import RESEARCH_USE_ONLY
from tumorscope.detection.colours import blend, full_colour
from tumorscope.detection.evidence import evidence_field, scaled, temperature_of
from tumorscope.detection.finding import Finding
from tumorscope.detection.painting import painted
from tumorscope.detection.peak import Peak, ring
from tumorscope.detection.probability_scale import HEIGHT as PROBABILITY_SCALE
from tumorscope.detection.probability_scale import draw_scale, font
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
    scan: Slice,
    finding: Finding,
    how: Preprocessing,
    *,
    limit: float | None = None,
    temperature: float | None = None,
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
        Logit per cell at which a colour is full; by default that of
        `tumorscope.detection.colours.full_colour`.
    temperature : float, optional
        Of a dense head; see `tumorscope.detection.evidence.temperature_of`.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        RGB, of the size of the slice, or shrunk to a longer side of 2048 pixels.
    """
    grey = scaled(scan.pixels, longest=LONGEST)
    if finding.evidence is None:
        return np.repeat(grey[..., None], 3, axis=2)
    limit = limit or full_colour(finding.evidence.shape, temperature=temperature)
    shape = (grey.shape[0], grey.shape[1])
    field = evidence_field(finding.evidence, scan, how, shape=shape, temperature=temperature)
    return blend(grey, field / limit)


def write_overlay(path: str | Path, scan: Slice, finding: Finding, metadata: Metadata) -> None:
    """Write a PNG: the decision on its scale, the slice as read and with evidence, and the words.

    A ring marks where the evidence for a tumour is strongest, and the colour scale says how strong.

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
    how = metadata.preprocessing.preprocessing
    picture = draw(scan, finding, how, temperature=temperature_of(metadata))
    with atomic_path(Path(path)) as temporary:
        # Level 1: level 6 takes five times as long and saves a tenth.
        picture.save(temporary, "PNG", compress_level=1, pnginfo=_mark())


def _mark() -> PngInfo:
    # By this a later search of the folder tells it from a scan.
    mark = PngInfo()
    mark.add_text("Software", OVERLAY_SOFTWARE)
    return mark


def draw(
    scan: Slice, finding: Finding, how: Preprocessing, *, temperature: float | None = None
) -> Image.Image:
    """Return the picture that `write_overlay` writes."""
    panels, peak = _panels(scan, finding, how, temperature)
    width, height = panels[0][1].size
    across = max(len(panels) * (width + MARGIN) + MARGIN + (SCALE if len(panels) > 1 else 0), 640)
    caption = _caption(finding, peak, across - 2 * MARGIN)
    top = HEADER + (0 if finding.probability is None else PROBABILITY_SCALE)
    below = top + height + MARGIN - 4
    picture = Image.new("RGB", (across, below + LINE * len(caption) + 54), PAPER)
    ink = ImageDraw.Draw(picture)
    ink.text((MARGIN, 16), f"Decision: {finding.decision}", INK, font=font(28))
    if finding.probability is not None:
        point = f"calibrated probability at the operating point {finding.operating_point}"
        ink.text((across - MARGIN, 44), point, FAINT, font=font(16), anchor="rs")
        draw_scale(picture, finding, left=MARGIN, top=56, right=across - MARGIN)
    for index, (name, panel) in enumerate(panels):
        left = MARGIN + index * (width + MARGIN)
        ink.text((left, top - 26), name, FAINT, font=font(16))
        picture.paste(panel, (int(left), top))
    if finding.evidence is not None:
        cells = (finding.evidence.shape[0], finding.evidence.shape[1])
        limit = full_colour(cells, temperature=temperature)
        left = 2 * (width + MARGIN) + MARGIN
        _bar(picture, left, (top, height), cells, limit=limit, peak=peak)
    for index, line in enumerate(caption):
        ink.text((MARGIN, below + LINE * index), line, INK, font=font(16))
    last = below + LINE * len(caption) + 8
    ink.text((MARGIN, last), RESEARCH_USE_ONLY, WARNING, font=font(18))
    return picture


def _panels(
    scan: Slice, finding: Finding, how: Preprocessing, temperature: float | None
) -> tuple[list[tuple[str, Image.Image]], Peak | None]:
    """Return the slice as read and with its evidence, each with its name, and the peak."""
    grey = scaled(scan.pixels, longest=PANEL, shortest=SMALLEST_PANEL)
    width = grey.shape[1]
    panels = [("As read", Image.fromarray(grey).convert("RGB"))]
    if finding.evidence is None:
        return panels, None
    panel, peak = painted(grey, scan, finding.evidence, how, temperature=temperature, radius=16)
    notes = [] if peak is None else ["ring: its peak"]
    if _mark_box(panel, placement(scan, how), scan.pixels.shape) and width > 440:
        notes.append("corners: what the model saw")
    said = f" ({'; '.join(notes)})" if notes and width > 300 else ""
    return [*panels, (f"Evidence{said}", panel)], peak


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


def _bar(
    picture: Image.Image,
    left: int,
    rows: tuple[int, int],
    cells: tuple[int, int],
    *,
    limit: float,
    peak: Peak | None,
) -> None:
    """Draw the scale of the colours (top and height in `rows`), with the peak's place on it."""
    top, height = rows
    ink, words = ImageDraw.Draw(picture), left + BAR + 10
    share = np.linspace(1.0, -1.0, height, dtype=np.float32)[:, None].repeat(BAR, axis=1)
    bar = blend(np.full(share.shape, TISSUE, np.uint8), share)
    picture.paste(Image.fromarray(bar), (left, top))
    ink.text((left, top - 46), "logit per cell", FAINT, font=font(16))
    ink.text((left, top - 26), f"of {cells[0]} x {cells[1]}", FAINT, font=font(16))

    def at(value: float) -> int:
        return top + round((1.0 - max(-1.0, min(1.0, value / limit))) / 2 * (height - 1))

    for part in (1.0, 0.5, 0.0, -0.5, -1.0):
        y = at(part * limit)
        ink.line([(left + BAR, y), (left + BAR + 5, y)], fill=FAINT)
        text = f"{part * limit:+.2g}" if part else "0"
        anchor = {1.0: "lt", -1.0: "lb"}.get(part, "lm")
        ink.text((words, y), text, INK, font=font(16), anchor=anchor)
    if height < 200:
        return  # a very wide slice leaves no room for words
    said = "or more:\ntowards\na tumour"
    ink.multiline_text((words, top + 22), said, RED_WORDS, font=font(15))
    said = "or less:\naway\nfrom it"
    ink.multiline_text((words, top + height - 22), said, BLUE_WORDS, font=font(15), anchor="ld")
    if peak is not None:
        ring(ink, left + BAR / 2, at(peak.value), radius=7)


def _caption(finding: Finding, peak: Peak | None, width: int) -> list[str]:
    texts = [finding.words]
    if peak is not None:
        row, column = (each + 1 for each in peak.cell)
        texts.append(
            "Ring: the place that speaks most for a tumour. Its cell of the map (row "
            f"{row}, column {column}) holds {peak.held:+.2f} of the logit."
        )
    if finding.evidence is not None and finding.logit is not None and finding.bias is not None:
        texts.append(
            f"Logit {finding.logit:+.2f} (before calibration) = evidence "
            f"{finding.logit - finding.bias:+.2f} (sum of the map) and bias {finding.bias:+.2f}."
        )
    # The font that comes with Pillow has no letters beyond Latin; the file's name has.
    name = PurePath(finding.source).name.encode("ascii", "replace").decode()
    texts.append(f"{''.join(each if each.isprintable() else '?' for each in name)}")
    texts.append(f"Model {finding.model}")
    return [line for text in texts for line in wrapped(text, width)]


def wrapped(text: str, width: int) -> list[str]:
    """Return a text as lines that fit a width in pixels, in letters of size 16."""
    letters, lines = font(16), [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if letters.getlength(longer) <= width:
            lines[-1] = longer
            continue
        while letters.getlength(word) > width:  # file names may be one long word
            fits = next(n for n in range(len(word), 0, -1) if letters.getlength(word[:n]) <= width)
            lines.append(word[:fits])
            word = word[fits:]
        lines.append(word)
    return [line for line in lines if line]
