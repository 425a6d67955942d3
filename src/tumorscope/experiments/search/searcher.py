"""A learner that first searches for its recipe, and what it is worth: one score for each image.

For each outer fold a study of its own searches on inner folds of the other images; the best recipe
is fitted to them and scores the fold, once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tumorscope.common.errors import InputError
from tumorscope.experiments.fold_plan import FoldPlan
from tumorscope.experiments.fold_runner import kept_scores, scored
from tumorscope.experiments.search.asked import SearchAsked
from tumorscope.experiments.search.objective import Objective, SharedNetwork
from tumorscope.experiments.search.space import Range, changed
from tumorscope.experiments.search.storage import database, finished, run_trials
from tumorscope.recipes.recipe import Recipe
from tumorscope.records.protocol import Protocol, parse_protocol, write_protocol

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True, slots=True, eq=False)
class Searcher:
    """Searches on some of the images.

    Attributes
    ----------
    asked : SearchAsked
        How much.
    space : mapping of str to Range
        What is searched.
    shared : SharedNetwork
        Makes the networks.
    studies : mapping of str to optuna.Study
        One for each search.
    url : str
        Of the database that they lie in.
    best : dict of str to Recipe
        What was found so far, by the name of the study.
    """

    asked: SearchAsked
    space: Mapping[str, Range]
    shared: SharedNetwork
    studies: Mapping[str, optuna.Study]
    url: str
    best: dict[str, Recipe] = field(default_factory=dict)

    def search(self, name: str, known: NDArray[np.int64]) -> Recipe:
        """Return the best recipe that a study finds on the images at these positions.

        Raises
        ------
        InputError
            If no trial was finished, or the database fails.
        """
        study, asked = self.studies[name], self.asked
        objective = Objective(self.shared, known, self.space, asked)
        with database(self.url):
            run_trials(
                study,
                objective,
                trials=asked.trials,
                timeout=asked.timeout,
                label=f"Search {name}",
            )
            if not finished(study, complete=True):
                raise InputError(
                    f"No trial of the search {name} was finished ({finished(study)} diverged or "
                    "were pruned); expected at least one. Give it more time with --timeout, more "
                    "trials, or a space with lower learning rates."
                )
            base = self.shared.base
            self.best[name] = changed(base, study.best_params, name=f"{base.name}-tuned")
        return self.best[name]


def nested_scores(
    plan: FoldPlan, searcher: Searcher, *, folder: Path, protocol: Protocol, older: str
) -> NDArray[np.float64]:
    """Return the score of every image by a recipe that was searched for without it, float64 (n,).

    A fold is scored anew where more trials found another recipe for it.

    Parameters
    ----------
    plan : FoldPlan
        The outer folds.
    searcher : Searcher
        Has a study for each: ``outer-0`` …
    folder : Path
        Of the search; each finished fold is kept there at once.
    protocol : Protocol
        Of the search.
    older : str
        What versions before it told this search apart by.

    Raises
    ------
    InputError
        If a search finds nothing, or a fold that is kept is damaged.
    DivergedError
        If the best recipe gives scores that are no numbers.
    """
    scores = np.full(len(plan.manifest), np.nan)
    for fold in plan.folds:
        recipe = searcher.search(f"outer-{fold.number}", fold.known)
        file = folder / "outer" / f"fold-{fold.number}.csv"
        made_by = protocol.model_copy(update={"recipe": recipe})
        if _made_by(file, made_by, identities=(protocol.key, older)):
            found = kept_scores(plan, fold, file)
        else:
            estimator = searcher.shared.estimator(recipe)
            estimator.fit(fold.known, seed=searcher.asked.seed)
            found = scored(plan, fold, estimator, file)
            write_protocol(_stamp(file), made_by)
        scores[fold.tested] = found[:, 0]
    return scores


def _stamp(file: Path) -> Path:
    return file.with_suffix(".json")


def _made_by(file: Path, protocol: Protocol, *, identities: Sequence[str]) -> bool:
    """Whether the scores of a fold are there and were made by this recipe in this search."""
    if not file.exists():
        return False
    if (stamp := _stamp(file)).exists():
        return not parse_protocol(stamp.read_text("utf-8"), origin=stamp).changes(protocol)
    # Former versions kept a hash of both.
    older = file.with_suffix(".recipe")
    marks = [
        hashlib.sha256(f"{identity}\n{protocol.recipe.to_former_toml()}".encode()).hexdigest()
        for identity in identities
    ]
    return older.exists() and older.read_text("utf-8") in marks
