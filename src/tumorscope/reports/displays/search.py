"""The course of a search: loss by trial, importances, and loss by each parameter."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tumorscope.reports.drawing import PALETTE, Display, house_style, panels
from tumorscope.reports.text import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = 4


@dataclass(eq=False)
class SearchDisplay(Display):
    """One study.

    Attributes
    ----------
    losses : sequence of float
        Of each trial in its order; the last reported one of a pruned trial.
    pruned : sequence of bool
    parameters : mapping of str to sequence
        Key → value in each trial.
    importances : mapping of str to float
        Key → share; may be empty.
    """

    losses: Sequence[float]
    pruned: Sequence[bool]
    parameters: Mapping[str, Sequence[object]]
    importances: Mapping[str, float]

    def plot(self, ax: Axes | None = None) -> SearchDisplay:
        """Draw the course, the importances, and a panel for each parameter."""
        count = 2 + len(self.parameters)
        columns = min(COLUMNS, count)
        rows = math.ceil(count / columns)
        with house_style():
            axes = panels(ax, rows=rows, columns=columns, width=4.0 * columns, height=3.4 * rows)
            self._course(axes[0])
            self._shares(axes[1])
            for panel, (key, values) in zip(axes[2:], self.parameters.items(), strict=False):
                self._slice(panel, key, values)
            for panel in axes[count:]:
                panel.set_axis_off()
            self._remember(axes[0])
        return self

    def _course(self, panel: Axes) -> None:
        from matplotlib.ticker import MaxNLocator

        losses, pruned = np.array(self.losses), np.array(self.pruned, dtype=bool)
        trials = np.arange(len(losses))
        complete = np.where(pruned, np.inf, losses)
        best = np.minimum.accumulate(complete)
        self._marks(panel, trials)
        shown = np.isfinite(best)
        panel.step(trials[shown], best[shown], where="post", color=PALETTE["ink"], label="best")
        panel.set(xlabel="trial", ylabel="loss on inner folds")
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        panel.set_title("Course")

    def _shares(self, panel: Axes) -> None:
        panel.set_title("Importance")
        if not self.importances:
            panel.text(0.5, 0.5, "too few trials", ha="center", va="center")
            panel.set_axis_off()
            return
        names = sorted(self.importances, key=lambda name: self.importances[name])
        panel.barh(
            [plain(name.split(".")[-1]) for name in names],
            [self.importances[name] for name in names],
            color=PALETTE["no tumour"],
        )
        panel.set(xlim=(0, 1), xlabel="share")

    def _slice(self, panel: Axes, key: str, values: Sequence[object]) -> None:
        numbers = [value for value in values if isinstance(value, int | float)]
        if len(numbers) == len(values):
            places = np.array([float(str(value)) for value in values])
            if places.min() > 0 and places.max() / places.min() > 20:
                panel.set_xscale("log")
                panel.xaxis.set_minor_formatter("")  # they would overlap
        else:
            names = sorted({str(value) for value in values})
            places = np.array([names.index(str(value)) for value in values], dtype=float)
            panel.set_xticks(range(len(names)), [plain(name, 14) for name in names])
        self._marks(panel, places)
        panel.set(xlabel=plain(key), ylabel="loss")

    def _marks(self, panel: Axes, places: np.ndarray) -> None:
        losses, pruned = np.array(self.losses), np.array(self.pruned, dtype=bool)
        for chosen, fill in ((~pruned, PALETTE["no tumour"]), (pruned, "none")):
            panel.scatter(
                places[chosen], losses[chosen], s=26, facecolors=fill,
                edgecolors=PALETTE["no tumour"], linewidths=1.0,
            )  # fmt: skip
