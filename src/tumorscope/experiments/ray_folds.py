"""Folds as tasks of a Ray cluster: each is fitted in a process of its own."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tumorscope.common.ray_cluster import connected
from tumorscope.experiments.fold_plan import Fold, FoldPlan
from tumorscope.experiments.learner import Learner, finite_scores
from tumorscope.records.protocol import SplitMode

TRIES = 2
"""How often a fold begins anew when its machine goes or its process is killed."""


def fitted_on_ray(
    plan: FoldPlan, learner: Learner, folds: Sequence[Fold], *, split_by: SplitMode, address: str
) -> Iterator[tuple[Fold, NDArray[np.float64]]]:
    """Yield each fold with the scores of its images, as soon as it is fitted, in any order.

    A fold has a seed of its own, so it is the same wherever and whenever it is fitted.

    Parameters
    ----------
    plan : FoldPlan
        Its images must be there on every machine, under the same paths.
    learner : Learner
        What is fitted.
    folds : sequence of Fold
        Those to fit.
    split_by : {"group", "random"}
        As for the cross-validation.
    address : str
        Of the cluster, or "local".

    Raises
    ------
    TumorscopeError
        What fitting raised.
    """
    with connected(address) as ray:
        shared = ray.put((plan, learner, split_by, str(Path.cwd())))
        # A process ends with its fold: what Keras leaves in memory goes with it.
        task = ray.remote(num_cpus=1, max_retries=TRIES, max_calls=1)(_fit)
        waiting = {task.remote(shared, fold): fold for fold in folds}
        while waiting:
            [done], _ = ray.wait(list(waiting), num_returns=1)
            try:
                scores = ray.get(done)
            except ray.exceptions.RayTaskError as error:
                raise error.cause from None
            yield waiting.pop(done), scores


def _fit(shared: tuple[FoldPlan, Learner, SplitMode, str], fold: Fold) -> NDArray[np.float64]:
    plan, learner, split_by, here = shared
    # Paths may be relative to where the cross-validation was begun.
    with contextlib.suppress(OSError):
        os.chdir(here)
    estimator = learner.start(plan.manifest, split_by)
    estimator.fit(fold.known, seed=fold.seed)
    return finite_scores(estimator, fold.tested)
