"""Several systems side by side: what each costs, and how good it is for that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tumorscope.common.errors import InputError
from tumorscope.reports.drawing import PALETTE, Display, canvas, house_style, panels
from tumorscope.reports.text import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(eq=False)
class CostDisplay(Display):
    """Parameters, arithmetic and latency of systems.

    Attributes
    ----------
    names : list of str
        Of the systems, the least arithmetic first.
    parameters, gmac, latency_ms : ndarray of float64, shape (n,)
        All above 0.
    """

    names: list[str]
    parameters: NDArray[np.float64]
    gmac: NDArray[np.float64]
    latency_ms: NDArray[np.float64]

    @classmethod
    def from_rows(
        cls,
        names: Sequence[str],
        *,
        parameters: Sequence[float],
        gmac: Sequence[float],
        latency_ms: Sequence[float],
    ) -> CostDisplay:
        """Sort systems by their arithmetic.

        Raises
        ------
        InputError
            If there are none, or the sequences differ in length.
        """
        columns = [np.asarray(each, dtype=np.float64) for each in (parameters, gmac, latency_ms)]
        _check(names, columns)
        order = np.argsort(columns[1], kind="stable")
        return cls([names[index] for index in order], *(each[order] for each in columns))

    def plot(self, ax: Axes | None = None) -> CostDisplay:
        """Draw one panel of dots for each cost, all with the same order of systems."""
        with house_style():
            axes = panels(ax, rows=1, columns=3, width=11, height=1.3 + 0.34 * len(self.names))
            places = np.arange(len(self.names))
            for number, (panel, values, title) in enumerate(
                zip(
                    axes,
                    (self.parameters / 1e6, self.gmac, self.latency_ms),
                    ("Parameters (M)", "GMAC", "One image (ms)"),
                    strict=True,
                )
            ):
                panel.hlines(places, values.min() / 2, values, color=PALETTE["grey"], linewidth=1)
                panel.plot(values, places, "o", color=PALETTE["no tumour"], markersize=7)
                for place, value in zip(places, values, strict=True):
                    panel.annotate(
                        f"{value:.3g}",
                        (value, place),
                        xytext=(7, 0),
                        textcoords="offset points",
                        va="center",
                        fontsize=9.5,
                    )
                panel.set_xscale("log")
                panel.xaxis.set_minor_formatter("")  # they would overlap
                panel.set(xlim=(values.min() / 2, values.max() * 6), ylim=(len(places) - 0.4, -0.6))
                names = [plain(name, 60) for name in self.names]
                panel.set_yticks(places, names if number == 0 else [""] * len(places))
                panel.tick_params(axis="y", length=0)
                panel.grid(visible=False, axis="y")
                panel.set_title(title)
            self._remember(axes[0])
        return self


@dataclass(eq=False)
class ComparisonDisplay(Display):
    """A quality of systems against their cost.

    Attributes
    ----------
    names : list of str
        Of the systems, the cheapest first.
    cost : ndarray of float64, shape (n,)
        Above 0.
    values, low, high : ndarray of float64, shape (n,)
        Estimates and the ends of their intervals; NaN where there is none.
    quality, unit : str
        What is on the axes.
    """

    names: list[str]
    cost: NDArray[np.float64]
    values: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    quality: str
    unit: str

    @classmethod
    def from_rows(
        cls,
        names: Sequence[str],
        *,
        cost: Sequence[float],
        values: Sequence[float | None],
        low: Sequence[float | None],
        high: Sequence[float | None],
        quality: str,
        unit: str = "GMAC of one image",
    ) -> ComparisonDisplay:
        """Sort systems by their cost.

        Raises
        ------
        InputError
            If there are none, or the sequences differ in length.
        """
        columns = [np.array(each, dtype=np.float64) for each in (cost, values, low, high)]
        _check(names, columns)
        order = np.argsort(columns[0], kind="stable")
        expense, estimate, bottom, top = (each[order] for each in columns)
        ordered = [names[index] for index in order]
        return cls(ordered, expense, estimate, bottom, top, quality, unit)

    def plot(self, ax: Axes | None = None) -> ComparisonDisplay:
        """Draw a numbered dot with its interval for each system, and the names beside."""
        height = max(4.4, 1.6 + 0.3 * len(self.names))
        with canvas(ax, width=9.4, height=height) as axes:
            shown = self._beside()
            for number, (x, value, low, high) in enumerate(
                zip(shown, self.values, self.low, self.high, strict=True), start=1
            ):
                axes.vlines(x, low, high, color=PALETTE["no tumour"], linewidth=1.6, alpha=0.75)
                name = f"{number}  {plain(self.names[number - 1], 60)}"
                axes.plot(x, value, "o", color=PALETTE["no tumour"], markersize=14,
                          markeredgecolor="white", label=name)  # fmt: skip
                axes.annotate(str(number), (x, value), ha="center", va="center", color="white",
                              fontsize=9, weight="bold")  # fmt: skip
            axes.set_xscale("log")
            axes.set(xlim=(shown.min() / 1.6, shown.max() * 1.6), xlabel=self.unit,
                     ylabel=self.quality)  # fmt: skip
            axes.set_title(f"{self.quality} against cost")
            axes.figure.legend(loc="outside right upper", handlelength=0, handletextpad=0,
                               markerscale=0, fontsize=10)  # fmt: skip
            self._remember(axes)
        return self

    def _beside(self) -> NDArray[np.float64]:
        """Return where to draw each: those of one cost next to each other."""
        shown = self.cost.copy()
        for index in range(1, len(shown)):
            shown[index] = max(shown[index], shown[index - 1] * 1.12)
        return shown


def _check(names: Sequence[str], columns: Sequence[NDArray[np.float64]]) -> None:
    lengths = {len(names), *(len(each) for each in columns)}
    if lengths == {0} or len(lengths) > 1:
        raise InputError(
            f"Received {len(names)} names and columns of {sorted(lengths)} values. Expected at "
            "least one system, and one value of each kind for every system."
        )
