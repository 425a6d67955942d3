"""The slices that carry the answer of a series, with their pictures."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from tumorscope.detection.looking import Looking
from tumorscope.detection.series_finding import SliceFinding
from tumorscope.imaging.slice import Slice
from tumorscope.scans import Applied, ScanSlice, Volume, Window, views
from tumorscope.scans.spread import spread

KEY_SLICES = 5
"""Slices around the highest place of the curve whose pictures are kept."""

KEY_STEP = 5.0
"""mm between key slices, at least."""

KNOWN_STEP = 20.0
"""mm between slices of which it is asked whether the model knows them."""


def key_slices(slices: Sequence[SliceFinding]) -> list[SliceFinding]:
    """Return the slices around the highest place of the curve, that place first."""

    def height(each: SliceFinding) -> float:
        asked = each.finding.probability
        return each.curve if each.curve is not None else -1.0 if asked is None else asked

    answered = [each for each in slices if each.finding.probability is not None]
    keys: list[SliceFinding] = []
    if not answered:
        return keys
    top = max(answered, key=height)
    for each in sorted(answered, key=lambda one: abs(one.position - top.position)):
        if all(abs(each.position - other.position) >= KEY_STEP - 0.1 for other in keys):
            keys.append(each)
        if len(keys) == KEY_SLICES:
            break
    return keys


def known_slices(slices: Sequence[SliceFinding], keys: Sequence[SliceFinding]) -> set[int]:
    """Return the slices of which it is asked whether the model knows them: keys, and a spread.

    To ask of each would take as long as the model itself; what a series was trained on in part is
    found by some of its slices.
    """
    spread_out = spread([each.position for each in slices], KNOWN_STEP)
    return {each.index for each in keys} | {slices[place].index for place in spread_out}


def pictures_of(
    indices: Collection[int], volume: Volume, how: Looking, used: Applied
) -> dict[int, Slice]:
    """Return the pictures of some slices."""
    return {scan.index: scan.slice for scan in cut_again(indices, volume, how, used)}


def cut_again(
    indices: Collection[int], volume: Volume, how: Looking, used: Applied
) -> Iterator[ScanSlice]:
    """Yield some slices once more, as the pictures of all of them would fill the memory."""
    # That of the volume is known by now, and finding it takes longer than cutting.
    window = Window("range", used.low, used.high) if how.window.kind != "dicom" else how.window
    yield from views(volume, how.plane, window=window, every=how.every, only=indices)
