"""Whether a series is whole: what its headers tell of slices that are missing at its ends.

A slice that is missing between others leaves a gap; one at an end leaves nothing but these traces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tumorscope.common.words import counted
from tumorscope.scans.frame import Frame
from tumorscope.scans.remark import Remark
from tumorscope.scans.series import Series
from tumorscope.scans.stack import Stack

HEAD = 100.0
"""A stack that reaches so far, in mm, may well be a whole head."""

LONGEST = 400.0
"""No stack of a head reaches further, in mm."""


def with_ends(stacks: Sequence[Stack], series: Series) -> list[Stack]:
    """Return stacks that know how many mm are missing at their ends.

    Parameters
    ----------
    stacks : sequence of Stack
        All of the series.
    series : Series
        Whose files some are perhaps missing.
    """
    missing, why = _missing(stacks, series)
    if not missing:
        return [*stacks]
    # Which volume they are missing of, nobody knows; one of few slices is known from its extent.
    share = missing / len(stacks)
    return [
        replace(
            stack,
            remarks=(*stack.remarks, Remark("cut-off", why)),
            cut_off=max(stack.cut_off, share * stack.step),
        )
        for stack in stacks
    ]


def _missing(stacks: Sequence[Stack], series: Series) -> tuple[int, str]:
    """Return how many images of a series are missing at ends at least, and how that is known."""
    frames = [frame for stack in stacks for frame in stack.frames]
    anywhere = _of_concatenations(frames, series)
    before = 0
    if classic := [frame for frame in frames if frame.number is None]:
        anywhere += _of_headers(classic, stacks, series)
        before = _before_the_first(stacks, series)
    inside = sum(map(_in_gaps, stacks))  # which are known as gaps
    known = [(count - inside, words) for count, words in anywhere if count > inside]
    known += [(before, f"its instance numbers begin with {before + series.passed_over + 1}")]
    return max(known, key=lambda each: each[0])


def _of_concatenations(frames: Sequence[Frame], series: Series) -> list[tuple[int, str]]:
    """Return how many images absent files of a concatenation hold, were they as long as others."""
    if not series.absent:
        return []
    several = sum(frame.number is not None for frame in frames)
    count = round(series.absent * several / len(series.multiframe))
    files = counted(series.absent, "file")
    return [(count, f"{files} of a concatenation {'is' if series.absent == 1 else 'are'} not here")]


def _of_headers(
    frames: Sequence[Frame], stacks: Sequence[Stack], series: Series
) -> list[tuple[int, str]]:
    """Return what headers of files with one image each tell."""
    there = len(frames) + len(series.multiframe) + series.lost + series.passed_over
    listed = max(frame.layout.listed for frame in frames)
    counts = [
        (listed - there, f"the headers list {listed} images of the series, {there} are here"),
        _of_the_acquisition(frames, series),
    ]
    told = [each for each in counts if not _other_volumes(each[0], stacks)]
    return [(series.lost, f"{counted(series.lost, 'image')} of the series cannot be read"), *told]


def _in_gaps(stack: Stack) -> int:
    """Return how many slices are missing between others."""
    if len(stack.positions) < 2 or stack.step <= 0:
        return 0
    lacking = np.rint(np.diff(stack.positions) / stack.step) - 1
    return int(np.maximum(lacking, 0).sum())


def _of_the_acquisition(frames: Sequence[Frame], series: Series) -> tuple[int, str]:
    """Return how many images an acquisition made beyond those of the series that are here.

    Of derived images the header tells of those that they come from. And one acquisition may fill
    several series, such as water and fat: then each holds a half, a third … of its images.
    """
    made = [frame for frame in frames if frame.layout.image_type[:1] != ("DERIVED",)]
    here = len(made) + series.passed_over
    acquired = max((frame.layout.acquired for frame in made), default=0)
    if acquired <= here or acquired % here == 0:
        return 0, ""
    words = f"the headers tell of {acquired} images of the acquisition, {here} are here"
    return acquired - here, words


def _before_the_first(stacks: Sequence[Stack], series: Series) -> int:
    """Return how many images come before the first by their numbers, where these count slices.

    They may go on from another volume that was as long, such as the first echo or b-value, which
    lies in a series of its own; and they may begin with a number that is no count, such as 1001.
    """
    in_order = any(remark.code == "instance-order" for stack in stacks for remark in stack.remarks)
    if len(stacks) > 1 or in_order:  # then numbers are the places, whatever they begin with
        return 0
    numbers = [frame.instance for frame in stacks[0].frames]
    if len(numbers) < 2 or None in numbers:
        return 0
    values = np.array(numbers, dtype=np.int64)
    steps = np.diff(values)
    if not ((steps > 0).all() or (steps < 0).all()) or float(np.median(np.abs(steps))) != 1.0:
        return 0
    before = max(0, int(values.min()) - 1 - series.passed_over)
    return 0 if _other_volumes(before, stacks) else before


def _other_volumes(missing: int, stacks: Sequence[Stack]) -> bool:
    """Return whether missing images are rather whole volumes beside these than slices of these.

    So it is where these may well be whole heads, and they would make as many slices again, or more
    than a head has.
    """
    slices = len(stacks[0].frames)
    alike = all(len(stack.frames) == slices for stack in stacks)
    if not alike or min(stack.extent for stack in stacks) < HEAD:
        return False
    longer = (missing / len(stacks) + slices) * stacks[0].step
    return missing % slices == 0 or longer > LONGEST
