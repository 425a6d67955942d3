"""A line from 0 to 1 that says why a probability is this answer at this operating point."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from PIL import Image, ImageDraw, ImageFont

from tumorscope.detection.finding import Finding

HEIGHT = 74
"""Pixels that the scale takes of a picture."""

TUMOUR, NO_TUMOUR, NO_ANSWER = (213, 94, 0), (0, 114, 178), (95, 95, 95)
INK, FAINT = (236, 236, 236), (160, 160, 160)
THICK = 10


def draw_scale(picture: Image.Image, finding: Finding, *, left: int, top: int, right: int) -> None:
    """Draw the scale of a finding: its answers in their colours, and a mark at the probability.

    Parameters
    ----------
    picture : Image
        RGB, drawn on.
    finding : Finding
        With a probability and a threshold.
    left, top, right : int
        Where in the picture.
    """
    if finding.probability is None or finding.threshold is None:
        return
    low, high = finding.zone or (finding.threshold, finding.threshold)
    ink, line = ImageDraw.Draw(picture), top + 26

    def at(probability: float) -> int:
        return left + round(min(max(probability, 0.0), 1.0) * (right - left))

    for start, stop, colour in ((0.0, low, NO_TUMOUR), (low, high, NO_ANSWER), (high, 1.0, TUMOUR)):
        if stop > start:
            ink.rectangle((at(start), line, at(stop), line + THICK), fill=colour)
    said = f"{finding.probability:.3f}"
    x, half = at(finding.probability), ink.textlength(said, font=font(18)) / 2
    ink.polygon([(x, line - 1), (x - 7, line - 10), (x + 7, line - 10)], fill=INK)
    middle = min(max(x, left + half), right - half)
    ink.text((middle, line - 12), said, INK, font=font(18), anchor="ms")
    answers = (
        (f"no tumour below {low:.3f}", left, at(low), "ra"),
        ("no answer", at(low), at(high), "ma"),
        (f"tumour from {high:.3f}", at(high), right, "la"),
    )
    _name_answers(ink, answers, line + THICK + 6)


def _name_answers(
    ink: ImageDraw.ImageDraw, answers: Sequence[tuple[str, float, float, str]], top: int
) -> None:
    """Write below the line which answer is given where; what has no room stays in the caption."""
    for name, start, stop, anchor in answers:
        if ink.textlength(name, font=font(15)) + 8 <= stop - start:
            x = {"r": stop - 4, "l": start + 4, "m": (start + stop) / 2}[anchor[0]]
            ink.text((x, top), name, FAINT, font=font(15), anchor=anchor)


@cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return the font that comes with Pillow, which has Latin letters only."""
    return ImageFont.load_default(size=size)
