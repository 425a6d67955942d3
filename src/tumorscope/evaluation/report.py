"""Everything about one evaluation → report.html, metrics.json and figures/."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tumorscope.common.errors import InputError
from tumorscope.common.files import output_folder, write_json
from tumorscope.evaluation import claim_sections, detector_sections, sections
from tumorscope.evaluation.answers import Answers, with_answers
from tumorscope.evaluation.calibration import PREVALENCES
from tumorscope.evaluation.copies import Copies
from tumorscope.evaluation.doubts import RANDOM_SPLIT, doubts
from tumorscope.evaluation.material import Material
from tumorscope.evaluation.metrics import Metrics, check_scores, evaluate_scores
from tumorscope.evaluation.published import THE_PAPER, Published
from tumorscope.reporting import Section, write_page

__all__ = ["THE_PAPER", "Published", "ReportInputs", "write_report"]

FIGURES = (
    "workflow", "model_summary", "confusion_matrix", "classification_report", "training_curves",
    "samples", "roc", "precision_recall", "score_distribution", "reliability", "folds",
)  # fmt: skip
"""Names of the files under figures/, without ``.png``."""


@dataclass(frozen=True, kw_only=True)
class ReportInputs:
    """What a report is made from; all but the scored images may be missing.

    Attributes
    ----------
    title : str
        Says what was evaluated; a leaky split is added to it.
    paths : sequence of str
        Name of each image.
    labels : ndarray of shape (n,)
        Reference standard: 1 tumour, 0 no tumour.
    scores : ndarray of shape (n,) or (n, repeats)
        Probability of tumour, 0..1.
    groups : ndarray of shape (n,)
        What a split must not part.
    sources : ndarray of shape (n,), optional
        Where each image comes from.
    threshold : float
        Operating point, 0..1.
    split : {"grouped", "random"}
        How training and testing images were parted.
    external : bool
        Whether the images come from elsewhere, so that no split parted them from the training.
    made_by : {"grouped", "random"}, optional
        How the images were parted that the model was made from, where that is not `split`.
    parted : mapping of str to int
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
    copied : ndarray of bool, shape (n,) or (n, repeats), optional
        Which images have a copy among those that their model was trained or tuned on; told where
        the split is random.
    published : Published, optional
        What a paper claims, to be shown beside our figures.
    warning : str, optional
        What makes these figures misleading, such as images seen in training.
    command : str
        Reproduces the evaluation; several commands on a line each.
    subject : str
        Path of the run or model that was measured, where there is one.
    data_sha256 : str
        Of the images that were scored, with labels and groups.
    n_resamples : int
        Bootstrap resamples; fewer are quicker and coarser.
    """

    title: str
    paths: Sequence[str]
    labels: NDArray[np.int64]
    scores: NDArray[np.float64]
    groups: NDArray[np.str_]
    sources: NDArray[np.str_] | None = None
    threshold: float = 0.5
    split: Literal["grouped", "random"] = "grouped"
    external: bool = False
    made_by: Literal["grouped", "random"] | None = None
    parted: Mapping[str, int] = field(default_factory=dict)
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
    copied: NDArray[np.bool_] | None = None
    published: Published | None = None
    warning: str | None = None
    command: str = ""
    subject: str = ""
    data_sha256: str = ""
    n_resamples: int = 2000


def write_report(inputs: ReportInputs, folder: Path) -> Metrics:
    """Write ``report.html``, ``metrics.json`` and ``figures/*.png`` into `folder`.

    Same inputs, same bytes. Figures of an earlier report that do not belong to this one are
    removed.

    Parameters
    ----------
    inputs : ReportInputs
        What was evaluated.
    folder : Path
        Created if need be.

    Returns
    -------
    Metrics
        What ``metrics.json`` holds.

    Raises
    ------
    InputError
        If labels, scores, groups or paths do not fit together.
    OutputError
        If `folder` cannot be written to.
    """
    if len(inputs.paths) != len(inputs.labels):
        raise InputError(
            f"Received {len(inputs.paths)} paths for {len(inputs.labels)} labels. Expected one "
            "path per scored image."
        )
    labels, columns = check_scores(inputs.labels, inputs.scores, threshold=inputs.threshold)
    metrics = evaluate_scores(
        labels,
        columns,
        groups=inputs.groups,
        sources=inputs.sources,
        threshold=inputs.threshold,
        split=inputs.split,
        n_resamples=inputs.n_resamples,
    )
    metrics = replace(metrics, external=inputs.external)
    if inputs.answers is not None:
        metrics = with_answers(
            metrics,
            inputs.answers,
            labels=labels,
            scores=columns[:, 0],
            groups=inputs.groups,
            n_resamples=inputs.n_resamples,
        )
    if inputs.copied is not None and inputs.split == "random":
        right = (columns >= inputs.threshold) == (labels[:, None] == 1)
        metrics = replace(metrics, copies=Copies.among(inputs.copied, right))
    output_folder(folder)
    for name in FIGURES:
        (folder / "figures" / f"{name}.png").unlink(missing_ok=True)
    material = Material(
        inputs=inputs,
        metrics=metrics,
        labels=labels,
        scores=columns,
        figures=folder / "figures",
        doubts=doubts(metrics, labels=labels, mean_scores=columns.mean(axis=1)),
    )
    title, warning = _title_and_warning(inputs)
    write_json(folder / "metrics.json", _twin(material, title, warning))
    write_page(
        folder / "report.html",
        title=title,
        lead=sections.lead(material),
        sections=_sections(material),
        warning=warning,
        footer="Every figure is in figures/, every number in metrics.json.",
    )
    return metrics


def _title_and_warning(inputs: ReportInputs) -> tuple[str, str | None]:
    random = inputs.split == "random"
    title = inputs.title + (" — random split, leaks" if random else "")
    warnings = [inputs.warning or "", RANDOM_SPLIT if random else ""]
    return title, " ".join(filter(None, warnings)) or None


def _sections(material: Material) -> list[Section]:
    """Worst news first, then results, then what papers leave out."""
    built = {
        "What to doubt first": sections.doubts_section,
        "Beside the published figures": sections.published_section,
        "Results": sections.results,
        "As the paper measures: raw score at 0.5": detector_sections.raw_section,
        "Errors": sections.errors,
        "Every threshold": sections.threshold_curves,
        "By source": sections.by_source,
        "Can the probabilities be believed?": sections.calibration,
        "Fold by fold": sections.fold_by_fold,
        "Training": sections.training,
        "Some of the images": sections.samples,
        "Data and reference standard": claim_sections.data,
        "Sample size": claim_sections.sample_size,
        "Robustness": claim_sections.robustness,
        "How the model is made": claim_sections.making,
        "Availability": claim_sections.availability,
    }
    found = [(title, make(material)) for title, make in built.items()]
    return [Section(title, html) for title, html in found if html]


def _twin(material: Material, title: str, warning: str | None) -> dict[str, object]:
    published = material.inputs.published
    document = {"title": title, "warning": warning, **material.metrics.to_json()}
    document["predictive_values"] = [
        {"prevalence": prevalence, **dict(zip(("ppv", "npv"), values[0], strict=True))}
        for prevalence in PREVALENCES
        if (values := sections.values_at(material.metrics, prevalence))
    ]
    document["doubts"] = [*material.doubts, *material.inputs.notes]
    document["cohort"] = dict(material.inputs.cohort)
    document["command"] = material.inputs.command
    document["subject"] = material.inputs.subject
    document["data_sha256"] = material.inputs.data_sha256
    answers = material.inputs.answers
    document["detector"] = None
    if answers is not None:
        document["detector"] = {
            "model": answers.model,
            "operating_point": answers.operating_point,
            "abstains": list(answers.zone),
        }
    if published is not None:
        names = ("name", "accuracy", "auc", "log_loss", "n")
        document["published"] = {name: getattr(published, name) for name in names}
    return document
