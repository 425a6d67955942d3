"""From the folder of scans to the report, as a diagram (the paper's Figure 1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from tumorscope.common.words import counted
from tumorscope.reports.drawing import PALETTE, Display, canvas
from tumorscope.reports.text import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PER_ROW = 4

LEAKS = {"split": "leaks", "folds": "leak"}

PHASES = {
    "frozen": "frozen",
    "fine_tuning": "fine-tuning",
    "finishing": "finishing",
    "quantised": "quantised",
}
"""Part of a recipe → what its epochs are called."""


@dataclass(eq=False)
class WorkflowDisplay(Display):
    """The steps of a run, in order.

    Attributes
    ----------
    steps : sequence of (str, str)
        Name of the step, and what happens there (may have line breaks).
    warned : frozenset of int
        Steps at which something misleading happens; drawn with a broken thick frame.
    """

    steps: Sequence[tuple[str, str]]
    warned: frozenset[int] = frozenset()

    @classmethod
    def from_recipe(
        cls,
        recipe: Mapping[str, object] | None = None,
        *,
        split: str = "grouped",
        images: Mapping[str, int] | None = None,
        folds: str = "",
    ) -> WorkflowDisplay:
        """Describe what was done.

        Parameters
        ----------
        recipe : mapping, optional
            That was followed, nested, as in ``recipe.toml``.
        split : {"grouped", "random"}
            How images were split.
        images : mapping of str to int, optional
            Split → images in it; without, the shares that the recipe asks for are drawn.
        folds : str
            Of a cross-validation: how many, and how often.
        """
        values = recipe or {}
        network = _part(values, "network")
        grouped = split == "grouped"
        phases = _phases(values)
        parts = _parts(values, images or {}) if grouped else "near-duplicates fall\non both sides"
        if folds:
            parts = f"{folds},\n{'copies kept together' if grouped else 'copies on both sides'}"
        parting = "folds" if folds else "split"
        head = str(network.get("head", "not recorded"))
        several = values.get("task") == "tumour-type"
        last = "softmax" if several else "sigmoid"
        layers = {"flatten": f"Flatten, Dense, BatchNorm,\nDropout, {last}"}
        folders = "a folder for each class" if several else "folders yes/ and no/"
        backbone = "not recorded"
        if "backbone" in network:
            name = str(network["backbone"]).replace("mobilenet_v2", "MobileNetV2")
            backbone = f"{plain(name, 24)},\ntop removed"
        steps = [
            ("Data", f"{folders},\nlabel = the folder"),
            ("Audit", "unreadable files, duplicates,\nshortcuts; groups"),
            (f"Grouped {parting}" if grouped else f"Random {parting}: {LEAKS[parting]}", parts),
            ("Augmentation", "training images only,\nafter the split"),
            ("Backbone", backbone),
            ("Head", layers.get(head, plain(head, 24))),
            ("Training", phases),
            ("Report", "results with intervals,\nerrors, limits"),
        ]  # fmt: skip
        return cls(steps, frozenset() if grouped else frozenset({2}))

    def plot(self, ax: Axes | None = None) -> WorkflowDisplay:
        """Draw boxes and arrows, every second row from right to left."""
        from matplotlib.patches import FancyBboxPatch

        rows = -(-len(self.steps) // PER_ROW)
        with canvas(ax, width=11, height=1.75 * rows) as axes:
            axes.set_axis_off()
            axes.set(xlim=(-0.52, PER_ROW - 0.48), ylim=(rows - 0.45, -0.55))
            places = [_place(index) for index in range(len(self.steps))]
            for index, ((x, y), (name, words)) in enumerate(zip(places, self.steps, strict=True)):
                warned = index in self.warned
                box = FancyBboxPatch(
                    (x - 0.40, y - 0.32),
                    0.80,
                    0.64,
                    boxstyle="round,pad=0,rounding_size=0.06",
                    facecolor="#FFF4EC" if warned else "#F1F5F9",
                    edgecolor=PALETTE["tumour"] if warned else PALETTE["grey"],
                    linewidth=2.5 if warned else 1.2,
                    linestyle="--" if warned else "-",
                )
                axes.add_patch(box)
                axes.text(x, y - 0.17, f"{index + 1}  {name}", ha="center", va="center",
                          weight="bold", parse_math=False)  # fmt: skip
                axes.text(x, y + 0.10, words, ha="center", va="center", fontsize=10,
                          linespacing=1.25, parse_math=False)  # fmt: skip
            for (x0, y0), (x1, y1) in pairwise(places):
                step = (x1 > x0) - (x1 < x0)
                start = (x0 + 0.41 * step, y0) if step else (x0, y0 + 0.33)
                end = (x1 - 0.41 * step, y1) if step else (x1, y1 - 0.33)
                arrow = {"arrowstyle": "-|>", "color": PALETTE["ink"], "shrinkA": 0, "shrinkB": 0}
                axes.annotate("", xy=end, xytext=start, arrowprops=arrow)
            self._remember(axes)
        return self


def _place(index: int) -> tuple[int, int]:
    row, column = divmod(index, PER_ROW)
    return (column if row % 2 == 0 else PER_ROW - 1 - column), row


def _parts(recipe: Mapping[str, object], images: Mapping[str, int]) -> str:
    """Return how many images each split has, or else which share the recipe asks for."""
    names = [name for name in ("training", "tuning", "testing") if images.get(name)]
    if names:
        first, *rest = [f"{images[name]} {name}" for name in names]
        return first + " images" + (f",\n{', '.join(rest)}" if rest else "")
    fractions = _part(recipe, "data").get("fractions")
    parts = "training, tuning, testing"
    if isinstance(fractions, Sequence) and len(fractions) == 3:
        parts = " / ".join(f"{100 * float(share):.0f}" for share in fractions) + " %\n" + parts
    return parts


def _phases(recipe: Mapping[str, object]) -> str:
    """Return the epochs of each phase that has some."""
    known = {words: _part(recipe, name).get("epochs") for name, words in PHASES.items()}
    if known["frozen"] is None or known["fine-tuning"] is None:
        return "not recorded"
    found = [
        (epochs, words) for words, epochs in known.items() if isinstance(epochs, int) and epochs
    ]
    if not found:
        return "0 epochs"
    (epochs, words), *rest = found
    first = f"{counted(epochs, 'epoch')} {words}"
    return ",\n".join([first, *(f"{epochs} {words}" for epochs, words in rest)])


def _part(values: Mapping[str, object], name: str) -> Mapping[str, object]:
    part = values.get(name)
    return part if isinstance(part, Mapping) else {}
