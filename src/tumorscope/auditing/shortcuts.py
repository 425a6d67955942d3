"""How well labels can be guessed from what has nothing to do with tumours.

Public "no" images often come from other places than "yes" images, in other sizes and formats, so
a network can score well without looking at a brain. Each probe is a classifier that is shown only
such traces; what it reaches is what a good-looking result may be made of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tumorscope.cohort.split import grouped_folds
from tumorscope.common.progress import track
from tumorscope.imaging import SHORTCUT_FREE, Preprocessing, prepare
from tumorscope.imaging.read import Opened
from tumorscope.reports.drawing import PALETTE, Display, house_style, new_figure
from tumorscope.statistics.intervals import Interval, delong

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FOLDS = 5
TREES = 50
CLEAR = 0.6
"""A shortcut is called clear where the lower end of its interval lies above this."""

PROBES = {
    "metadata": "File metadata (size, format, mode, bits per pixel)",
    "trivial": "Brightness, border and aspect, as stored",
    "trivial-paper": "The same, after the paper's preprocessing (stretch)",
    "trivial-shortcut-free": "The same, after ours (head crop, padding, window)",
}
"""Code of each probe → what it sees, in words."""

_PREPARED = {"trivial-paper": Preprocessing(), "trivial-shortcut-free": SHORTCUT_FREE}


@dataclass(frozen=True, slots=True)
class Shortcut:
    """What one probe reached.

    Attributes
    ----------
    probe : str
        Code from `PROBES`.
    sees : str
        The same in words.
    auc : Interval or None
        Area under the ROC curve, out of fold, one image per group and label; 0.5 is chance.
        None where there are too few groups to tell.
    groups : int
        How many images that area was measured on.
    """

    probe: str
    sees: str
    auc: Interval | None
    groups: int

    @property
    def clear(self) -> bool:
        """True where labels can be guessed beyond doubt from these traces."""
        return self.auc is not None and self.auc.low > CLEAR

    def to_json(self) -> dict[str, object]:
        """Return plain values for ``audit.json``."""
        return {
            "probe": self.probe,
            "sees": self.sees,
            "auc": self.auc.to_json() if self.auc else None,
            "groups": self.groups,
        }


def traces_of(opened: Opened) -> dict[str, dict[str, float]]:
    """Return what the probes see of one image: code of the probe → feature → value.

    Formats and modes become features such as ``format=PNG`` with the value 1.
    """
    info, stored = opened.info, opened.size
    traces = {
        "metadata": {
            "width": float(info.width),
            "height": float(info.height),
            "aspect": info.width / info.height,
            "pixels": float(info.width * info.height),
            "bytes": float(stored),
            "bits per pixel": 8.0 * stored / (info.width * info.height),
            "disguised": float(info.disguised),
            f"format={info.format}": 1.0,
            f"mode={info.mode}": 1.0,
        },
        "trivial": _trivial(opened.slice.pixels),
    }
    for probe, how in _PREPARED.items():
        traces[probe] = _trivial(prepare(opened.slice, how))
    return traces


def measure_shortcuts(
    traces: Sequence[Mapping[str, Mapping[str, float]]],
    labels: Sequence[int],
    groups: Sequence[str],
    *,
    seed: int = 0,
) -> tuple[Shortcut, ...]:
    """Measure every probe by grouped, stratified cross-validation.

    A random forest is fitted to four fifths of the groups and scores the others. The area is
    taken over the first image of each group and label, because copies add no evidence and
    would make the interval too narrow.

    Parameters
    ----------
    traces : sequence of mappings
        From `traces_of`, one per image.
    labels : sequence of int
        1 tumour, 0 no tumour.
    groups : sequence of str
        Images with the same group share a fold.
    seed : int
        Of folds and forests.

    Returns
    -------
    tuple of Shortcut
        In the order of `PROBES`; nothing where no traces were taken.
    """
    if not traces:
        return ()
    truth = np.asarray(labels, dtype=np.int64)
    first = {
        pair: index for index, pair in reversed(list(enumerate(zip(groups, labels, strict=True))))
    }
    scored = np.array(sorted(first.values()), dtype=np.int64)
    smaller = min(len({g for g, one in first if one == label}) for label in (0, 1))
    folds = min(FOLDS, smaller)
    results = []
    for probe, sees in track(list(PROBES.items()), "Looking for shortcuts"):
        auc = None
        if folds >= 2:
            table = _table([trace[probe] for trace in traces])
            scores = _out_of_fold(table, truth, groups, folds, seed)
            auc = delong(truth[scored], scores[scored])
        results.append(Shortcut(probe, sees, auc, len(scored)))
    return tuple(results)


@dataclass(eq=False)
class ShortcutDisplay(Display):
    """Areas of the probes as dots with intervals, beside the line of chance.

    Attributes
    ----------
    shortcuts : tuple of Shortcut
        Probes without an area are left out.
    """

    shortcuts: tuple[Shortcut, ...]

    def plot(self, ax: Axes | None = None) -> ShortcutDisplay:
        """Draw on `ax`, or on a new figure."""
        import textwrap

        shown = [one for one in self.shortcuts if one.auc is not None]
        with house_style():
            if ax is None:
                ax = new_figure(8.0, 1.4 + 0.62 * max(len(shown), 1)).add_subplot()
            for position, one in enumerate(shown):
                auc = one.auc
                assert auc is not None
                color = PALETTE["tumour" if one.clear else "no tumour"]
                ax.plot([auc.low, auc.high], [position, position], color=color, linewidth=3)
                ax.plot(auc.value, position, "o" if one.clear else "D", color=color, markersize=9)
                ax.annotate(
                    f"{auc.value:.2f} ({auc.low:.2f}–{auc.high:.2f})",
                    (1.03, position),
                    xycoords=("axes fraction", "data"),
                    va="center",
                    color=PALETTE["ink"],
                )
            ax.axvline(0.5, color=PALETTE["grey"], linestyle="--", linewidth=1.5)
            ax.annotate(
                "chance",
                (0.5, 1.0),
                xycoords=("data", "axes fraction"),
                xytext=(0, 3),
                textcoords="offset points",
                ha="center",
                va="bottom",
                color=PALETTE["grey"],
            )
            low = min([0.4, *(one.auc.low - 0.05 for one in shown if one.auc is not None)])
            ax.set_xlim(max(low, 0.0), 1.0)
            ax.set_ylim(len(shown) - 0.5, -0.5)
            ax.set_yticks(range(len(shown)), labels=[textwrap.fill(one.sees, 34) for one in shown])
            ax.grid(visible=False, axis="y")
            ax.set_xlabel("AUC of a classifier that sees nothing else (95 % interval)")
            self._remember(ax)
        return self


def _trivial(pixels: NDArray[np.uint8]) -> dict[str, float]:
    height, width = pixels.shape
    rim = max(1, round(0.04 * min(height, width)))
    inside = pixels[rim:-rim, rim:-rim]
    total, core = float(pixels.sum(dtype=np.int64)), float(inside.sum(dtype=np.int64))
    bright = pixels > 10
    rows, columns = np.atleast_1d(bright.any(axis=1)), np.atleast_1d(bright.any(axis=0))
    # Padding keeps the aspect ratio visible as black bars, so that of the content counts as well.
    return {
        "mean": total / pixels.size,
        "border": (total - core) / max(pixels.size - inside.size, 1),
        "aspect": width / height,
        "content aspect": _extent(columns) / max(_extent(rows), 1),
    }


def _extent(flags: NDArray[np.bool_]) -> int:
    places = np.flatnonzero(flags)
    return int(places[-1] - places[0] + 1) if len(places) else 0


def _table(traces: Sequence[Mapping[str, float]]) -> NDArray[np.float64]:
    names = sorted({name for trace in traces for name in trace})
    return np.array([[trace.get(name, 0.0) for name in names] for trace in traces])


def _out_of_fold(
    table: NDArray[np.float64],
    truth: NDArray[np.int64],
    groups: Sequence[str],
    folds: int,
    seed: int,
) -> NDArray[np.float64]:
    from sklearn.ensemble import RandomForestClassifier

    fold = grouped_folds(truth, groups, folds=folds, seed=seed)
    scores = np.full(len(truth), np.nan)
    for number in range(folds):
        held = fold == number
        if len(np.unique(truth[~held])) < 2:
            scores[held] = 0.5
            continue
        forest = RandomForestClassifier(
            TREES, min_samples_leaf=3, class_weight="balanced", random_state=seed
        )
        forest.fit(table[~held], truth[~held])
        scores[held] = forest.predict_proba(table[held])[:, 1]
    return scores
