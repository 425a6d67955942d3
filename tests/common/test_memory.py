"""The budget of what is in flight: nobody exceeds it, and nobody waits for ever."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tumorscope.common.errors import UsageError
from tumorscope.common.memory import MIB, Budget, TooLargeError, limit_image_memory


def test_threads_together_never_take_more_than_there_is() -> None:
    budget, most, lock = Budget(100 * MIB), [0], threading.Lock()

    def work(size: int) -> None:
        with budget.one_image():
            budget.take(size * MIB)
            with lock:
                most[0] = max(most[0], budget.taken)
            time.sleep(0.001)
            budget.take(size // 2 * MIB)  # its next image, instead of the first

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, [10, 60, 100, 30, 90, 5] * 10))
    assert 60 * MIB < most[0] <= 100 * MIB
    assert budget.taken == 0


def test_a_large_file_is_read_alone_and_small_ones_beside_each_other() -> None:
    budget = Budget(128 * MIB)
    with budget.one_image():
        budget.take_file(1 * MIB)
        assert budget.taken == 0
        budget.take_file(3 * MIB)
        assert budget.taken == budget.limit
        budget.need(50 * MIB)
        assert budget.taken == budget.limit
    assert budget.taken == 0


def test_what_is_more_than_all_is_refused_and_nothing_is_kept_of_it() -> None:
    budget = Budget(64 * MIB)
    with budget.one_image(), pytest.raises(TooLargeError, match=r"65 MiB .* 64 MiB"):
        budget.need(65 * MIB)
    assert budget.taken == 0


def test_blocks_within_each_other_are_one_image() -> None:
    budget = Budget(64 * MIB)
    with budget.one_image():
        with budget.one_image():
            budget.take(9 * MIB)
        assert budget.taken == 9 * MIB
    assert budget.taken == 0


def test_beside_a_volume_images_wait_for_each_other_but_never_for_it() -> None:
    budget, most, lock = Budget(100 * MIB), [0], threading.Lock()

    def work(size: int) -> None:
        with budget.one_image():
            budget.take(size * MIB)
            with lock:
                most[0] = max(most[0], budget.taken)
            time.sleep(0.001)

    # Two volumes of one thread, which reads images itself while it holds them: no deadlock.
    with budget.one_volume(90 * MIB), budget.one_volume(90 * MIB):
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, [10, 60, 5] * 10))
        assert most[0] == 60 * MIB
        work(100)
    assert (budget.volumes, budget.taken) == (0, 0)
    with pytest.raises(TooLargeError), budget.one_volume(101 * MIB):
        pass
    assert budget.volumes == 0


def test_too_small_a_budget_is_a_slip() -> None:
    with pytest.raises(UsageError, match="at least 64"):
        limit_image_memory(1)
