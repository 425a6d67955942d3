"""What a search found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tumorscope.imaging.passed_over import PassedOver
from tumorscope.recipes.recipe import Recipe
from tumorscope.statistics.metrics import Metrics

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """A finished search.

    Attributes
    ----------
    best : Recipe
        Found on all images.
    metrics : Metrics or None
        Of the outer folds; None without them.
    studies : dict of str to optuna.Study
        "outer-0" … and "final".
    folder : Path
        Holds best.toml, tuning.json, report.html and scores.csv.
    unreadable : tuple of str
        Files that could not be read and were left out.
    testing : int
        Images of the split "testing", which were left out.
    passed_over : PassedOver
        What of a folder was not looked at, by reason.
    document : mapping of str to object
        What tuning.json holds.
    """

    best: Recipe
    metrics: Metrics | None
    studies: dict[str, optuna.Study]
    folder: Path
    unreadable: tuple[str, ...] = ()
    testing: int = 0
    passed_over: PassedOver = field(default_factory=PassedOver, compare=False)
    document: Mapping[str, object] = field(default_factory=dict, compare=False)
