"""What a search is asked to do."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import JsonValue

from tumorscope.cohort.manifest import Manifest
from tumorscope.common.errors import UsageError
from tumorscope.common.limits import check_seed
from tumorscope.experiments.search.space import Range
from tumorscope.recipes.recipe import Recipe
from tumorscope.records.protocol import data_hash

Loss = Literal["log-loss", "auc"]
"""What a search minimises: the log loss, or 1 − AUC."""


@dataclass(frozen=True, slots=True)
class SearchAsked:
    """How much is searched, and by what it is judged; see `tumorscope.experiments.search.tune`.

    Raises
    ------
    UsageError
        If a number is out of range.
    """

    trials: int
    outer_folds: int
    inner_folds: int
    loss: Loss
    timeout: float | None
    seed: int

    def __post_init__(self) -> None:
        if self.trials < 1 or self.inner_folds < 2 or self.outer_folds == 1 or self.outer_folds < 0:
            raise UsageError(
                f"Received {self.trials} trials, {self.outer_folds} outer and {self.inner_folds} "
                "inner folds. Expected at least 1 trial, 2 inner folds, and 0 or at least 2 outer "
                "folds."
            )
        if self.timeout is not None and not self.timeout > 0:
            raise UsageError(f"Received timeout = {self.timeout}; expected seconds, more than 0.")
        check_seed(self.seed)

    @property
    def fits(self) -> int:
        """How many networks are fitted at most."""
        return self.trials * self.inner_folds * (self.outer_folds + 1) + self.outer_folds

    @property
    def studies(self) -> list[str]:
        """Names of the searches: one for each outer fold, and one on everything."""
        return [*(f"outer-{fold}" for fold in range(self.outer_folds)), "final"]

    def in_words(self) -> str:
        """Return how much work this is.

        Examples
        --------
        >>> SearchAsked(20, 5, 3, "log-loss", None, 0).in_words()[:23]
        'At most 365 trainings: '
        """
        return (
            f"At most {self.fits} trainings: {self.trials} trials × {self.inner_folds} inner folds "
            f"× {self.outer_folds + 1} searches, and {self.outer_folds} to measure them. Pruning "
            "saves some."
        )

    def recorded(self, space: Mapping[str, Range]) -> dict[str, JsonValue]:
        """Return what of this, and of the space, decides the scores: for the protocol."""
        return {
            "outer_folds": self.outer_folds,
            "inner_folds": self.inner_folds,
            "objective": self.loss,
            "seed": self.seed,
            "space": {key: span.model_dump(mode="json") for key, span in sorted(space.items())},
        }

    def older_key(
        self, base: Recipe, space: Mapping[str, Range], manifest: Manifest, weights: str
    ) -> str:
        """Return what versions before `Protocol` told searches apart by."""
        folds = (self.outer_folds, self.inner_folds)
        parts = [base.to_former_toml(), data_hash(manifest), weights, str(folds), self.loss]
        parts += [str(self.seed)]
        parts += [f"{key} {span.model_dump_json()}" for key, span in sorted(space.items())]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()
