"""Optuna's sampler, with randomness that belongs to a trial and not to the process that asks."""

from __future__ import annotations

import hashlib
from typing import Any

from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import FrozenTrial

from tumorscope.experiments.search.killed import draw_of


class NumberedSampler(BaseSampler):
    """Optuna's TPE, seeded anew for each trial from seed, name of the study and trial number.

    A storage gives each number once; a trial that repeats a killed one counts by the number of
    that one (`tumorscope.experiments.search.killed.draw_of`). A search that goes on therefore draws
    what an uninterrupted one would have drawn next, and a second worker never draws what the first
    did. A sampler that is seeded at its opening begins again with the same candidates each time.
    With the name, the studies of a search draw apart: where they agree, the data made them, not the
    seed.

    Parameters
    ----------
    seed : int
        Of the search.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._of_trial = TPESampler(seed=seed)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Take the randomness of this trial."""
        number = draw_of(trial, study.get_trials(deepcopy=False))
        words = f"{self._seed}\n{study.study_name}\n{number}"
        digest = hashlib.sha256(words.encode()).digest()
        self._of_trial = TPESampler(seed=int.from_bytes(digest[:4], "big"))
        self._of_trial.before_trial(study, trial)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return what is drawn together."""
        return self._of_trial.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Draw what is drawn together."""
        return self._of_trial.sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Draw one parameter."""
        return self._of_trial.sample_independent(study, trial, param_name, param_distribution)
