"""The garbage collector's usual thresholds come back, however often a command begins."""

from __future__ import annotations

import gc

from tumorscope.common.collector import FIRST, collect_later


def test_a_second_call_forgets_nothing() -> None:
    usual = gc.get_threshold()
    collect_later()
    collect_later()
    assert gc.get_threshold()[0] == FIRST
    gc.collect()
    assert gc.get_threshold() == usual


def test_a_collector_that_is_off_stays_off() -> None:
    usual = gc.get_threshold()
    gc.set_threshold(0)
    try:
        collect_later()
        assert gc.get_threshold()[0] == 0
    finally:
        gc.set_threshold(*usual)
