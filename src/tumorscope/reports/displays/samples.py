"""Pictures with their reference label and what the model said (the paper's Figure 6)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tumorscope.common.classes import CLASSES
from tumorscope.reports.drawing import PALETTE, Display, house_style, panels
from tumorscope.reports.text import plain
from tumorscope.statistics.two_classes import check_scores

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = 6


@dataclass(eq=False)
class SampleGridDisplay(Display):
    """Some pictures of a test set.

    Attributes
    ----------
    pictures : sequence of ndarray of shape (height, width), uint8
    names : sequence of str
    labels : ndarray of shape (pictures,)
        Reference standard, 0 or 1.
    scores : ndarray of shape (pictures,)
        Probability of tumour, the mean over repeats.
    threshold : float
    """

    pictures: Sequence[NDArray[np.uint8]]
    names: Sequence[str]
    labels: NDArray[np.int64]
    scores: NDArray[np.float64]
    threshold: float = 0.5

    @classmethod
    def from_predictions(
        cls,
        labels: ArrayLike,
        scores: ArrayLike,
        *,
        pixels: Callable[[int], NDArray[np.uint8]],
        paths: Sequence[str],
        threshold: float = 0.5,
        most: int = 12,
        seed: int = 0,
    ) -> SampleGridDisplay:
        """Pick at most `most` images at random, the most tumour-like first."""
        truth, columns = check_scores(labels, scores, threshold=threshold)
        mean = columns.mean(axis=1)
        drawn = np.random.default_rng(seed).permutation(len(truth))[:most]
        drawn = drawn[np.argsort(-mean[drawn], kind="stable")]
        pictures = [pixels(int(index)) for index in drawn]
        names = [PurePath(paths[index]).name for index in drawn]
        return cls(pictures, names, truth[drawn], mean[drawn], threshold)

    def plot(self, ax: Axes | None = None) -> SampleGridDisplay:
        """Draw the grid; wrong calls have a thick frame and the word WRONG."""
        columns = min(COLUMNS, max(1, len(self.pictures)))
        rows = -(-len(self.pictures) // columns)
        with house_style():
            tiles = panels(ax, rows=rows, columns=columns, width=1.85 * columns, height=2.45 * rows)
            for index, axes in enumerate(tiles):
                if index < len(self.pictures):
                    self._tile(axes, index)
                else:
                    axes.set_axis_off()
            self._remember(tiles[0])
        return self

    def _tile(self, axes: Axes, index: int) -> None:
        label, score = int(self.labels[index]), float(self.scores[index])
        wrong = (score >= self.threshold) != bool(label)
        axes.imshow(_square(self.pictures[index]), cmap="gray", vmin=0, vmax=255)
        axes.set(xticks=[], yticks=[], facecolor="black")
        axes.grid(visible=False)
        for spine in axes.spines.values():
            spine.set(visible=wrong, edgecolor=PALETTE["tumour"], linewidth=4)
        axes.set_title(("WRONG, is " if wrong else "is ") + CLASSES[label], loc="center",
                       fontsize=9.5, color=PALETTE["tumour"] if wrong else PALETTE["ink"],
                       weight="bold" if wrong else "normal")  # fmt: skip
        axes.set_xlabel(f"tumour: {100 * score:.0f} %\n{plain(self.names[index], 20)}",
                        fontsize=9, parse_math=False)  # fmt: skip


def _square(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    # Tiles of one size stand in straight rows.
    height, width = pixels.shape
    edge = max(height, width)
    top, left = (edge - height) // 2, (edge - width) // 2
    return np.pad(pixels, ((top, edge - height - top), (left, edge - width - left)))
