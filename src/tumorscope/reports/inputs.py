"""What a report is written from, before anything is computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tumorscope.common.classes import CLASSES
from tumorscope.reports.published import Published
from tumorscope.statistics.answers import Answers
from tumorscope.statistics.metrics import Split
from tumorscope.statistics.pointing_game import Pointing


@dataclass(frozen=True, kw_only=True)
class ReportInputs:
    """What a report is made from; all but the scored images may be missing.

    Attributes
    ----------
    title : str
        Says what was evaluated; a leaky split is added to it.
    paths : sequence of str
        Name of each image.
    classes : sequence of str
        Names, "no tumour" first; two by default.
    labels : ndarray of shape (n,)
        Reference standard: positions in `classes`, so that of two 1 is a tumour.
    scores : ndarray of shape (n,) or (n, repeats)
        Probability of tumour, 0..1. Of several classes (n, classes) or (n, repeats, classes).
    groups : ndarray of shape (n,)
        What a split must keep together.
    sources : ndarray of shape (n,), optional
        Where each image comes from.
    threshold : float
        Operating point, 0..1, of two classes. Of several the highest score decides.
    split : {"grouped", "random"}
        How training and testing images were separated.
    external : bool
        Whether the images come from elsewhere, so that no split separated them from the training
        images.
    made_by : {"grouped", "random"}, optional
        How the images that the model was made from were split, where that is not `split`.
    split_sizes : mapping of str to int
        Split → images of it that the model was made from.
    protocol : str
        Of a cross-validation: how many folds, how often.
    folds : ndarray of shape (n,) or (n, repeats), optional
        In which fold each image was held out (cross-validation).
    history : sequence of mapping, optional
        One per epoch: epoch, phase, learning_rate, loss, accuracy, auc, tuning_loss,
        tuning_accuracy, tuning_auc, seconds.
    model_summary : sequence of (str, str, str, int), optional
        Layer, type, output shape, parameters.
    pixels : callable, optional
        Position of an image → its grey pixels, uint8 (height, width).
    recipe : mapping
        Nested, as in ``recipe.toml``.
    facts, cohort : mapping of str to str
        Versions, seeds, hashes, times; counts of the cohort.
    notes : sequence of str
        Plain sentences that a reader must know.
    answers : Answers, optional
        Where `scores` are the probabilities of a detector: what else it says of the images.
    pointing : Pointing, optional
        Whether the evidence of that detector lies on lesions that people have outlined.
    copied : ndarray of bool, shape (n,) or (n, repeats), optional
        Which images have a copy among those that their model was trained or tuned on; used only
        where the split is random.
    published : Published, optional
        What a paper claims, to be shown beside our results.
    warning : str, optional
        What makes these results misleading, such as images seen in training.
    command : str
        Reproduces the evaluation; several commands on a line each.
    subject : str
        Path of the run or model that was measured, where there is one.
    data : str
        Path of the cohort that was measured on, where it is not the run's own.
    data_sha256 : str
        Of the images that were scored, with labels and groups.
    n_resamples : int, optional
        Bootstrap resamples, 2000 by default, 1000 of several classes; fewer are quicker and
        coarser.
    """

    title: str
    paths: Sequence[str]
    classes: Sequence[str] = CLASSES
    labels: NDArray[np.int64]
    scores: NDArray[np.float64]
    groups: NDArray[np.str_]
    sources: NDArray[np.str_] | None = None
    threshold: float = 0.5
    split: Split = "grouped"
    external: bool = False
    made_by: Split | None = None
    split_sizes: Mapping[str, int] = field(default_factory=dict)
    protocol: str = ""
    folds: NDArray[np.int64] | None = None
    history: Sequence[Mapping[str, float | int | str]] | None = None
    model_summary: Sequence[tuple[str, str, str, int]] | None = None
    pixels: Callable[[int], NDArray[np.uint8]] | None = None
    recipe: Mapping[str, object] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    cohort: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    answers: Answers | None = None
    pointing: Pointing | None = None
    copied: NDArray[np.bool_] | None = None
    published: Published | None = None
    warning: str | None = None
    command: str = ""
    subject: str = ""
    data: str = ""
    data_sha256: str = ""
    n_resamples: int | None = None

    @property
    def kind(self) -> str:
        """What the report is on: "internal testing", "external testing" or "cross-validation"."""
        if not self.subject:
            return "cross-validation"
        return "external testing" if self.external else "internal testing"

    @property
    def two_classes(self) -> bool:
        """Whether an image shows a tumour or none, and no other class is known."""
        return len(self.classes) == 2

    @property
    def columns(self) -> NDArray[np.float64]:
        """The scores (n, repeats), or (n, repeats, classes) of several classes."""
        once = self.scores.ndim == (1 if self.two_classes else 2)
        return self.scores[:, None] if once else self.scores

    @property
    def mean_scores(self) -> NDArray[np.float64]:
        """The scores (n,), or (n, classes) of several classes: the mean over repeats."""
        return np.asarray(self.columns.mean(axis=1))
