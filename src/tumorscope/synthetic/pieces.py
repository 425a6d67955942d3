"""Slices of brains taken apart: the greys of MRI without the anatomy, as no brain MRI has it."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscope.synthetic.fields import Field, Pixels, greys, smooth

Generator = np.random.Generator
Slices = NDArray[np.uint8]
"""Prepared slices of brains, shape (n, size, size)."""


def any_of(slices: Slices, generator: Generator) -> Pixels:
    """Return one of the slices."""
    chosen: Pixels = slices[int(generator.integers(len(slices)))]
    return chosen


def piece(slices: Slices, generator: Generator) -> Pixels:
    """Return a part of a slice enlarged to the whole."""
    picture = any_of(slices, generator)
    size = len(picture)
    edge = int(size * generator.uniform(0.2, 0.5))
    top, left = (int(each) for each in generator.integers(size // 7, size - size // 7 - edge, 2))
    part = picture[top : top + edge, left : left + edge]
    large = cv2.resize(part, (size, size), interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(np.rot90(large, int(generator.integers(4)))).astype(np.uint8)


def stretched(slices: Slices, generator: Generator) -> Pixels:
    """Return a slice pulled about until nothing keeps its shape."""
    picture = any_of(slices, generator)
    size = len(picture)
    knots, far = int(generator.integers(3, 7)), size * generator.uniform(0.25, 0.6)
    rows, columns = _places(size)
    shifts = [
        far * smooth(generator.uniform(-1, 1, (knots, knots)).astype(np.float32), size)
        for _ in range(2)
    ]
    return _taken_from(picture, rows + shifts[0], columns + shifts[1])


def whirled(slices: Slices, generator: Generator) -> Pixels:
    """Return a slice turned the more, the nearer to a point."""
    picture = any_of(slices, generator)
    size = len(picture)
    rows, columns = _places(size)
    row, column = size * generator.uniform(0.35, 0.65, 2)
    down, right = rows - row, columns - column
    reach = size * generator.uniform(0.2, 0.4)
    turn = generator.uniform(2.0, 5.0) * generator.choice([-1, 1])
    angle = turn * np.exp(-np.hypot(down, right) / reach)
    return _taken_from(
        picture,
        row + right * np.sin(angle) + down * np.cos(angle),
        column + right * np.cos(angle) - down * np.sin(angle),
    )


def unrolled(slices: Slices, generator: Generator) -> Pixels:
    """Return a slice with its angles as columns and its radii as rows, or the other way round."""
    picture = any_of(slices, generator)
    size = len(picture)
    rows, columns = _places(size)
    radius = rows * 0.5 * generator.uniform(0.6, 1.0)
    angle = columns / size * 2 * np.pi * generator.uniform(0.3, 1.0) + generator.uniform(0, 6.28)
    centre = size / 2
    flat = _taken_from(picture, centre + radius * np.sin(angle), centre + radius * np.cos(angle))
    return np.ascontiguousarray(np.rot90(flat, int(generator.integers(4))))


def shuffled(slices: Slices, generator: Generator) -> Pixels:
    """Return tiles of one slice, or of several, in another order, their seams often blurred."""
    size, across = slices.shape[1], int(generator.integers(2, 5))
    edge = size // across
    one = any_of(slices, generator) if generator.random() < 0.5 else None
    # Turned by one place at least, so that no tile stays where it belongs.
    order = np.roll(generator.permutation(across**2), 1)
    picture = np.zeros((size, size), np.float32)
    for place, origin in enumerate(order):
        source = any_of(slices, generator) if one is None else one
        (top, left), (row, column) = (divmod(int(each), across) for each in (place, origin))
        tile = source[row * edge : (row + 1) * edge, column * edge : (column + 1) * edge]
        tile = tile[:, ::-1] if generator.random() < 0.5 else tile
        picture[top * edge : (top + 1) * edge, left * edge : (left + 1) * edge] = tile
    if generator.random() < 0.7:
        near_seam = np.abs((np.arange(size) + edge / 2) % edge - edge / 2) < edge / 8
        seams = (near_seam[:, None] | near_seam[None]).astype(np.float32)
        share = cv2.GaussianBlur(seams, (0, 0), edge / 16)
        picture += share * (cv2.GaussianBlur(picture, (0, 0), edge / 8) - picture)
    return greys(picture)


def mirrored(slices: Slices, generator: Generator) -> Pixels:
    """Return a quarter of a slice and its mirror images, the middle outside or twice."""
    picture = any_of(slices, generator)
    half = len(picture) // 2
    quarter = picture[:half, :half]
    way = int(generator.integers(3))
    if way == 0:
        quarter = quarter[::-1, ::-1]
    elif way == 1:
        quarter = quarter[::-1]
    else:
        quarter = picture[half // 2 : half // 2 + half, half // 2 : half // 2 + half]
    upper = np.hstack([quarter, quarter[:, ::-1]])
    return np.ascontiguousarray(np.vstack([upper, upper[::-1]]))


def many(slices: Slices, generator: Generator) -> Pixels:
    """Return a sheet of slices, as a film or a contact sheet has them."""
    size, across = slices.shape[1], int(generator.integers(2, 5))
    edge = size // across
    sheet = np.zeros((size, size), np.uint8)
    for top in range(0, across * edge, edge):
        for left in range(0, across * edge, edge):
            small = cv2.resize(
                any_of(slices, generator), (edge, edge), interpolation=cv2.INTER_AREA
            )
            sheet[top : top + edge, left : left + edge] = small
    return sheet


def negative(slices: Slices, generator: Generator) -> Pixels:
    """Return a slice with bright and dark exchanged, of the air too or not."""
    picture = any_of(slices, generator)
    if generator.random() < 0.6:
        return np.asarray(255 - picture, np.uint8)
    return np.where(picture > 20, 255 - picture, 0).astype(np.uint8)


def labelled(slices: Slices, generator: Generator) -> Pixels:
    """Return a slice in a few even greys, as label maps are shown."""
    picture = cv2.medianBlur(any_of(slices, generator), int(generator.choice([3, 5, 7])))
    cuts = np.sort(generator.choice(np.arange(20, 230), int(generator.integers(2, 7)), False))
    shades = generator.integers(0, 256, len(cuts) + 1)
    if generator.random() < 0.75:
        shades[0] = 0
    shaded: Pixels = shades[np.digitize(picture, cuts)].astype(np.uint8)
    return shaded


def like_ct(slices: Slices, generator: Generator) -> Pixels:
    """Return a white ring for the skull, and in it even tissue: the outline is of a slice."""
    picture = any_of(slices, generator)
    deep = cv2.distanceTransform(np.pad(_outline(picture), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    unit = len(picture) / 160
    skin = generator.uniform(0, 8) * unit if generator.random() < 0.7 else 0.0
    bone = generator.uniform(4, 14) * unit
    faint = cv2.GaussianBlur(picture, (0, 0), generator.uniform(1, 3)) / 255.0
    tissue = generator.uniform(0.2, 0.6) + generator.uniform(-0.3, 0.3) * (faint - faint.mean())
    tissue += generator.normal(0, generator.uniform(0, 0.06), tissue.shape)
    drawn = np.where(deep > 0, generator.uniform(0.1, 0.45), 0.0)
    for depth, shade in ((skin, generator.uniform(0.85, 1.0)), (skin + bone, tissue)):
        share = np.clip((deep - depth) / 1.5, 0, 1)
        drawn = drawn * (1 - share) + shade * share
    return greys(255 * cv2.GaussianBlur(drawn, (0, 0), 0.6))


def scrambled(slices: Slices, generator: Generator) -> Pixels:
    """Return a picture with the spatial frequencies of a slice at random phases."""
    picture = any_of(slices, generator)
    phases = np.angle(np.fft.fft2(generator.normal(size=picture.shape)))
    mixed = np.fft.ifft2(np.abs(np.fft.fft2(picture)) * np.exp(1j * phases)).real
    return greys(mixed)


def _places(size: int) -> tuple[Field, Field]:
    rows, columns = np.mgrid[:size, :size].astype(np.float32)
    return rows, columns


def _taken_from(picture: Pixels, rows: Field, columns: Field) -> Pixels:
    across, down = columns.astype(np.float32), rows.astype(np.float32)
    moved: Pixels = cv2.remap(picture, across, down, cv2.INTER_LINEAR).astype(np.uint8)
    return moved


def _outline(picture: Pixels) -> Pixels:
    """Return 1 in the largest thing that is no air, holes filled."""
    solid = cv2.morphologyEx(
        (picture > 20).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)
    )
    found, _ = cv2.findContours(solid, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    filled: Pixels = np.zeros_like(picture)
    if found:
        cv2.drawContours(filled, [max(found, key=cv2.contourArea)], -1, 1, -1)
    return filled


PIECES: tuple[Callable[[Slices, Generator], Pixels], ...] = (
    piece,
    stretched,
    stretched,
    whirled,
    unrolled,
    shuffled,
    mirrored,
    many,
    negative,
    labelled,
    labelled,
    like_ct,
    scrambled,
)
"""As often as each is drawn."""
