"""A volume → its slices → their findings and the curve along them, in constant memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    stack = _Stack(positions_of(volume, how.plane, every=how.every))
    rule = detector.metadata.series
    plane = how.plane or acquired_plane(volume)
    level = None if rule is None else rule.levels.get(plane)
    sparing = how.sparing and how.every is not None and level is not None
    places = first_asked(stack.positions) if sparing else np.arange(len(stack.positions))
    pictures = stack.passing(views(volume, how.plane, window=how.window, every=how.every), places)
    stack.note(places, asker.detect_many(pictures, batch=how.batch))
    curve = stack.curve(rule)
    if rule is not None and level is not None and len(places) < len(stack.positions):
        enough = sum(each.probability is not None for each in stack.findings.values()) >= rule.least
        closer = asked_closely(stack.positions, places, curve if enough else None, level)
        wanted = {stack.scans[place].index for place in closer}
        again = cut_again(wanted, volume, how, stack.scans[0].window)
        stack.note(closer, asker.detect_many((each.slice for each in again), batch=how.batch))
        curve = stack.curve(rule)
    return Asked(stack.slices(curve), curve, plane, stack.scans[0].window)


class _Stack:
    """The slices of a volume: their places and findings are kept, their pixels are not."""

    def __init__(self, positions: Values) -> None:
        self.positions = positions
        self.scans: list[ScanSlice] = []
        self.findings: dict[int, Finding] = {}
        self._heads: list[bool] = []

    def passing(self, scans: Iterator[ScanSlice], places: Places) -> Iterator[Slice]:
        """Look at all slices, and hand on the pictures of some."""
        wanted = set(places.tolist())
        for place, scan in enumerate(scans):
            self._heads.append(head_area(scan) >= HEAD_AREA)
            self.scans.append(replace(scan, slice=_NOTHING))
            if place in wanted:
                yield scan.slice

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
        depths = self._depths()
        return rule.curve(
            self.positions[places], probabilities, None if depths is None else depths[places]
        )

    def _depths(self) -> NDArray[np.float64] | None:
        """Return how far below the vertex each axial slice lies, in mm."""
        if self.scans[0].plane != "axial":
            return None
        heads = np.array(self._heads)
        top = self.positions[heads].max() if heads.any() else self.positions[-1]
        depths: NDArray[np.float64] = top - self.positions
        return depths

    def slices(self, curve: Values | None) -> tuple[SliceFinding, ...]:
        """Return the findings of slices, ascending."""
        places = sorted(self.findings)
        values: Sequence[float | None] = [None] * len(places) if curve is None else curve.tolist()
        return tuple(
            _slice_finding(self.findings[place], self.scans[place], value)
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
