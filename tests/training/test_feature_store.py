"""The feature store computes each version once, and no more than it has room for."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tumorscope.cohort.arrays import Images
from tumorscope.imaging import Preprocessing
from tumorscope.imaging.lesion_mask import pack_mask
from tumorscope.networks.scaling import network_input
from tumorscope.recipes.parts import Augmentation
from tumorscope.recipes.recipe import Recipe
from tumorscope.training.augment import augment
from tumorscope.training.feature_store import Features, FeatureStore
from tumorscope.training.places import places_of

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 16, 16), dtype=np.uint8)
LABELS = np.array([0, 1, 0, 1, 0])


class Counting:
    def __init__(self) -> None:
        self.seen = 0

    def __call__(self, pixels: np.ndarray) -> Features:
        self.seen += len(pixels)
        return {None: (pixels.reshape(len(pixels), -1)[:, :8].astype(np.float16),)}


def store(variants: int, limit: int = 1 << 20) -> tuple[FeatureStore, Counting]:
    extract = Counting()
    ranges = Augmentation(rotation=30.0, variants=variants)
    recipe = Recipe(name="test", seed=3, augmentation=ranges)
    return FeatureStore(extract, Images(PIXELS, LABELS), recipe, limit=limit), extract


def test_versions_come_round_and_are_computed_once() -> None:
    features, extract = store(variants=2)
    indices = np.array([4, 1])
    epochs = [
        features.augmented(indices, np.full(2, epoch), entry=None).features[0] for epoch in range(4)
    ]
    assert extract.seen == 4
    np.testing.assert_array_equal(epochs[0], epochs[2])
    np.testing.assert_array_equal(epochs[1], epochs[3])
    assert (epochs[0] != epochs[1]).any()
    expected = augment(
        PIXELS[indices],
        LABELS[indices],
        Augmentation(rotation=30.0),
        how=Preprocessing(16),
        seed=3,
        indices=indices,
        versions=np.ones(2, dtype=np.int64),
    )
    np.testing.assert_array_equal(expected.labels, LABELS[indices])
    np.testing.assert_array_equal(epochs[1], expected.pixels.reshape(2, -1)[:, :8])


def test_without_variants_every_epoch_is_new_and_nothing_is_kept() -> None:
    features, extract = store(variants=0)
    for epoch in range(3):
        features.augmented(np.arange(5), np.full(5, epoch), entry=None)
    assert extract.seen == 15
    plain = [features.plain(np.arange(5), entry=None)[0] for _ in range(3)]
    assert extract.seen == 20
    np.testing.assert_array_equal(plain[0], PIXELS.reshape(5, -1)[:, :8])


@pytest.mark.parametrize(("limit", "computed"), [(0, 15), (16 * 3, 9), (16 * 5, 5)])
def test_what_does_not_fit_is_computed_again(limit: int, computed: int) -> None:
    features, extract = store(variants=1, limit=limit)
    results = [features.plain(np.arange(5), entry=None) for _ in range(3)]
    assert extract.seen == computed
    np.testing.assert_array_equal(results[0], results[2])


def test_versions_of_one_image_in_one_batch_differ_and_carry_their_labels() -> None:
    extract = Counting()
    head = np.zeros((1, 64, 64), np.uint8)
    cv2.circle(head[0], (32, 32), 28, 150, thickness=cv2.FILLED)
    recipe = Recipe(name="test", augmentation=Augmentation(lesions=0.5, rotation=5.0))
    features = FeatureStore(extract, Images(head, np.array([0])), recipe)
    versions = np.arange(20)
    found = features.augmented(np.zeros(20, np.int64), versions, entry=None)
    assert len(found.features[0]) == 20
    assert 3 < found.labels.sum() < 17
    assert found.places is None
    again = features.augmented(np.zeros(3, np.int64), versions[4:7], entry=None)
    np.testing.assert_array_equal(again.labels, found.labels[4:7])
    np.testing.assert_array_equal(again.features[0], found.features[0][4:7])


@pytest.mark.parametrize("variants", [0, 2])
def test_places_move_with_the_picture_and_are_kept_with_it(variants: int) -> None:
    head = np.zeros((3, 64, 64), np.uint8)
    head[:, 8:56, 8:56] = 90
    head[0, 16:32, 8:24] = 255
    lesion = pack_mask(head[0] > 200)
    images = Images(head, np.array([1, 1, 0]), masks=(lesion, None, None))
    recipe = Recipe(name="test", augmentation=Augmentation(vertical_flip=1.0, variants=variants))
    features = FeatureStore(Counting(), images, recipe, grid=(4, 4))
    for version in (0, 1, 2):
        found = features.augmented(np.arange(3), np.full(3, version), entry=None).places
        assert found is not None
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found[0][::-1], places_of(head[0] > 200, 1, (4, 4)))
        assert np.argwhere(found[0] == 1).tolist() == [[2, 0], [2, 1]]
        assert (found[1] == -1).all()
        assert not found[2].any()


def test_scaling_is_what_its_name_says() -> None:
    grey = np.array([[[0, 255]]], np.uint8)
    unit, symmetric = network_input(grey, "unit"), network_input(grey, "symmetric")
    assert unit.shape == (1, 1, 2, 3)
    assert (unit.min(), unit.max()) == (0.0, pytest.approx(1.0))
    assert (symmetric.min(), symmetric.max()) == (-1.0, pytest.approx(1.0))
