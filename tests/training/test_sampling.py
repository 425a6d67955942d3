"""Draws follow label, source, group, image; and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tumorscope.cohort.arrays import Images
from tumorscope.recipes.parts import Sampling
from tumorscope.training.sampling import draw, images_per_epoch, probabilities

LABELS = np.array([1] * 40 + [0] * 10 + [0] * 90)
SOURCES = np.array(["a"] * 50 + ["b"] * 90)
GROUPS = np.array([f"g{index}" for index in range(50)] + ["one"] * 80 + ["two"] * 10)
IMAGES = Images(np.zeros((140, 2, 2), np.uint8), LABELS, SOURCES, GROUPS)
ALL = np.arange(140)


@given(power=st.floats(0, 1), share=st.floats(0.1, 0.9))
def test_shares_are_those_of_the_recipe(power: float, share: float) -> None:
    sampling = Sampling(by="source", power=power, tumour_share=share)
    chances = probabilities(IMAGES, ALL, sampling)
    assert chances.sum() == pytest.approx(1.0)
    assert chances[LABELS == 1].sum() == pytest.approx(share)
    without = LABELS == 0
    ratio = chances[without & (SOURCES == "b")].sum() / chances[without & (SOURCES == "a")].sum()
    assert ratio == pytest.approx((90 / 10) ** power)
    # Two groups of b are drawn alike, whatever their size.
    assert chances[GROUPS == "one"].sum() == pytest.approx(chances[GROUPS == "two"].sum())


def test_weights_multiply_and_zero_leaves_a_source_out() -> None:
    heavy = probabilities(IMAGES, ALL, Sampling(by="source", power=0.0, weights={"a": 3.0}))
    assert heavy[(LABELS == 0) & (SOURCES == "a")].sum() == pytest.approx(0.5 * 0.75)
    none = probabilities(IMAGES, ALL, Sampling(by="source", weights={"b": 0.0}))
    assert none[SOURCES == "b"].sum() == 0.0
    assert none.sum() == pytest.approx(1.0)


def test_only_training_images_are_drawn_as_often_as_asked() -> None:
    training = ALL[::3]
    sampling = Sampling(by="source", images_per_epoch=500)
    drawn = draw(IMAGES, training, sampling, np.random.default_rng(1))
    assert len(drawn) == images_per_epoch(sampling, training) == 500
    assert set(drawn.tolist()) <= set(training.tolist())
    assert 0.4 < LABELS[drawn].mean() < 0.6


def test_by_image_every_image_comes_once() -> None:
    drawn = draw(IMAGES, ALL[:7], Sampling(images_per_epoch=3), np.random.default_rng(1))
    assert sorted(drawn.tolist()) == list(range(7))
