"""How far results fall when images look as if from elsewhere: a panel for each change."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tumorscope.reports.drawing import PALETTE, Display, house_style, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Record = Mapping[str, object]

LINES = (
    ("auc", "AUC", PALETTE["ink"], "o-"),
    ("sensitivity", "sensitivity", PALETTE["tumour"], "s--"),
    ("specificity", "specificity", PALETTE["no tumour"], "^--"),
)
COLUMNS = 5


@dataclass(eq=False)
class RobustnessDisplay(Display):
    """Small multiples of AUC, sensitivity and specificity by strength.

    Attributes
    ----------
    records : sequence of mapping
        Rows of robustness.csv; the first is of the images as they are.
    """

    records: Sequence[Record]

    def plot(self, ax: Axes | None = None) -> RobustnessDisplay:
        """Draw one panel for each change; dotted lines are the images as they are."""
        names = list(dict.fromkeys(str(each["perturbation"]) for each in self.records[1:]))
        rows = max(1, math.ceil(len(names) / COLUMNS))
        with house_style():
            axes = panels(
                ax, rows=rows, columns=min(COLUMNS, len(names)), width=15.0, height=3.4 * rows
            )
            for panel, name in zip(axes, names, strict=False):
                self._panel(panel, name)
            for panel in axes[len(names) :]:
                panel.set_axis_off()
            handles, words = axes[0].get_legend_handles_labels()
            axes[0].figure.legend(handles, words, loc="outside lower center", ncols=len(LINES))
            self._remember(axes[0])
        return self

    def _panel(self, panel: Axes, name: str) -> None:
        found = [each for each in self.records if each["perturbation"] == name]
        places = range(len(found))
        for column, words, colour, style in LINES:
            values = [_number(each[column]) for each in found]
            low = [_number(each[f"{column}_low"]) for each in found]
            high = [_number(each[f"{column}_high"]) for each in found]
            panel.plot(places, values, style, color=colour, label=words, markersize=5)
            panel.fill_between(places, low, high, color=colour, alpha=0.12, linewidth=0)
            panel.axhline(_number(self.records[0][column]), color=colour, linestyle=":", alpha=0.7)
        panel.set(ylim=(-0.02, 1.02), xlabel=str(found[0]["unit"]))
        panel.set_xticks(list(places), [str(each["strength"]) for each in found])
        panel.xaxis.label.set_fontsize(8.5)
        panel.set_title(f"{name} (n = {found[-1]['images']})", fontsize=11)


def _number(text: object) -> float:
    return float(str(text)) if str(text) else float("nan")
