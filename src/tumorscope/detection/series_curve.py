"""The curve of a series as a drawing: probability and smoothed curve along the position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from tumorscope.detection.series_finding import SeriesFinding, SliceFinding

WIDTH, HEIGHT = 640, 150
"""Of either drawing, in its own units."""

LEFT, RIGHT, TOP, BOTTOM = 44, 8, 8, 26


@dataclass(frozen=True, slots=True)
class Curve:
    """What is drawn.

    Attributes
    ----------
    bars : list of tuple
        x, y, width, height and decision of each slice: its probability.
    refused : list of tuple
        x and width where a slice was refused.
    line : str
        Points of the smoothed curve, empty where there is none.
    levels : list of tuple
        y and name of the levels of the series.
    threshold : float
        y of the slices' threshold.
    ticks : list of tuple
        x and mm.
    keys : list of float
        x of key slices.
    zero : float
        y of 0 on the scale of the smoothed curve.
    """

    bars: list[tuple[float, float, float, float, str]]
    refused: list[tuple[float, float]]
    line: str
    levels: list[tuple[float, str]]
    threshold: float
    ticks: list[tuple[float, str]]
    keys: list[float]
    zero: float


def curve_of(found: SeriesFinding, keys: Sequence[SliceFinding], limit: float = 4.0) -> Curve:
    """Return the drawing of a series."""
    positions = [each.position for each in found.slices]
    first, last = positions[0], positions[-1]
    span = max(last - first, 1.0)

    def across(position: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (position - first) / span, 1)

    def up(share: float) -> float:
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(max(share, 0.0), 1.0), 1)

    def level(score: float) -> float:
        return up((score + limit) / (2.0 * limit))

    per_mm = (WIDTH - LEFT - RIGHT) / span
    bars: list[tuple[float, float, float, float, str]] = []
    refused: list[tuple[float, float]] = []
    for each, room in zip(found.slices, _rooms(positions), strict=True):
        width = round(min(24.0, max(1.0, 0.8 * room * per_mm)), 1)
        x = round(across(each.position) - width / 2.0, 1)
        probability = each.finding.probability
        if probability is None:
            refused.append((x, width))
        else:
            y = up(probability)
            height = max(1.0, HEIGHT - BOTTOM - y)
            bars.append((x, y, width, height, each.finding.decision))
    points = [
        f"{across(each.position)},{level(each.curve)}"
        for each in found.slices
        if each.curve is not None
    ]
    levels = []
    if found.level is not None:
        levels = [
            (level(found.level.tumour), "tumour from here up"),
            (level(found.level.no_tumour), "no tumour below"),
        ]
    threshold = found.slices[0].finding.threshold
    return Curve(
        bars=bars,
        refused=refused,
        line=" ".join(points),
        levels=levels,
        threshold=up(0.5 if threshold is None else threshold),
        ticks=[(across(each), f"{each:.0f}") for each in _round_places(first, last)],
        keys=[across(each.position) for each in keys],
        zero=level(0.0),
    )


def _rooms(positions: Sequence[float]) -> list[float]:
    """Return how many mm each slice has for itself: slices lie nearer where it matters."""
    steps = [after - before for before, after in pairwise(positions)] or [1.0]
    return [min(pair) for pair in zip((steps[0], *steps), (*steps, steps[-1]), strict=True)]


def _round_places(first: float, last: float) -> list[float]:
    step = next((each for each in (5, 10, 20, 50, 100) if (last - first) / each <= 8), 200)
    start = -(-first // step) * step
    places = []
    while start <= last:
        places.append(float(start))
        start += step
    return places
