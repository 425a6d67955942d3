"""What papers claim, to be shown beside our own figures."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """Figures that a paper gives for its own test images.

    Attributes
    ----------
    name : str
        Of the paper.
    accuracy, auc, log_loss : float or None
        None where the paper gives none.
    n : int
        Test images.
    remarks : tuple of str
        What a reader of these figures should know, one sentence or two each.
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
