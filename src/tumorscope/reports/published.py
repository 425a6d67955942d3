"""What papers claim, to be shown beside our own results."""

from __future__ import annotations

from dataclasses import dataclass

from tumorscope.reports.text import PERCENTAGES, percent, percents, shown
from tumorscope.statistics import Interval, wilson
from tumorscope.statistics.estimate import Estimate
from tumorscope.statistics.metrics import NAMES, Metrics


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """What a paper reports of its own test images.

    Attributes
    ----------
    name : str
        Of the paper.
    accuracy, auc, log_loss : float or None
        None where the paper gives none.
    n : int
        Test images.
    remarks : tuple of str
        What a reader of these values should know, one sentence or two each.
    """

    name: str
    accuracy: float | None = None
    auc: float | None = None
    log_loss: float | None = None
    n: int
    remarks: tuple[str, ...] = ()


THE_PAPER = Published(
    name="Brain Tumour Detection Using MobileNetV2",
    accuracy=0.9062,
    auc=0.9909,
    log_loss=0.2775,
    n=32,
    remarks=(
        "29 of 32 test images were called right. That is a Wilson 95 % interval from 75.8 % to "
        "96.8 %: 32 images cannot tell a good model from a middling one.",
        "The AUC of 0.9909 equals 218 of the 220 pairs that 22 tumour and 10 tumour-free images "
        "make. The paper's ROC figure says 0.93 instead, which is the mean of its two recalls "
        "(1.00 and 0.86), so that curve was most likely drawn from yes/no calls, not from "
        "probabilities.",
        "The text gives an F1 score of 0.86 where the table gives 0.87, and speaks of dividing "
        "grey values by 25 where 1/255 must be meant.",
        "The paper counts 150 + 73 images. The public data set holds 155 + 98, among them exact "
        "and near duplicates; the paper's split does not keep those together.",
    ),
)
"""The paper whose recipe ships as ``paper``, with its contradictions."""


def published_rows(published: Published | None, ours: Metrics) -> list[tuple[str, str, str, str]]:
    """Return our metrics beside those of a paper, as the rows of a table.

    Parameters
    ----------
    published : Published, optional
        Without one there are no rows.
    ours : Metrics
        Of our raw score: a paper scores with its network alone.
    """
    if published is None:
        return []
    claims = {
        "accuracy": published.accuracy, "auc": published.auc, "log_loss": published.log_loss
    }  # fmt: skip
    rows = []
    for name, claim in claims.items():
        found = ours.cautious(name)
        if claim is None:
            rows.append((NAMES[name], shown(name, found), "not given", ""))
            continue
        theirs = percent(claim, 2) if name in PERCENTAGES else f"{claim:.4f}"
        reading = _against(claim, found)
        if name == "accuracy":
            spread = wilson(round(claim * published.n), published.n)
            theirs += f" ({percents(spread.low, spread.high)})"
            if isinstance(found, Interval):
                apart = spread.low > found.high or spread.high < found.low
                reading += "; the two intervals " + ("do not overlap" if apart else "overlap")
        rows.append((NAMES[name], shown(name, found), theirs, reading))
    return rows


def _against(claim: float, ours: Estimate) -> str:
    if not isinstance(ours, Interval):
        return "not comparable"
    if claim > ours.high:
        return "above our interval"
    return "below our interval" if claim < ours.low else "inside our interval"
