"""How far an image's features lie from those of brain MRI."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tumorscope.networks.input_check_features import (
    PASSING,
    FeatureSpace,
    held_out_distances,
    limit_of,
)


def brains(n: int, seed: int = 0) -> np.ndarray:
    """Features that vary along 3 of 40 directions."""
    rng = np.random.default_rng(seed)
    ways = np.random.default_rng(9).normal(size=(3, 40))
    return 10 + rng.normal(size=(n, 3)) @ ways + rng.normal(scale=0.05, size=(n, 40))


def test_it_is_the_mahalanobis_distance_where_every_axis_is_kept() -> None:
    rng = np.random.default_rng(1)
    features = rng.normal(3, 1, (500, 6))
    space = FeatureSpace.fit(features)
    units = features / np.linalg.norm(features, axis=1, keepdims=True)
    covariance = np.cov(units, rowvar=False)
    apart = units - units.mean(axis=0)
    expected = np.einsum("ij,jk,ik->i", apart, np.linalg.inv(covariance), apart)
    # Five of six directions are axes, the sixth is the noise: nothing is averaged.
    np.testing.assert_allclose(space.distances(features) ** 2 * 6, expected, rtol=1e-3)


def test_strangers_lie_further_than_held_out_brains() -> None:
    features = brains(200)
    space = FeatureSpace.fit(features)
    drawn = space.distances(10 + np.random.default_rng(1).normal(size=(100, 40)))
    limit = limit_of(held_out_distances(features, np.arange(200) % 5), drawn)
    assert np.mean(space.distances(brains(2000, seed=3)) > limit) < 0.06
    strangers = 10 + np.random.default_rng(2).normal(size=(200, 40))
    assert np.mean(space.distances(strangers) > limit) > 0.97


def test_the_fit_alone_would_be_too_sure() -> None:
    """Images are nearer to a space that they made, so the limit comes from held-out ones."""
    features = np.random.default_rng(4).normal(5, 1, (60, 100))
    own = FeatureSpace.fit(features).distances(features)
    held_out = held_out_distances(features, np.arange(60) % 5)
    assert np.quantile(held_out, 0.5) > 1.2 * np.quantile(own, 0.5)


@given(st.integers(1, 400))
def test_the_limit_lets_its_share_pass(n: int) -> None:
    distances = np.random.default_rng(n).uniform(0, 5, n)
    others = np.random.default_rng(n + 1).uniform(2, 9, 50)
    limit = limit_of(distances, others)
    assert np.mean(distances <= limit) >= PASSING
    # Where others leave no room, brain MRI decides; where they do, they stay beyond the limit.
    assert limit_of(distances, others - 9.0) in distances
    assert (limit_of(distances, others + 9.0) < others + 9.0).all()


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_brightness_of_features_does_not_count(scale: float) -> None:
    features = brains(100)
    space = FeatureSpace.fit(features)
    np.testing.assert_allclose(space.distances(scale * features), space.distances(features))
