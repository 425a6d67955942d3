"""How many images a thread takes: one while they are few, then some in runs of few."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import pytest

from tumorscope.detection.in_runs import FEW, TOGETHER, in_runs


@dataclass
class Asked:
    """An engine that counts how often it is asked how many it takes."""

    times: int = 0

    @property
    def at_once(self) -> int:
        self.times += 1
        return 2


@pytest.mark.parametrize(
    ("images", "batch", "sizes", "runs"),
    [
        (0, None, [], []),
        (FEW, None, [1] * FEW, [1] * FEW),
        (FEW + 5, None, [1] * FEW + [TOGETHER, 1], [1] * FEW + [2, 2]),
        (5, 1, [1] * 5, [1] * 5),
        (9, 4, [4, 4, 1], [4] * 3),
    ],
)
def test_runs(images: int, batch: int | None, sizes: list[int], runs: list[int]) -> None:
    engine = Asked()
    found = list(in_runs(iter(range(images)), batch, cast(Any, engine)))
    assert [len(taken) for taken, _ in found] == sizes
    assert [run for _, run in found] == runs
    assert [image for taken, _ in found for image in taken] == list(range(images))
    assert engine.times == runs.count(2)
