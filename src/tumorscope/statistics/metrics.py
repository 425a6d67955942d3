"""What an evaluation measured: of two classes or of several, with intervals and counts."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tumorscope.statistics import Interval
from tumorscope.statistics.copies import Copies
from tumorscope.statistics.estimate import Estimate, Undefined, wider

Split = Literal["grouped", "random"]

CLIP = 1e-7
"""Log loss is taken of probabilities clipped to [CLIP, 1 − CLIP], as Keras does."""

NAMES = {
    "accuracy": "Accuracy",
    "auc": "AUC",
    "log_loss": "Log loss",
    "brier": "Brier score",
    "ece": "Calibration error (ECE)",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "ppv": "Positive predictive value",
    "npv": "Negative predictive value",
    "f1": "F1 score",
    "mcc": "Matthews correlation",
}
"""Metrics of two classes, in the order of tables, with their names for people."""

OF_ALL_CLASSES = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy (mean sensitivity)",
    "macro_f1": "F1 score, mean of the classes",
    "macro_auc": "AUC, mean of the classes",
    "log_loss": "Log loss",
}
"""Metrics of several classes together, in the order of tables, with their names for people."""

ALL_NAMES = NAMES | OF_ALL_CLASSES
"""Every metric, with its name for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """Everything that one evaluation measured.

    Attributes
    ----------
    classes : tuple of str
        In the order of labels and of `confusion`; the first is "no tumour".
    n_of_class : tuple of int
        Images of each class.
    n_groups, repeats : int
        Groups, and how often each image was scored.
    split : {"grouped", "random"}
        Whether groups were kept together.
    metrics : mapping of str to Interval or Undefined
        One entry per key of `NAMES`, or of `OF_ALL_CLASSES` where there are several.
    confusion : tuple of tuple of float
        Rows: reference standard; columns: calls. Counts; with repeats the mean over repeats, so
        that each row still sums to its class. Of two classes ((tn, fp), (fn, tp)).
    threshold : float, optional
        Of two classes the operating point: a score at or above it is called a tumour. None where
        an image is called the class with the highest score.
    by_group : mapping of str to Interval or Undefined
        Accuracy, AUC, sensitivity and specificity with an interval from resampling groups, which
        does not take near-duplicates for independent images. Empty for several classes, where
        every interval is made that way.
    per_class : mapping of str to mapping
        Class → its metrics against all others; empty of two classes.
    per_source : mapping of str to Metrics
        The same for each source, where there are several; else empty.
    raw, answered : Metrics or None
        Of a detector: of its network's own score at 0.5, and of the images that it answers (None
        where it answers none); see `tumorscope.statistics.answers`.
    abstained, refused : Interval or None
        Of a detector: share of all images without an answer, and of those that it refuses.
    copies : Copies or None
        Of a random split, where it is known: testing images with a copy on the other side.
    external : bool
        Whether the images come from elsewhere; then no split separated them from the training
        images, whatever `split` says.
    """

    classes: tuple[str, ...]
    n_of_class: tuple[int, ...]
    n_groups: int
    repeats: int
    split: Split
    metrics: Mapping[str, Estimate]
    confusion: tuple[tuple[float, ...], ...]
    threshold: float | None = None
    by_group: Mapping[str, Estimate] = field(default_factory=dict)
    per_class: Mapping[str, Mapping[str, Estimate]] = field(default_factory=dict)
    per_source: Mapping[str, Metrics] = field(default_factory=dict)
    raw: Metrics | None = None
    answered: Metrics | None = None
    abstained: Interval | None = None
    refused: Interval | None = None
    copies: Copies | None = None
    external: bool = False

    @property
    def n(self) -> int:
        """Images."""
        return sum(self.n_of_class)

    @property
    def n_positive(self) -> int:
        """Images with a tumour, of whatever type."""
        return sum(self.n_of_class[1:])

    @property
    def two_classes(self) -> bool:
        """Whether images were called by a threshold on the probability of a tumour."""
        return self.threshold is not None

    @property
    def overall(self) -> Mapping[str, Estimate]:
        """Former name of `metrics`, of several classes."""
        _renamed("overall", "metrics")
        return self.metrics

    @property
    def counts(self) -> tuple[int, ...]:
        """Former name of `n_of_class`."""
        _renamed("counts", "n_of_class")
        return self.n_of_class

    @property
    def answer_counts(self) -> dict[str, int]:
        """Of a detector: images "abstained", "refused", "unanswered" (both), and "answered"."""
        shares = {"abstained": self.abstained, "refused": self.refused}
        counts = {name: round(share.value * self.n) for name, share in shares.items() if share}
        unanswered = sum(counts.values())
        return counts | {"unanswered": unanswered, "answered": self.n - unanswered}

    def cautious(self, name: str) -> Estimate:
        """Return a value with the wider of its intervals: by images, or by groups.

        Images of one group are alike, so an interval that counts each of them may be too narrow;
        near 0 and 1 and with few groups resampling is.
        """
        return wider(self.metrics[name], self.by_group.get(name))

    def to_json(self) -> dict[str, object]:
        """Return the content of ``metrics.json``; undefined values are null, with a reason."""
        document: dict[str, object] = {
            "n": self.n,
            "n_groups": self.n_groups,
            "repeats": self.repeats,
            "split": self.split,
            "metrics": _plain(self.metrics),
            "confusion": [
                [int(count) if self.repeats == 1 else count for count in row]
                for row in self.confusion
            ],
        }
        if self.two_classes:
            document |= {
                "n_positive": self.n_positive,
                "threshold": self.threshold,
                "by_group": _plain(self.by_group),
            }
        else:
            document |= {
                "task": "tumour-type",
                "classes": list(self.classes),
                "n_of_class": dict(zip(self.classes, self.n_of_class, strict=True)),
                "per_class": {name: _plain(found) for name, found in self.per_class.items()},
            }
        if self.per_source:
            document["per_group_of"] = {
                "source": {name: found.to_json() for name, found in self.per_source.items()}
            }
        document |= self._of_answers()
        if self.external:
            document["external"] = True
        if self.copies is not None:
            document["copies"] = self.copies.to_json()
        return document

    def _of_answers(self) -> dict[str, object]:
        if self.raw is None or self.abstained is None or self.refused is None:
            return {}
        counts = self.answer_counts
        none: dict[str, object] = {"n": 0, "reason": "no image was answered"}
        return {
            "raw": self.raw.to_json(),
            "abstained": {"n": counts["abstained"], **self.abstained.to_json()},
            "refused": {"n": counts["refused"], **self.refused.to_json()},
            "answered": none if self.answered is None else self.answered.to_json(),
        }

    def table(self) -> str:
        """Return an aligned table of the metrics for the terminal."""
        width = max(len(ALL_NAMES[name]) for name in self.metrics)
        lines = [f"{'':{width}}   value   95 % interval"]
        lines += [
            f"{ALL_NAMES[name]:{width}}  {_words(self.cautious(name))}" for name in self.metrics
        ]
        for name, count in zip(self.classes, self.n_of_class, strict=True):
            of_class = self.per_class.get(name)
            if of_class is not None:
                lines.append(f"{name} ({count} images)")
                lines += [
                    f"  {NAMES[metric]:{width - 2}}  {_words(found)}"
                    for metric, found in of_class.items()
                ]
        lines.append(self._counted())
        if self.copies is not None:
            lines.append(self.copies.words())
        return "\n".join(lines + self._answers_in_words())

    def _counted(self) -> str:
        """Return what was measured on, in a line."""
        origin = "external images" if self.external else f"{self.split} split"
        again = f", each scored {self.repeats} times" if self.repeats > 1 else ""
        tumours = f" ({self.n_positive} with a tumour)" if self.two_classes else ""
        point = f"; threshold {self.threshold:.3g}" if self.two_classes else ""
        return f"{self.n} images{tumours} in {self.n_groups} groups{again}; {origin}{point}"

    def _answers_in_words(self) -> list[str]:
        if self.raw is None:
            return []
        counts = self.answer_counts
        lines = [
            "Above, every image is called by the threshold. The detector answers "
            f"{counts['answered']} of them, abstains on {counts['abstained']} and refuses "
            f"{counts['refused']}."
        ]
        if self.answered is not None:
            lines.append(f"Among the answered: {self.answered._short()}.")
        return [*lines, f"Raw score at {self.raw.threshold:g}: {self.raw._short()}."]

    def _short(self) -> str:
        values = []
        for name in ("accuracy", "auc", "sensitivity", "specificity", "log_loss"):
            found = self.cautious(name)
            words = "-" if found.value is None else f"{found.value:.3f}"
            if isinstance(found, Interval):
                words += f" ({found.low:.3f} to {found.high:.3f})"
            values.append(f"{NAMES[name] if name == 'auc' else NAMES[name].lower()} {words}")
        return ", ".join(values)


def _renamed(old: str, new: str) -> None:
    words = f"Metrics.{old} is now Metrics.{new}; the old name goes with the next version."
    warnings.warn(words, DeprecationWarning, stacklevel=3)


def _plain(estimates: Mapping[str, Estimate]) -> dict[str, object]:
    return {name: found.to_json() for name, found in estimates.items()}


def _words(found: Estimate) -> str:
    """Return a value and its interval in words of fixed width."""
    value = "     -" if found.value is None else f"{found.value:6.3f}"
    if isinstance(found, Undefined):
        return f"{value}   {found.reason}"
    return f"{value}   {found.low:.3f} to {found.high:.3f}"
