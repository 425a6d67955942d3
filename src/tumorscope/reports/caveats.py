"""What should make a reader careful, in plain sentences, worst first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tumorscope.reports.text import percent
from tumorscope.statistics import Interval
from tumorscope.statistics.baselines import base_rate_log_loss, no_information_rate
from tumorscope.statistics.estimate import Estimate
from tumorscope.statistics.metrics import Metrics

RANDOM_SPLIT = (
    "The images were split at random, without keeping near-duplicates and images of one patient "
    "together. Wherever such copies exist, testing images were seen in training: these results "
    "leak and are too good. Use the grouped split, except to compare with papers that did this."
)

CONFIDENT = 0.9
"""A wrong call at this probability or more is a confident error."""


def caveats(
    metrics: Metrics, *, labels: NDArray[np.int64], mean_scores: NDArray[np.float64]
) -> list[str]:
    """Return sentences on what weakens these results; the worst come first.

    Parameters
    ----------
    metrics : Metrics
        The results.
    labels : ndarray of shape (n,)
        Reference standard.
    mean_scores : ndarray of shape (n,) or (n, classes)
        Probabilities averaged over repeats.
    """
    found = _few_answers(metrics)
    found += [RANDOM_SPLIT] if metrics.split == "random" else []
    if metrics.copies is not None:
        found.append(metrics.copies.words())
    if metrics.threshold is not None:
        found += _one_class(metrics)
        found += _no_better_than_guessing(metrics)
        found += _confident_errors(metrics, labels, mean_scores)
        found += _sources(metrics)
    found += _few_images(metrics)
    return found


def _one_class(metrics: Metrics) -> list[str]:
    if 0 < metrics.n_positive < metrics.n:
        return []
    only = "a tumour" if metrics.n_positive else "no tumour"
    return [
        f"Every image here has {only}. Half of the question was not asked: AUC and one of "
        "sensitivity and specificity do not exist for these images."
    ]


def _no_better_than_guessing(metrics: Metrics) -> list[str]:
    found = []
    accuracy, loss = metrics.cautious("accuracy"), metrics.metrics["log_loss"]
    usual = no_information_rate(metrics)
    if isinstance(accuracy, Interval) and usual < 1 and accuracy.low <= usual:
        word = "a tumour" if 2 * metrics.n_positive >= metrics.n else "tumour-free"
        found.append(
            f"Calling every image {word} would already be right for {percent(usual)}; the "
            f"accuracy's interval ({percent(accuracy.low)} to {percent(accuracy.high)}) does not "
            "lie above that."
        )
    naive = base_rate_log_loss(metrics)
    if _value(loss) > naive > 0:
        found.append(_too_sure(loss, naive))
    return found


def _too_sure(loss: Estimate, naive: float) -> str:
    """Return what a log loss above that of guessing says, as far as its interval permits."""
    than = f"than that of answering the share of tumours every time ({naive:.3f})"
    if not isinstance(loss, Interval):
        return (
            f"The log loss of {_value(loss):.3f} is higher {than}, and there are too few groups to "
            "say how far chance goes: nothing shows that the probabilities are worth anything."
        )
    within = f"(95 % interval {loss.low:.3f} to {loss.high:.3f})"
    if loss.low <= naive:
        return (
            f"The log loss of {loss.value:.3f} {within} is no better {than}, which lies within its "
            "interval: nothing shows that the probabilities say more."
        )
    return (
        f"The log loss of {loss.value:.3f} {within} is worse {than}: the probabilities are far too "
        "sure of themselves, even where the calls are right. Do not use them as probabilities."
    )


def _few_answers(metrics: Metrics) -> list[str]:
    """Return that a detector leaves most images without an answer, where it does."""
    if metrics.abstained is None or metrics.refused is None:
        return []
    abstained, refused = (
        round(share.value * metrics.n) for share in (metrics.abstained, metrics.refused)
    )
    answered = metrics.n - abstained - refused
    if 2 * answered >= metrics.n:
        return []
    return [
        f"The detector answers {answered or 'none'} of these {metrics.n} images: the model "
        f"abstains on {abstained}, and the input check refuses {refused}. The results of all "
        "images call those by the threshold too; a user would get no answer for them."
    ]


def _confident_errors(
    metrics: Metrics, labels: NDArray[np.int64], scores: NDArray[np.float64]
) -> list[str]:
    missed = int(((labels == 1) & (scores <= 1 - CONFIDENT)).sum())
    alarms = int(((labels == 0) & (scores >= CONFIDENT)).sum())
    if not missed + alarms:
        return []
    return [
        f"The model was wrong and sure of it ({percent(CONFIDENT, 0)} or more) on "
        f"{missed + alarms} of {metrics.n} images (tumours missed: {missed}, false alarms: "
        f"{alarms}). They are shown below."
    ]


def _sources(metrics: Metrics) -> list[str]:
    found = []
    parts = metrics.per_source
    single = [name for name, part in parts.items() if part.n_positive in (0, part.n)]
    if single and 0 < metrics.n_positive < metrics.n:
        found.append(
            f"{_list(single)} held images of one class only. A model can be right there by "
            "telling where an image comes from instead of what it shows; these results cannot "
            "tell the two apart."
        )
    known = {name: _value(part.metrics["accuracy"]) for name, part in parts.items()}
    if known:
        worst = min(known, key=lambda name: known[name])
        overall = _value(metrics.metrics["accuracy"])
        if known[worst] < overall - 0.02:
            found.append(
                f"The mean hides differences: accuracy is {percent(known[worst])} on the "
                f"{parts[worst].n} images of {worst}, and {percent(overall)} on all."
            )
    return found


def _few_images(metrics: Metrics) -> list[str]:
    found = []
    accuracy, by_images = metrics.cautious("accuracy"), metrics.metrics["accuracy"]
    if isinstance(accuracy, Interval) and accuracy.high - accuracy.low > 0.05:
        points = 100 * (accuracy.high - accuracy.low)
        found.append(
            f"{metrics.n} images are few: the accuracy's 95 % interval spans {points:.0f} "
            "percentage points. Two models that differ by less cannot be told apart here."
        )
    if metrics.n_groups < metrics.n:
        effect = "alike images say less than as many different ones would."
        if isinstance(metrics.by_group.get("accuracy"), Interval):
            effect = "taking groups as the unit does not make the accuracy's interval wider."
            if isinstance(accuracy, Interval) and accuracy != by_images:
                assert isinstance(by_images, Interval)
                effect = (
                    "taking groups as the unit, the accuracy's interval is "
                    f"{percent(accuracy.low)} to {percent(accuracy.high)}, as above, and wider "
                    f"than images alone would give ({percent(by_images.low)} to "
                    f"{percent(by_images.high)}): believe this one."
                )
        found.append(
            f"The {metrics.n} images are only {metrics.n_groups} groups (near-duplicates or "
            f"patients); {effect}"
        )
    return found


def _value(found: Estimate) -> float:
    return float("nan") if found.value is None else found.value


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(names[:4])
    return f"{shown} and {len(names) - 4} more sources" if len(names) > 4 else shown
