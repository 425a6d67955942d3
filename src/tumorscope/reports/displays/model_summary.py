"""Layers, output shapes and parameters (the paper's Figure 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tumorscope.reports.drawing import ROW_HEIGHT, Display, canvas, draw_table
from tumorscope.reports.text import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_ROWS = 24


@dataclass(eq=False)
class ModelSummaryDisplay(Display):
    """The layers of a model.

    Attributes
    ----------
    layers : sequence of (str, str, str, int)
        Name, type, output shape, number of parameters.
    """

    layers: Sequence[tuple[str, str, str, int]]

    @property
    def parameters(self) -> int:
        """Number of parameters of all layers."""
        return sum(layer[3] for layer in self.layers)

    @classmethod
    def from_layers(cls, layers: Sequence[tuple[str, str, str, int]]) -> ModelSummaryDisplay:
        """Take rows of name, type, output shape and number of parameters."""
        return cls(tuple(layers))

    def plot(self, ax: Axes | None = None) -> ModelSummaryDisplay:
        """Draw the table; of more than 24 layers the first and the last twelve."""
        rows = [
            (plain(f"{name} ({kind})", 52), plain(shape, 26), f"{parameters:,}")
            for name, kind, shape, parameters in self.layers
        ]
        if len(rows) > MOST_ROWS:
            half = MOST_ROWS // 2
            left_out = ("…", f"{len(rows) - MOST_ROWS} more layers", "")
            rows = [*rows[:half], left_out, *rows[-half:]]
        rows.append(("All layers", "", f"{self.parameters:,}"))
        with canvas(ax, width=8.4, height=ROW_HEIGHT * (len(rows) + 1)) as axes:
            draw_table(
                axes,
                ("Layer (type)", "Output shape", "Parameters"),
                rows,
                edges=(0, 0.58, 0.82, 1),
                numeric=(2,),
                rules=(len(rows) - 1,),
                bold=(len(rows) - 1,),
            )
            self._remember(axes)
        return self
