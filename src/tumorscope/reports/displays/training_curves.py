"""Loss and accuracy by epoch (the paper's Figure 5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tumorscope.common.errors import InputError
from tumorscope.reports.drawing import PALETTE, Display, house_style, panels
from tumorscope.reports.text import plain

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

PANELS = {"Loss (cross-entropy)": "loss", "Accuracy": "accuracy"}
ROLES = {"": ("training", PALETTE["grey"], "--"), "tuning_": ("tuning", PALETTE["ink"], "-")}


@dataclass(eq=False)
class TrainingCurvesDisplay(Display):
    """The history of a run.

    Attributes
    ----------
    epochs : ndarray of shape (epochs,)
        From 1.
    series : mapping of str to ndarray of shape (epochs,)
        loss, accuracy, tuning_loss, tuning_accuracy; NaN where not recorded.
    changes : sequence of (float, str)
        Where a phase begins, between two epochs, and its name.
    reductions : ndarray
        Epochs that began with a lower learning rate than the one before in the same phase.
    axes_ : list of Axes
        The two panels, after `plot`; `ax_` is the first.
    """

    epochs: NDArray[np.int64]
    series: Mapping[str, NDArray[np.float64]]
    changes: Sequence[tuple[float, str]]
    reductions: NDArray[np.int64]

    @classmethod
    def from_history(
        cls, history: Sequence[Mapping[str, float | int | str]]
    ) -> TrainingCurvesDisplay:
        """Take the rows of ``history.csv``, one per epoch; missing columns are left out.

        Raises
        ------
        InputError
            If there are no epochs.
        """
        if not history:
            raise InputError(
                "Received a history without epochs. Expected one row per epoch. Train first."
            )
        names = [role + measure for measure in PANELS.values() for role in ROLES]
        series = {name: np.array([_number(row.get(name)) for row in history]) for name in names}
        epochs = np.arange(1, len(history) + 1)
        phases = [str(row.get("phase", "")) for row in history]
        rates = np.array([_number(row.get("learning_rate")) for row in history])
        same = np.array([now == before for before, now in pairwise(phases)])
        lower = rates[1:] < rates[:-1] * (1 - 1e-6)
        changes = [(index + 1.5, phases[index + 1]) for index in np.flatnonzero(~same.astype(bool))]
        return cls(epochs, series, changes, epochs[1:][lower & same.astype(bool)])

    def plot(self, ax: Axes | None = None) -> TrainingCurvesDisplay:
        """Draw loss and accuracy side by side; given axes are divided in two."""
        from matplotlib.ticker import MaxNLocator

        with house_style():
            self.axes_ = panels(ax, rows=1, columns=2, width=11, height=4.4)
            for axes, (title, measure) in zip(self.axes_, PANELS.items(), strict=True):
                self._draw(axes, title, measure)
                axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            entries: dict[str, Artist] = {}
            for axes in self.axes_:
                handles, labels = axes.get_legend_handles_labels()
                entries |= dict(zip(labels, handles, strict=True))
            figure = self.axes_[0].figure
            figure.legend(
                list(entries.values()), list(entries), loc="outside lower center", ncols=4
            )
            self._remember(self.axes_[0])
        return self

    def _draw(self, axes: Axes, title: str, measure: str) -> None:
        few = len(self.epochs) <= 60
        for role, (name, colour, line) in ROLES.items():
            values = self.series[role + measure]
            if np.isfinite(values).any():
                marker = ("o" if role else "s") if few else None
                axes.plot(self.epochs, values, line, color=colour, marker=marker, markersize=4,
                          linewidth=1.8, label=f"{name} images")  # fmt: skip
        last = int(self.epochs[-1])
        axes.set(xlabel="Epoch", xlim=(0.5, last + 0.5))
        # The names of phases stand between the axes and the title.
        axes.set_title(title, pad=22 if self.changes else None)
        if measure == "accuracy":
            axes.set_ylim(min(0.4, _least(self.series, measure) - 0.03), 1.02)
        else:
            axes.set_ylim(bottom=0)
        blend = axes.get_xaxis_transform()
        for place, phase in self.changes:
            axes.axvline(place, color=PALETTE["accent"], linewidth=1.6, linestyle=":")
            axes.text(place, 1.005, f"{plain(phase, 18)} →", transform=blend, va="bottom",
                      ha="left" if place < 0.75 * last else "right", fontsize=10,
                      color=PALETTE["accent"], parse_math=False)  # fmt: skip
        # A schedule that lowers the rate in nearly every epoch is no event to mark.
        if 0 < len(self.reductions) <= len(self.epochs) / 2:
            axes.plot(self.reductions, np.full(len(self.reductions), 0.02), "v", transform=blend,
                      color=PALETTE["warning"], markeredgecolor=PALETTE["ink"], markersize=7,
                      linestyle="none", clip_on=False,
                      label="learning rate reduced")  # fmt: skip


def _least(series: Mapping[str, NDArray[np.float64]], measure: str) -> float:
    values = np.concatenate([series[measure], series["tuning_" + measure]])
    return float(np.nanmin(values)) if np.isfinite(values).any() else 0.4


def _number(value: float | int | str | None) -> float:
    try:
        return float("nan") if value is None else float(value)
    except ValueError:
        return float("nan")
