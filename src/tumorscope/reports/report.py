"""Everything about one evaluation → report.html, metrics.json, metrics.csv and figures/."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from tumorscope.common.csv_files import write_csv
from tumorscope.common.files import output_folder, write_json
from tumorscope.common.notice import RESEARCH_USE_ONLY
from tumorscope.reports.caveats import RANDOM_SPLIT, caveats
from tumorscope.reports.context import context_of
from tumorscope.reports.figures import draw_figures
from tumorscope.reports.inputs import ReportInputs
from tumorscope.reports.measure import measure
from tumorscope.reports.page import write_html
from tumorscope.statistics.estimate import Estimate
from tumorscope.statistics.metrics import Metrics
from tumorscope.statistics.prevalence import values_elsewhere
from tumorscope.statistics.two_classes import BY_IMAGES

COLUMNS = ("name", "part", "value", "low", "high", "method", "unit", "n", "reason")
"""Of ``metrics.csv``: `part` says of which images or answers a value is (``all``, ``answered``,
``raw``, ``source NAME``, ``class NAME``), `unit` what its interval counts: images, or groups."""


def write_report(inputs: ReportInputs, folder: Path) -> Metrics:
    """Write ``report.html``, ``metrics.json``, ``metrics.csv`` and ``figures/`` into `folder`.

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
    metrics = measure(inputs)
    output_folder(folder)
    drawn = draw_figures(inputs, metrics, folder / "figures")
    found = caveats(metrics, labels=inputs.labels, mean_scores=inputs.mean_scores)
    random = inputs.split == "random"
    title = inputs.title + (" — random split, leaks" if random else "")
    warning = " ".join(filter(None, [inputs.warning, RANDOM_SPLIT if random else None])) or None
    heading = {"notice": RESEARCH_USE_ONLY, "title": title, "warning": warning}
    write_json(folder / "metrics.json", heading | _document(inputs, metrics, found))
    write_csv(folder / "metrics.csv", COLUMNS, lines_of(metrics))
    # What a random split does is in the box on top, and how many copies it has in the lead.
    above = {RANDOM_SPLIT, metrics.copies.words() if metrics.copies else ""}
    doubts = [each for each in found if each not in above]
    write_html(
        folder / "report.html",
        "reports/evaluation.html",
        title=title,
        warning=warning,
        footer="Every figure is in figures/, every number in metrics.json and metrics.csv.",
        samples_gone=drawn.samples_gone,
        **context_of(inputs, metrics, doubts=[*doubts, *inputs.notes], pictures=drawn.pictures),
    )
    return metrics


def _document(inputs: ReportInputs, metrics: Metrics, doubts: Sequence[str]) -> dict[str, object]:
    """Return the content of ``metrics.json``."""
    return {
        **metrics.to_json(),
        "doubts": [*doubts, *inputs.notes],
        "notes": list(inputs.notes),
        "cohort": dict(inputs.cohort),
        "command": inputs.command,
        "kind": inputs.kind,
        "subject": inputs.subject,
        "data": inputs.data,
        "data_sha256": inputs.data_sha256,
        **(_of_a_detector(inputs, metrics) if inputs.two_classes else {}),
    }


def _of_a_detector(inputs: ReportInputs, metrics: Metrics) -> dict[str, object]:
    """Return what ``metrics.json`` says of two classes alone."""
    answers, published = inputs.answers, inputs.published
    document: dict[str, object] = {
        "predictive_values": [
            {"prevalence": each.prevalence, **each.estimate._asdict()}
            for each in values_elsewhere(metrics)
        ],
        "detector": None,
    }
    if answers is not None:
        document["detector"] = {
            "model": answers.model,
            "operating_point": answers.operating_point,
            "abstains": list(answers.zone),
        }
    if inputs.pointing is not None:
        document["pointing"] = inputs.pointing.to_json()
    if published is not None:
        names = ("name", "accuracy", "auc", "log_loss", "n")
        document["published"] = {name: getattr(published, name) for name in names}
    return document


def lines_of(metrics: Metrics, part: str = "all") -> Iterator[dict[str, object]]:
    """Yield the lines of ``metrics.csv``."""
    n, two = metrics.n, metrics.two_classes
    for name, found in metrics.metrics.items():
        yield _line(name, part, found, n, unit="images" if two and name in BY_IMAGES else "groups")
    for name, found in metrics.by_group.items():
        yield _line(name, part, found, n, unit="groups")
    for name, share in {"abstained": metrics.abstained, "refused": metrics.refused}.items():
        if share is not None:
            yield _line(name, part, share, n, unit="images")
    for class_name, of_class in metrics.per_class.items():
        for name, found in of_class.items():
            yield _line(name, f"class {class_name}", found, n, unit="groups")
    for name, below in {"answered": metrics.answered, "raw": metrics.raw}.items():
        if below is not None:
            yield from lines_of(below, name)
    for name, below in metrics.per_source.items():
        yield from lines_of(below, f"source {name}")


def _line(name: str, part: str, found: Estimate, n: int, *, unit: str) -> dict[str, object]:
    return {"name": name, "part": part, "n": n, "unit": unit, **found.to_json()}
