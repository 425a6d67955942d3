"""The loss on places counts lesions and what surrounds them alike, and the unknown not at all."""

from __future__ import annotations

import numpy as np
import pytest

from tumorscope.networks.backend import load_keras
from tumorscope.training.places_loss import places_loss


def loss(places: list[float], local: list[float]) -> float:
    load_keras()
    shape = (1, 1, len(places), 1)
    made = places_loss(
        np.array(places, np.float32).reshape(shape), np.array(local, np.float32).reshape(shape)
    )
    return float(np.asarray(made)[0])


def test_a_small_lesion_weighs_as_much_as_its_surroundings() -> None:
    missed, false = np.log1p(np.exp(2.0)), np.log1p(np.exp(-1.0))
    assert loss([1, 0, 0, 0], [-2, -1, -1, -1]) == pytest.approx(missed + false, rel=1e-6)


def test_unknown_places_and_missing_kinds_count_nothing() -> None:
    assert loss([-1, -1], [9, -9]) == 0.0
    assert loss([0, -1], [0, 99]) == pytest.approx(np.log(2))
    assert loss([1, -1], [0, 99]) == pytest.approx(np.log(2))


def test_no_logit_is_too_large() -> None:
    assert loss([1, 0], [-1e4, 1e4]) == pytest.approx(2e4)
    assert loss([1, 0], [1e4, -1e4]) == 0.0
