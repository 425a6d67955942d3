"""How many images a run takes: one while they are few, then what changes no number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import pytest

from tumorscope.detection.in_runs import FEW, in_runs


@dataclass
class Asked:
    """An engine that counts how often it is asked how many it takes."""

    times: int = 0

    @property
    def at_once(self) -> int:
        self.times += 1
        return 2


@pytest.mark.parametrize(
    ("images", "batch", "sizes", "times"),
    [
        (0, None, [], 0),
        (FEW - 1, None, [1] * (FEW - 1), 0),
        (FEW + 5, None, [1] * FEW + [2, 2, 1], 1),
        (5, 1, [1] * 5, 0),
        (9, 4, [4, 4, 1], 0),
    ],
)
def test_runs(images: int, batch: int | None, sizes: list[int], times: int) -> None:
    engine = Asked()
    runs = list(in_runs(iter(range(images)), batch, cast(Any, engine)))
    assert [len(run) for run in runs] == sizes
    assert [image for run in runs for image in run] == list(range(images))
    assert engine.times == times
