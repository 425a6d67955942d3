"""The slices that carry the answer of a series, with their pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tumorscope.detection.looking import Looking
from tumorscope.detection.series_finding import SliceFinding
from tumorscope.scans import Applied, Volume, Window, views

KEY_SLICES = 5
"""Slices around the highest place of the curve whose pictures are kept."""

KEY_STEP = 5.0
"""mm between key slices, at least."""


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


def with_pictures(
    keys: Sequence[SliceFinding], volume: Volume, how: Looking, used: Applied
) -> tuple[SliceFinding, ...]:
    """Return key slices with their pictures, which are cut anew, as all would fill the memory."""
    # That of the volume is known by now, and finding it takes longer than cutting.
    window = Window("range", used.low, used.high) if how.window.kind != "dicom" else how.window
    wanted = {each.index for each in keys}
    shown = {
        scan.index: scan.slice
        for scan in views(volume, how.plane, window=window, every=how.every, only=wanted)
    }
    return tuple(replace(each, picture=shown[each.index]) for each in keys)
