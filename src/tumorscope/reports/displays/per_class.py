"""How well each of several classes is told apart from all others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tumorscope.reports.drawing import PALETTE, Display, canvas
from tumorscope.statistics import Interval
from tumorscope.statistics.metrics import NAMES, Metrics
from tumorscope.statistics.several_classes import OF_EACH_CLASS

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(eq=False)
class PerClassDisplay(Display):
    """Metrics of each class against all others, with intervals."""

    metrics: Metrics

    def plot(self, ax: Axes | None = None) -> PerClassDisplay:
        """Draw a group of rows for each class; what has no interval is an open circle."""
        classes = self.metrics.classes
        colours = [PALETTE[name] for name in list(PALETTE)[: len(OF_EACH_CLASS)]]
        with canvas(ax, width=6.4, height=4.4) as axes:
            named: set[str] = set()
            for number, metric in enumerate(OF_EACH_CLASS):
                for row, name in enumerate(classes):
                    found = self.metrics.per_class[name][metric]
                    place = row + (number - (len(OF_EACH_CLASS) - 1) / 2) * 0.15
                    if found.value is None:
                        continue  # a class without images has no such value
                    known = isinstance(found, Interval)
                    if isinstance(found, Interval):
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
