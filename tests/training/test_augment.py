"""Augmentation: one affine map, one resample, a function of (seed, image, variant)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tumorscope.imaging import Preprocessing
from tumorscope.recipes.parts import Augmentation
from tumorscope.training.augment import affine, augment

SIZE = 48


def disc(row: int, column: int) -> np.ndarray:
    rows, columns = np.mgrid[:SIZE, :SIZE]
    return np.where((rows - row) ** 2 + (columns - column) ** 2 < 16, 255, 0).astype(np.uint8)


def versions_of(
    pixels: np.ndarray, ranges: Augmentation, *, seed: int, indices: np.ndarray, version: int
) -> np.ndarray:
    return augment(
        pixels,
        np.zeros(len(pixels), np.int64),
        ranges,
        how=Preprocessing(SIZE),
        seed=seed,
        indices=indices,
        versions=np.full(len(pixels), version),
    )[0]


def centre(image: np.ndarray) -> tuple[float, float]:
    rows, columns = np.mgrid[:SIZE, :SIZE]
    total = float(image.sum())
    return float((rows * image).sum()) / total, float((columns * image).sum()) / total


def test_no_ranges_change_nothing() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE), dtype=np.uint8)
    same = versions_of(pixels, Augmentation(), seed=1, indices=np.arange(3), version=4)
    np.testing.assert_array_equal(same, pixels)


def test_a_version_depends_on_identity_not_on_company() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, SIZE, SIZE), dtype=np.uint8)
    ranges = Augmentation(rotation=20, width_shift=0.1, zoom=0.1, horizontal_flip=True)
    indices = np.array([10, 11, 12, 13])
    together = versions_of(pixels, ranges, seed=7, indices=indices, version=2)
    alone = versions_of(pixels[2:3], ranges, seed=7, indices=indices[2:3], version=2)
    np.testing.assert_array_equal(together[2], alone[0])
    other = versions_of(pixels[2:3], ranges, seed=7, indices=indices[2:3], version=3)
    assert (other != alone).any()


@pytest.mark.parametrize("ranges", [{"width_shift": 0.25}, {"height_shift": 0.25}])
def test_a_shift_moves_along_its_axis_and_within_its_range(ranges: dict[str, float]) -> None:
    image = disc(24, 24)[None]
    moved = [
        centre(
            versions_of(image, Augmentation(**ranges), seed=0, indices=np.array([i]), version=0)[0]
        )
        for i in range(20)
    ]
    offsets = np.array(moved) - centre(image[0])
    along, across = (1, 0) if "width_shift" in ranges else (0, 1)
    assert np.abs(offsets[:, across]).max() < 0.2
    assert 4 < np.abs(offsets[:, along]).max() <= 0.25 * SIZE + 0.5


def test_a_flip_mirrors_half_of_the_images() -> None:
    image = disc(24, 10)[None]
    ranges = Augmentation(horizontal_flip=True)
    columns = [
        centre(versions_of(image, ranges, seed=0, indices=np.array([i]), version=0)[0])[1]
        for i in range(60)
    ]
    mirrored = np.isclose(columns, SIZE - 1 - 10, atol=0.2)
    assert np.all(mirrored | np.isclose(columns, 10, atol=0.2))
    assert 15 < mirrored.sum() < 45


@given(
    rotation=st.floats(0, 45),
    zoom=st.floats(0, 0.4),
    shear=st.floats(0, 20),
    seed=st.integers(0, 1000),
)
def test_the_area_changes_as_zoom_and_shear_say(
    rotation: float, zoom: float, shear: float, seed: int
) -> None:
    ranges = Augmentation(rotation=rotation, zoom=zoom, shear=shear, horizontal_flip=True)
    matrix = affine(ranges, SIZE, np.random.default_rng(seed))
    area = abs(np.linalg.det(matrix[:, :2]))
    lowest = (1 - zoom) ** 2 * np.cos(np.radians(shear))
    assert lowest - 1e-9 <= area <= (1 + zoom) ** 2 + 1e-9
    middle = np.array([(SIZE - 1) / 2] * 2)
    np.testing.assert_allclose(matrix[:, :2] @ middle + matrix[:, 2], middle, atol=1e-9)


def test_black_fill_leaves_black_corners() -> None:
    white = np.full((1, SIZE, SIZE), 255, np.uint8)
    ranges = {"rotation": 45.0, "zoom": 0.0}
    black = [
        versions_of(
            white, Augmentation(**ranges, fill="black"), seed=0, indices=np.array([i]), version=0
        )
        for i in range(5)
    ]
    nearest = versions_of(white, Augmentation(**ranges), seed=0, indices=np.array([0]), version=0)
    assert min(int(image[0, 0, 0]) for image in black) == 0
    assert nearest.min() == 255
