"""A volume → its slices → their findings and the curve along them, in constant memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tumorscope.detection.answering import Answering
from tumorscope.detection.asking import Places, Values, asked_closely, first_asked
from tumorscope.detection.finding import Finding
from tumorscope.detection.key_slices import cut_again
from tumorscope.detection.looking import Looking
from tumorscope.detection.series_finding import SliceFinding
from tumorscope.imaging.slice import Slice
from tumorscope.model_file.series_rule import SeriesRule
from tumorscope.scans import Applied, ScanSlice, Volume, acquired_plane, positions_of, views
from tumorscope.scans.head import HEAD_AREA, head_area


@dataclass(frozen=True, slots=True)
class Asked:
    """What slices of a volume said.

    Attributes
    ----------
    slices : tuple of SliceFinding
        Those that were asked about, ascending.
    curve : ndarray of float, optional
        Smoothed, at each of them; None where the model holds no rule, or refused all of them.
    plane : str
        Of the slices.
    window : Applied
        By which the first of them became a picture.
    """

    slices: tuple[SliceFinding, ...]
    curve: Values | None
    plane: str
    window: Applied


def ask_slices(detector: Answering, volume: Volume, how: Looking) -> Asked:
    """Ask about the slices of a volume; about some of them only, where that is enough.

    Raises
    ------
    InputError
        If it cannot be cut along that plane, as its slices are uneven.
    """
    asker = detector if how.every is None else detector.unlooking()
    positions, indices = positions_of(volume, how.plane, every=how.every)
    plane = how.plane or acquired_plane(volume)
    stack = _Stack(positions, plane)
    rule = detector.metadata.series
    level = None if rule is None else rule.levels.get(plane)
    sparing = how.sparing and how.every is not None and level is not None
    places = first_asked(positions) if sparing else np.arange(len(positions))

    def ask(places: Places, scans: Iterator[ScanSlice]) -> None:
        pictures = stack.passing(places, scans)
        stack.note(places, asker.detect_many(pictures, batch=how.batch))

    def cut(places: Places) -> Iterator[ScanSlice]:
        return cut_again(set(indices[places].tolist()), volume, how, stack.window)

    only = None if len(places) == len(positions) else set(indices[places].tolist())
    ask(places, views(volume, how.plane, window=how.window, every=how.every, only=only))
    stack.look_above(cut)
    curve = stack.curve(rule)
    if rule is not None and level is not None and len(places) < len(positions):
        enough = sum(each.probability is not None for each in stack.findings.values()) >= rule.least
        closer = asked_closely(positions, places, curve if enough else None, level)
        ask(closer, cut(closer))
        curve = stack.curve(rule)
    return Asked(stack.slices(curve), curve, plane, stack.window)


class _Stack:
    """The slices of a volume: their places and findings are kept, their pixels are not."""

    def __init__(self, positions: Values, plane: str) -> None:
        self._positions, self._axial = positions, plane == "axial"
        self.findings: dict[int, Finding] = {}
        self._scans: dict[int, ScanSlice] = {}
        self._heads: dict[int, bool] = {}

    @property
    def window(self) -> Applied:
        """By which the first slice became a picture."""
        return next(iter(self._scans.values())).window

    def passing(self, places: Places, scans: Iterator[ScanSlice]) -> Iterator[Slice]:
        """Hand on the pictures of slices, and keep the rest of what is known of them."""
        for place, scan in zip(places.tolist(), scans, strict=True):
            self._look(place, scan)
            self._scans[place] = replace(scan, slice=_NOTHING)
            yield scan.slice

    def look_above(self, cut: Callable[[Places], Iterator[ScanSlice]]) -> None:
        """Look for the vertex among slices that were not asked about."""
        if self._axial:
            top = max((place for place, head in self._heads.items() if head), default=-1)
            above = [
                place for place in range(top + 1, len(self._positions)) if place not in self._heads
            ]
            if above:
                for place, scan in zip(above, cut(np.array(above)), strict=True):
                    self._look(place, scan)

    def _look(self, place: int, scan: ScanSlice) -> None:
        if self._axial:
            self._heads[place] = head_area(scan) >= HEAD_AREA

    def note(self, places: Places, findings: Iterator[Finding]) -> None:
        """Keep the findings of slices."""
        self.findings.update(zip(places.tolist(), findings, strict=True))

    def curve(self, rule: SeriesRule | None) -> Values | None:
        """Return the smoothed curve at the slices that were asked about."""
        places = sorted(self.findings)
        found = [self.findings[place].probability for place in places]
        if rule is None or all(value is None for value in found):
            return None
        probabilities = np.array([np.nan if value is None else value for value in found])
        depths = self._depths(places)
        return rule.curve(self._positions[places], probabilities, depths)

    def _depths(self, places: list[int]) -> NDArray[np.float64] | None:
        """Return how far below the vertex axial slices lie, in mm."""
        if not self._axial:
            return None
        heads = [place for place, head in self._heads.items() if head]
        top = self._positions[max(heads) if heads else -1]
        depths: NDArray[np.float64] = top - self._positions[places]
        return depths

    def slices(self, curve: Values | None) -> tuple[SliceFinding, ...]:
        """Return the findings of slices, ascending."""
        places = sorted(self.findings)
        values: Sequence[float | None] = [None] * len(places) if curve is None else curve.tolist()
        return tuple(
            _slice_finding(self.findings[place], self._scans[place], value)
            for place, value in zip(places, values, strict=True)
        )


_NOTHING = Slice(np.zeros((1, 1), np.uint8), "")


def _slice_finding(finding: Finding, scan: ScanSlice, curve: float | None) -> SliceFinding:
    return SliceFinding(
        finding=finding,
        index=scan.index,
        position=scan.position,
        centre=scan.centre,
        path=scan.path,
        sop_instance_uid=scan.sop_instance_uid,
        frame=scan.frame,
        curve=curve,
    )
