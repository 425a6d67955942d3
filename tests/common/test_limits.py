"""Numbers out of range are refused in words, whoever gives them."""

from __future__ import annotations

import numpy as np
import pytest

from tumorscope.common.errors import UsageError
from tumorscope.common.limits import MOST_SEED, check_folds, check_seed, check_whole


@pytest.mark.parametrize("seed", [-1, MOST_SEED + 1, 10**20, 1.5, True, "3", float("nan")])
def test_a_seed_that_some_part_could_not_use_is_refused(seed: int) -> None:
    with pytest.raises(UsageError, match=r"seed = .*expected at least 0 and at most 2147"):
        check_seed(seed)


@pytest.mark.parametrize("seed", [0, MOST_SEED, np.int64(3), np.uint8(3)])
def test_whole_numbers_of_every_kind_are_seeds(seed: int) -> None:
    assert check_seed(seed) == int(seed)


def test_a_limit_may_be_open_and_say_what_is_usual() -> None:
    assert check_whole("trials", 10**12, at_least=1) == 10**12
    with pytest.raises(UsageError, match=r"at least 2, a whole number \(half of each class\)\."):
        check_whole("n", 1, at_least=2, usual="half of each class")


@pytest.mark.parametrize("folds", [(1, 3), (5, 0), (-1, -1), (5, 10**7)])
def test_what_is_no_cross_validation_is_refused(folds: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match="repeat"):
        check_folds(*folds)


def test_folds_are_whole() -> None:
    with pytest.raises(UsageError, match="whole number"):
        check_folds(2.5, 3)
