"""Which class is called which, and the figures of each class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tumorscope.reports.displays._canvas import canvas
from tumorscope.reports.drawing import PALETTE, Display
from tumorscope.statistics.class_metrics import PER_CLASS, TypeMetrics
from tumorscope.statistics.metrics import NAMES, Undefined

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(eq=False)
class TypeConfusionDisplay(Display):
    """Counts of calls by class, with shares of each row."""

    metrics: TypeMetrics

    def plot(self, ax: Axes | None = None) -> TypeConfusionDisplay:
        """Draw counts and shares; right calls have a frame."""
        from matplotlib.patches import Rectangle

        counts, classes = self.metrics.confusion, self.metrics.classes
        totals = counts.sum(axis=1, keepdims=True)
        shares = np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
        with canvas(ax, width=6.4, height=5.6) as axes:
            axes.imshow(shares, cmap="Blues", vmin=0, vmax=1.15)
            digits = 0 if self.metrics.repeats == 1 else 1
            for row, column in np.ndindex(*counts.shape):
                ink = "white" if shares[row, column] > 0.6 else "black"
                text = f"{counts[row, column]:.{digits}f}\n{100 * shares[row, column]:.1f} %"
                axes.text(column, row, text, ha="center", va="center", color=ink)
                if row == column:
                    place = (column - 0.48, row - 0.48)
                    frame = Rectangle(place, 0.96, 0.96, fill=False, edgecolor="black")
                    axes.add_patch(frame)
            axes.grid(visible=False)
            axes.set_xticks(range(len(classes)), classes)
            axes.set_yticks(range(len(classes)), classes, rotation=90, va="center")
            axes.tick_params(length=0)
            axes.set(xlabel="Call of the model", ylabel="Reference standard")
            mean = f", mean of {self.metrics.repeats} repeats" if self.metrics.repeats > 1 else ""
            axes.set_title(f"Confusion matrix{mean}")
            self._remember(axes)
        return self


@dataclass(eq=False)
class PerClassDisplay(Display):
    """Figures of each class against all others, with intervals."""

    metrics: TypeMetrics

    def plot(self, ax: Axes | None = None) -> PerClassDisplay:
        """Draw one row per class and figure; a figure without an interval is an open circle."""
        classes = self.metrics.classes
        colours = [PALETTE[name] for name in list(PALETTE)[: len(PER_CLASS)]]
        with canvas(ax, width=6.4, height=4.4) as axes:
            named: set[str] = set()
            for number, metric in enumerate(PER_CLASS):
                for row, name in enumerate(classes):
                    found = self.metrics.per_class[name][metric]
                    place = row + (number - (len(PER_CLASS) - 1) / 2) * 0.15
                    if found.value is None:
                        continue  # a class without images has no such figure
                    known = not isinstance(found, Undefined)
                    if not isinstance(found, Undefined):
                        axes.plot([found.low, found.high], [place] * 2, color=colours[number])
                    axes.plot(
                        found.value,
                        place,
                        "o",
                        color=colours[number],
                        markerfacecolor=colours[number] if known else "white",
                        label=None if NAMES[metric] in named else NAMES[metric],
                    )
                    named.add(NAMES[metric])
            axes.set_yticks(range(len(classes)), classes)
            axes.invert_yaxis()
            axes.set(xlabel="Value, with 95 % interval", title="Each class against all others")
            if named:
                axes.legend(loc="lower left", fontsize=8)
            self._remember(axes)
        return self
