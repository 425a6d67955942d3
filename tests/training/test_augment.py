"""Augmentation: a function of (seed, image, variant) that moves lesions with their pictures."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tumorscope.imaging import Preprocessing
from tumorscope.recipes.parts import Augmentation
from tumorscope.synthetic.phantom_slice import phantom_slice
from tumorscope.training.augment import augment

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
    ).pixels


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


SCANS = np.stack([phantom_slice(tumour=False, seed=seed, size=64).pixels for seed in range(6)])


def drawn(ranges: Augmentation, *, brains: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """One version of each of `SCANS`; `brains` tells where each has its brain: in a disc."""
    rows, columns = np.mgrid[:64, :64]
    disc = (rows - 32) ** 2 + (columns - 32) ** 2 < 20**2
    found = augment(
        SCANS,
        np.zeros(len(SCANS), np.int64),
        ranges,
        how=Preprocessing(64),
        seed=3,
        indices=np.arange(len(SCANS)),
        versions=np.zeros(len(SCANS), np.int64),
        brain=lambda _: disc if brains else None,
    )
    return found.pixels, found.labels


def test_quarter_turns_turn_the_picture_and_nothing_else() -> None:
    pixels, labels = drawn(Augmentation(quarter_turns=1.0))
    for before, after in zip(SCANS, pixels, strict=True):
        assert sum(np.array_equal(np.rot90(before, turns), after) for turns in (1, 2, 3)) == 1
    assert labels.tolist() == [0] * len(SCANS)
    upside_down, _ = drawn(Augmentation(vertical_flip=1.0))
    np.testing.assert_array_equal(upside_down, SCANS[:, ::-1])


def test_a_skull_is_stripped_where_the_brain_is_known_and_only_there() -> None:
    pixels, labels = drawn(Augmentation(strip_skull=1.0), brains=True)
    rows, columns = np.mgrid[:64, :64]
    away = (rows - 32) ** 2 + (columns - 32) ** 2
    assert not pixels[:, away > 23**2].any()
    inside = away < 17**2
    np.testing.assert_array_equal(pixels[:, inside], SCANS[:, inside])
    assert not labels.any()
    np.testing.assert_array_equal(drawn(Augmentation(strip_skull=1.0))[0], SCANS)


def test_a_skull_is_drawn_around_a_brain_that_has_none() -> None:
    ranges = Augmentation(draw_skull=1.0)
    pixels, labels = drawn(ranges)
    assert all((after != before).any() for before, after in zip(SCANS, pixels, strict=True))
    # What was there is drawn smaller, so that the scalp fits around it.
    middle = slice(24, 40)
    assert pixels[:, middle, middle].mean() > 20
    assert not labels.any()
    again, _ = drawn(ranges)
    np.testing.assert_array_equal(again, pixels)
    np.testing.assert_array_equal(drawn(ranges, brains=True)[0], SCANS)


def test_a_drawn_lesion_makes_a_tumour_of_a_picture_without() -> None:
    pixels, labels = drawn(Augmentation(lesions=1.0))
    changed = np.array([(a != b).any() for a, b in zip(SCANS, pixels, strict=True)])
    assert changed.any()
    np.testing.assert_array_equal(labels, changed.astype(np.int64))


def head_with_lesion(size: int) -> tuple[np.ndarray, np.ndarray]:
    """A dim head with a bright lesion off its middle, and the lesion's mask."""
    head, lesion = np.zeros((2, size, size), np.uint8)
    cv2.ellipse(head, (size // 2, size // 2), (size * 3 // 10, size * 2 // 5), 0, 0, 360, 60, -1)
    cv2.ellipse(lesion, (size * 2 // 5, size // 3), (size // 8, size // 12), 20, 0, 360, 1, -1)
    head[lesion > 0] = 255
    return head, lesion > 0


CHANCE = st.sampled_from((0.0, 0.5, 1.0))


@given(
    ranges=st.builds(
        Augmentation,
        rotation=st.floats(0, 90),
        width_shift=st.floats(0, 0.1),
        height_shift=st.floats(0, 0.1),
        shear=st.floats(0, 15),
        zoom=st.floats(0, 0.3),
        horizontal_flip=st.booleans(),
        vertical_flip=CHANCE,
        quarter_turns=CHANCE,
        fill=st.sampled_from(("nearest", "black")),
        strip_skull=CHANCE,
        draw_skull=CHANCE,
        prepare_again=CHANCE,
    ),
    brain=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_the_lesion_moves_with_its_picture(ranges: Augmentation, brain: bool, seed: int) -> None:
    head, lesion = head_with_lesion(96)
    found = augment(
        head[None],
        np.array([1]),
        ranges,
        how=Preprocessing(96, crop="head", fit="pad", intensity="percentile"),
        seed=seed,
        indices=np.array([0]),
        versions=np.array([0]),
        brain=lambda _: head > 0 if brain else None,
        lesion=lambda _: lesion,
    )
    pixels, moved = found.pixels[0], found.lesions[0]
    assert moved is not None
    assert moved.any()
    # A scalp that was drawn is as bright; it lies apart.
    _, pieces = cv2.connectedComponents((pixels > 90).astype(np.uint8))
    spot = np.isin(pieces, np.unique(pieces[moved]))
    assert (pixels[moved] > 120).all()  # half of it, over air
    assert moved[spot & (pixels > 175)].all()


def test_pictures_are_the_same_whether_or_not_it_is_asked_where_lesions_are() -> None:
    ranges = Augmentation(lesions=0.5, draw_skull=0.5, acquisition=0.5, prepare_again=0.5, zoom=0.2)
    labels = np.array([0, 1] * 3)
    asked, unasked = (
        augment(
            SCANS,
            labels,
            ranges,
            how=Preprocessing(64),
            seed=2,
            indices=np.arange(6),
            versions=np.arange(6),
            lesion=lesion,
        )
        for lesion in (lambda _: None, None)
    )
    np.testing.assert_array_equal(asked.pixels, unasked.pixels)
    np.testing.assert_array_equal(asked.labels, unasked.labels)
    made = asked.labels > labels
    assert made.any()
    assert [each is not None for each in asked.lesions] == made.tolist()
    assert unasked.lesions == (None,) * 6
