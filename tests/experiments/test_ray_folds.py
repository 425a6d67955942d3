"""Folds on a cluster have the scores that they have in one process, and errors keep their words."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tumorscope.cohort.manifest import Manifest
from tumorscope.common.ray_cluster import connected
from tumorscope.experiments.crossval import crossval
from tumorscope.experiments.learner import Learner
from tumorscope.records.checkpoint import Record
from tumorscope.records.protocol import SplitMode
from tumorscope.training.trainer import DivergedError

pytest.importorskip("ray", reason="the extra “ray” is not installed")
pytestmark = pytest.mark.usefixtures("few_resamples", "unplotted")


class Noise:
    """Scores that follow from the seed and from what was learnt from."""

    def __init__(self, *, diverges: bool) -> None:
        self._diverges = diverges

    def fit(
        self,
        known: NDArray[np.int64],
        *,
        seed: int,
        on_epoch: Callable[[Record], None] | None = None,  # noqa: ARG002 (part of the protocol)
    ) -> None:
        self._values = np.random.default_rng([seed, *known]).random(1000)

    def predict(self, indices: NDArray[np.int64]) -> NDArray[np.float64]:
        return self._values[indices] / (0.0 if self._diverges else 1.0)


def learner(*, diverges: bool = False) -> Learner:
    def start(manifest: Manifest, split_by: SplitMode) -> Noise:
        return Noise(diverges=diverges)

    return Learner(start=start, weights=(), title="noise", epochs=0, name="noise")


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[Any]:
    with connected("local", workers=2) as ray:
        # The workers cannot import this file.
        ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
        yield ray


def test_the_figures_are_the_same(drawn_tiny_cohort: Path, tmp_path: Path) -> None:
    asked: dict[str, Any] = {"recipe": "demo", "folds": 3, "repeats": 1, "method": learner()}
    here = crossval(drawn_tiny_cohort, output=tmp_path / "here", **asked)
    there = crossval(drawn_tiny_cohort, output=tmp_path / "there", ray="local", **asked)
    np.testing.assert_array_equal(here.scores, there.scores)
    names = sorted(path.name for path in (tmp_path / "here" / "folds").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "there" / "folds").iterdir())
    for name in ("scores.csv", "metrics.json"):
        assert (tmp_path / "here" / name).read_text() == (tmp_path / "there" / name).read_text()


@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
def test_what_a_fold_raises_is_raised(drawn_tiny_cohort: Path, tmp_path: Path) -> None:
    with pytest.raises(DivergedError, match="not numbers"):
        crossval(
            drawn_tiny_cohort,
            recipe="demo",
            folds=2,
            repeats=1,
            method=learner(diverges=True),
            output=tmp_path / "cv",
            ray="local",
        )
