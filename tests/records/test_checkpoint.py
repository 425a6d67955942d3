"""Checkpoints: what goes in comes out, damaged ones and those of other runs are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tumorscope.common.errors import InputError
from tumorscope.records.checkpoint import Checkpoint, load_checkpoint, save_checkpoint


@pytest.fixture
def file(tmp_path: Path) -> Path:
    weights = [np.arange(6, dtype=np.float32).reshape(2, 3), np.array(7.0)]
    optimizer = [np.full(3, index, np.float32) for index in range(12)]
    state = Checkpoint("mine", [{"epoch": 1, "phase": "frozen", "loss": 0.5}], weights, optimizer)
    save_checkpoint(tmp_path / "checkpoint.bin", state)
    return tmp_path / "checkpoint.bin"


def test_it_comes_back_in_order(file: Path) -> None:
    state = load_checkpoint(file, identity="mine")
    assert list(state.history) == [{"epoch": 1, "phase": "frozen", "loss": 0.5}]
    np.testing.assert_array_equal(state.weights[0], np.arange(6).reshape(2, 3))
    assert [float(value[0]) for value in state.optimizer] == list(range(12))


def test_the_checkpoint_of_another_run_is_refused(file: Path) -> None:
    with pytest.raises(InputError, match="another recipe"):
        load_checkpoint(file, identity="yours")


@pytest.mark.parametrize("keep", [0, 10, 300, 1000])
def test_a_truncated_one_is_refused(file: Path, keep: int) -> None:
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(InputError, match="cannot be read"):
        load_checkpoint(file, identity="mine")


def test_pickles_are_not_opened(file: Path) -> None:
    np.save(file.with_suffix(".npy"), np.array([{"evil": True}], dtype=object))
    file.with_suffix(".npy").rename(file)
    with pytest.raises(InputError, match="cannot be read"):
        load_checkpoint(file, identity="mine")
