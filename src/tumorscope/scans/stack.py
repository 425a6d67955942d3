"""Many images of a series → stacks: one for each volume, sorted, each image at its place.

Images are told apart by where they lie first, and only where several lie at the same place by what
else their headers say, because echo times and acquisition numbers also vary within volumes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tumorscope.scans.frame import Frame, Marks
from tumorscope.scans.not_read import NotReadError
from tumorscope.scans.remark import Remark
from tumorscope.scans.volume import SliceOrigin

APART = 0.05
"""Positions so near to each other, in mm, are the same."""

UNEVEN = 0.1
"""Distances of slices may differ by this share of the usual one, or by 0.1 mm."""

TILT = 1.0
"""Degrees by which a stack may lean before that is said."""


@dataclass(frozen=True, slots=True)
class Stack:
    """The images of one volume, sorted along the normal.

    Attributes
    ----------
    frames : tuple of Frame
        Sorted.
    positions : ndarray of float64, shape (slices,)
        Along the normal, in mm, ascending.
    corners : ndarray of float64, shape (slices, 3)
        Centre of the first pixel of each, in mm.
    regular : bool
        See `Volume`.
    remarks : tuple of Remark
        What is worth knowing.
    cut_off : float
        See `Volume`.
    """

    frames: tuple[Frame, ...]
    positions: NDArray[np.float64]
    corners: NDArray[np.float64]
    regular: bool
    remarks: tuple[Remark, ...]
    cut_off: float = 0.0

    @property
    def extent(self) -> float:
        """From the first slice to the last, in mm."""
        return float(self.positions[-1] - self.positions[0])

    @property
    def step(self) -> float:
        """Usual distance of its slices in mm; what the header states where there is but one."""
        if len(self.positions) < 2:
            return self.frames[0].layout.between
        return _usual(np.diff(self.positions))[0]

    @property
    def origins(self) -> tuple[SliceOrigin, ...]:
        """Where each slice came from, without its window."""
        return tuple(
            SliceOrigin(each.path, each.uid, each.number, (float(x), float(y), float(z)))
            for each, (x, y, z) in zip(self.frames, self.corners, strict=True)
        )

    @property
    def affine(self) -> NDArray[np.float64]:
        """(slice, row, column, 1) → (left, posterior, superior, 1)."""
        layout = self.frames[0].layout
        affine = np.eye(4)
        count = len(self.frames)
        if count > 1:
            affine[:3, 0] = (self.corners[-1] - self.corners[0]) / (count - 1)
        else:
            affine[:3, 0] = layout.normal * (layout.between or 1.0)
        affine[:3, 1] = np.array(layout.along_column) * layout.spacing[0]
        affine[:3, 2] = np.array(layout.along_row) * layout.spacing[1]
        affine[:3, 3] = self.corners[0]
        return affine


def stacks_of(frames: Sequence[Frame]) -> list[Stack]:
    """Return the stacks that the images of a series make, in a stable order.

    Raises
    ------
    NotReadError
        If their positions say nothing, and their instance numbers neither.
    """
    alike = _alike(frames)
    mixed: tuple[Remark, ...] = ()
    if len(alike) > 1:
        mixed = (Remark("mixed-orientations", f"{len(alike)} kinds"),)
    stacks = []
    for group in alike:
        parts = _parted(group)
        # One file more at one place makes another volume; the usual length is that of most.
        longest = max(len(part) for part, _ in parts)
        found = []
        for part, remarks in parts:
            short = (Remark("incomplete", f"{len(part)} of {longest}"),)
            more = short if len(part) < longest else ()
            found.append(_sorted(part, (*mixed, *remarks, *more)))
        most = max(stack.extent for stack in found)
        stacks += [
            replace(stack, cut_off=most - stack.extent if len(stack.frames) < longest else 0.0)
            for stack in found
        ]
    return stacks


def _alike(frames: Sequence[Frame]) -> list[list[Frame]]:
    groups: list[list[Frame]] = []
    place: dict[int, int] = {}  # files share layout objects, so that few are compared
    for frame in frames:
        layout = frame.layout
        index = place.get(id(layout))
        if index is None:
            found = (i for i, group in enumerate(groups) if layout.stacks_with(group[0].layout))
            index = next(found, len(groups))
            place[id(layout)] = index
        if index == len(groups):
            groups.append([])
        groups[index].append(frame)
    return groups


def _parted(group: list[Frame]) -> list[tuple[list[Frame], tuple[Remark, ...]]]:
    places = _places(group)
    most = max(Counter(places).values())
    if most == 1:
        return [(group, ())]
    key, values = _telling(group, places, most)
    if key is not None:
        parts = [
            [frame for frame, value in zip(group, values, strict=True) if value == wanted]
            for wanted in sorted(set(values), key=_order)
        ]
        found = [(part, remarks) for half in parts for part, remarks in _parted(half)]
        return [(part, _with_key(remarks, key)) for part, remarks in found]
    if len(set(places)) == 1:
        return [(_by_instance(group), (Remark("instance-order", f"{len(group)} images"),))]
    return _dealt(group, places, most)


def _with_key(remarks: tuple[Remark, ...], key: str) -> tuple[Remark, ...]:
    if any(remark.code == "part" for remark in remarks):
        return remarks
    return (Remark("part", f"told apart by {key}"), *remarks)


def _places(group: list[Frame]) -> list[int]:
    """Return a number for each image, the same for those at the same place."""
    if any(frame.position is None for frame in group):
        return [0] * len(group)
    corners = np.array([frame.position for frame in group])
    along = corners @ group[0].layout.normal
    order = np.argsort(along, kind="stable")
    steps = np.diff(along[order]) > APART
    numbers = np.empty(len(group), dtype=int)
    numbers[order] = np.concatenate([[0], np.cumsum(steps)])
    return [int(number) for number in numbers]


def _telling(group: list[Frame], places: list[int], most: int) -> tuple[str | None, list[Hashable]]:
    """Return what tells volumes apart: it has few values, and at a place not all are the same."""
    for name in Marks._fields:
        values: list[Hashable] = [getattr(frame.marks, name) for frame in group]
        if not 2 <= len(set(values)) <= most:
            continue
        at: defaultdict[int, set[Hashable]] = defaultdict(set)
        for place, value in zip(places, values, strict=True):
            at[place].add(value)
        if max(map(len, at.values())) > 1:
            return NAMES.get(name, name), values
    return None, []


NAMES = {
    "stack": "stack ID",
    "image_type": "image type",
    "echo": "echo time",
    "b_value": "b-value",
    "inversion": "inversion time",
    "temporal": "temporal position",
    "acquisition": "acquisition number",
    "trigger": "trigger time",
    "time": "acquisition time",
}


def _order(value: Hashable) -> tuple[bool, str, float, str]:
    """Sort numbers as numbers, texts as texts, and what is missing first."""
    if isinstance(value, int | float):
        return True, "", float(value), ""
    return value is not None, str(value), 0.0, ""


def _by_instance(group: list[Frame]) -> list[Frame]:
    numbers = [frame.instance for frame in group]
    if None in numbers or len(set(numbers)) < len(numbers):
        what = "no positions" if group[0].position is None else "all the same position"
        raise NotReadError("geometry", f"{len(group)} images have {what} and no instance numbers")
    return sorted(group, key=lambda frame: frame.instance or 0)


def _dealt(
    group: list[Frame], places: list[int], most: int
) -> list[tuple[list[Frame], tuple[Remark, ...]]]:
    """Part images by their order alone: the first at each place, the second, and so on."""
    parts: list[list[Frame]] = [[] for _ in range(most)]
    seen: Counter[int] = Counter()
    order = sorted(
        range(len(group)),
        key=lambda index: (group[index].instance or 0, group[index].uid, group[index].path),
    )
    for index in order:
        parts[seen[places[index]]].append(group[index])
        seen[places[index]] += 1
    return [(part, (Remark("part-by-order", f"{most} volumes"),)) for part in parts]


def _sorted(part: list[Frame], remarks: tuple[Remark, ...]) -> Stack:
    normal = part[0].layout.normal
    if any(remark.code == "instance-order" for remark in remarks):
        step = part[0].layout.between or 1.0
        first = np.array(part[0].position or (0.0, 0.0, 0.0))
        corners = first + np.arange(len(part))[:, None] * normal * step
        return Stack(tuple(part), corners @ normal, corners, False, remarks)
    if len(part) == 1 and part[0].position is None:
        corners = np.zeros((1, 3))
        return Stack(tuple(part), np.zeros(1), corners, True, remarks)
    corners = np.array([frame.position for frame in part], dtype=np.float64)
    along = corners @ normal
    order = np.argsort(along, kind="stable")
    corners, along = corners[order], along[order]
    found = _geometry(corners, along, normal)
    frames = tuple(part[index] for index in order)
    return Stack(frames, along, corners, not found, (*remarks, *found))


def evenly(positions: NDArray[np.float64]) -> bool:
    """Return whether slices lie at even distances."""
    if len(positions) < 2:
        return True
    steps = np.diff(positions)
    usual, tolerance = _usual(steps)
    return bool((np.abs(steps - usual) <= tolerance).all())


def _usual(steps: NDArray[np.float64]) -> tuple[float, float]:
    """Return the usual distance of slices, and by how much others may differ."""
    # The lower median: where half of the steps are gaps, the other half is what was meant.
    usual = float(np.sort(steps)[(len(steps) - 1) // 2])
    return usual, max(0.1, UNEVEN * usual)


def _geometry(
    corners: NDArray[np.float64], along: NDArray[np.float64], normal: NDArray[np.float64]
) -> tuple[Remark, ...]:
    """Return what is odd about the places of slices."""
    if len(along) < 2:
        return ()
    found = []
    steps = np.diff(along)
    usual, tolerance = _usual(steps)
    wide = steps > 1.5 * usual + tolerance
    if wide.any():
        gaps = f"{wide.sum()} of {len(steps)} steps, the widest {steps.max():.1f} mm"
        found.append(Remark("gap", f"{gaps} where {usual:.1f} mm is usual"))
    if (np.abs(steps[~wide] - usual) > tolerance).any():
        found.append(Remark("irregular", f"{steps.min():.2f} to {steps.max():.2f} mm"))
    drift = np.diff(corners, axis=0)
    sideways = drift - np.outer(drift @ normal, normal)
    lean = np.degrees(np.arctan2(np.linalg.norm(sideways, axis=1), drift @ normal))
    if float(np.median(lean)) > TILT:
        found.append(Remark("tilt", f"{float(np.median(lean)):.1f} degrees"))
    elif (np.linalg.norm(sideways, axis=1) > max(1.0, usual)).any():
        found.append(Remark("irregular", "slices are shifted sideways"))
    return tuple(found)
