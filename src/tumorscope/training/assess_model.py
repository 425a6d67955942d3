"""A model file and a cohort → a report; the model's own thumbprints say what it has seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tumorscope.cohort.facts import cohort_facts
from tumorscope.cohort.manifest import Manifest, Row
from tumorscope.common.cores import cores
from tumorscope.common.errors import HonestyError, InputError
from tumorscope.common.extras import require
from tumorscope.common.files import output_folder
from tumorscope.common.locks import one_writer
from tumorscope.common.progress import track
from tumorscope.detection import rules
from tumorscope.detection.detector import model_path
from tumorscope.detection.engines import open_engine
from tumorscope.evaluation.report import ReportInputs, write_report
from tumorscope.imaging import Preprocessing, Slice, prepare
from tumorscope.imaging.read import read_with_colour
from tumorscope.imaging.thumbprint import COPY, resemblance, thumbprint, units
from tumorscope.model_file.artefacts import read_any
from tumorscope.model_file.container import ModelFile
from tumorscope.model_file.decision import DecisionRule
from tumorscope.model_file.schema import CLASSES, InputCheck, Metadata
from tumorscope.statistics import Interval, wilson
from tumorscope.training.assess import Evaluation, notes_on, picture_reader
from tumorscope.training.data import batches
from tumorscope.training.frozen import BATCH
from tumorscope.training.recipe import Recipe
from tumorscope.training.run import Data, prepare_manifest, write_csv


@dataclass(frozen=True, slots=True, eq=False)
class _Answers:
    """What the model says of each image, in the order of the manifest."""

    scores: NDArray[np.float64]
    decisions: Sequence[str]
    reasons: Sequence[tuple[str, ...]]
    seen: NDArray[np.bool_]


@one_writer
def evaluate_model(
    model: str | Path,
    data: Data,
    *,
    output: str | Path | None = None,
    allow_seen: bool = False,
    operating_point: str = "balanced",
) -> Evaluation:
    """Measure a model file on a cohort that it has not seen.

    Every readable image is scored, also those that the model would refuse or abstain on, so that
    the figures cannot be improved by refusing; how often it does is told beside them.

    Parameters
    ----------
    model : path
        A model file of any format that tumorscope writes, or "packaged", the one in the package.
    data : path or Manifest
        Labelled images.
    output : path, optional
        Folder for report.html, metrics.json, scores.csv and figures/; ``NAME-evaluation`` in the
        current folder by default.
    allow_seen : bool
        Score images that the model was trained on all the same; the report says so in its title.
    operating_point : str
        Whose threshold parts the classes.

    Returns
    -------
    Evaluation
        Metrics and the report's path.

    Raises
    ------
    HonestyError
        If `data` holds images that the model was trained on, or copies of them: re-encoded,
        resized, mirrored or turned by quarters.
    InputError
        If the model or the data cannot be used.
    UsageError
        If the model has no such operating point.
    """
    require("train", to="evaluate a model")
    file = read_any(model_path(model))
    metadata = file.metadata
    rule = rules.rule_of(metadata, operating_point)
    folder = output_folder(Path(output or f"{metadata.name}-evaluation"))
    whole = prepare_manifest(data)
    manifest = whole.usable
    if len(manifest) == 0:
        raise InputError(f"{data} has no readable image. Expected labelled brain MRI slices.")
    answers = _ask(file, manifest, rule)
    warning = _refuse_seen(manifest, answers.seen, allow_seen=allow_seen)
    write_csv(
        folder / "scores.csv",
        ("path", "label", "score", "decision", "reasons", "seen"),
        [
            {
                "path": row.path,
                "label": row.label,
                "score": f"{score:.8f}",
                "decision": decision,
                "reasons": ";".join(reasons),
                "seen": str(bool(seen)).lower(),
            }
            for row, score, decision, reasons, seen in zip(
                manifest.rows,
                answers.scores,
                answers.decisions,
                answers.reasons,
                answers.seen,
                strict=True,
            )
        ],
    )
    sources = np.array([row.source for row in manifest.rows])
    title = f"External testing of the model {metadata.id} on {', '.join(sorted(set(sources)))}"
    metrics = write_report(
        ReportInputs(
            title=title + (" — with images it was trained on" if warning else ""),
            paths=[row.path for row in manifest.rows],
            labels=manifest.labels,
            scores=answers.scores,
            groups=manifest.groups,
            sources=sources,
            threshold=rule.threshold,
            pixels=picture_reader(manifest),
            recipe=metadata.recipe,
            facts=_facts(metadata, operating_point),
            cohort=cohort_facts(whole, splits=False),
            notes=[
                *_on_recipe(metadata),
                *_on_decisions(answers, manifest.labels, rule, metadata),
            ],
            warning=warning,
            command=f"tumorscope evaluate {file.path.name} DATA",
        ),
        folder,
    )
    return Evaluation(metrics=metrics, report=folder / "report.html", unreadable=whole.unreadable)


def _on_recipe(metadata: Metadata) -> list[str]:
    """Return the notes on a model's recipe, which another version of tumorscope may have written.

    Nothing is measured by it: a detector is whole without.
    """
    try:
        return notes_on(Recipe.parse(dict(metadata.recipe)))
    except InputError as error:
        return [f"The recipe is of another version, so nothing is told of it. {error}"]


def _ask(model: ModelFile, manifest: Manifest, rule: DecisionRule) -> _Answers:
    metadata = model.metadata
    how, check = metadata.preprocessing.preprocessing, metadata.input_check
    known = units(metadata.seen.unpack())
    pixels = np.empty((len(manifest), how.size, how.size), dtype=np.uint8)
    seen = np.zeros(len(manifest), dtype=bool)
    reasons: list[tuple[str, ...]] = []

    def look(row: Row) -> tuple[NDArray[np.uint8], tuple[str, ...], bool]:
        return _look(manifest.file(row), how, check, known)

    with ThreadPoolExecutor(cores()) as pool:
        looked = track(pool.map(look, manifest.rows), "Reading images", total=len(manifest))
        for index, (prepared, refusals, copy) in enumerate(looked):
            pixels[index], seen[index] = prepared, copy
            reasons.append(refusals)
    engine = open_engine(model)
    scores = np.empty(len(manifest))
    distance = np.empty(len(manifest))
    parts = list(batches(np.arange(len(manifest)), BATCH))
    for part in track(parts, "Scoring", total=len(parts)):
        outputs = engine.run(pixels[part])
        scores[part], distance[part] = outputs.probability, outputs.distance
    decisions: list[str] = []
    for index, score in enumerate(scores.tolist()):
        if check.distance is not None and distance[index] > check.distance and not reasons[index]:
            reasons[index] = ("not-brain-mri",)
        if reasons[index]:
            decisions.append("refused")
            continue
        decision, labels = rule.decide(score)
        reasons[index] = rules.abstention_reasons(labels)
        decisions.append(decision)
    return _Answers(scores=scores, decisions=decisions, reasons=reasons, seen=seen)


def _look(
    path: Path, how: Preprocessing, check: InputCheck, known: NDArray[np.float32]
) -> tuple[NDArray[np.uint8], tuple[str, ...], bool]:
    scan, coloured = read_with_colour(path)
    turned = (
        Slice(pixels=np.ascontiguousarray(np.rot90(scan.pixels, quarter)), source=scan.source)
        for quarter in range(4)
    )
    seen = len(known) > 0 and any(resemblance(thumbprint(each), known) >= COPY for each in turned)
    return prepare(scan, how), rules.input_reasons(scan, check, coloured=coloured), seen


def _refuse_seen(manifest: Manifest, seen: NDArray[np.bool_], *, allow_seen: bool) -> str | None:
    if not seen.any():
        return None
    first = manifest.rows[int(np.flatnonzero(seen)[0])].path
    message = (
        f"{int(seen.sum())} of {len(manifest)} images are copies of images that this model was "
        f"trained on, the first of them {first}"
    )
    if not allow_seen:
        raise HonestyError(
            f"{message}. Expected images that the model has not seen: a score on these says "
            "nothing of new patients. Leave them out (`tumorscope predict` marks them in the "
            "column seen), or add --allow-seen to score them in a report that says so."
        )
    return f"{message}. These figures are too good."


def _on_decisions(
    answers: _Answers, labels: NDArray[np.int64], rule: DecisionRule, metadata: Metadata
) -> list[str]:
    """Return what refusing and abstaining did to these images, in sentences with intervals."""
    decisions = np.array(answers.decisions)
    refused, abstained = decisions == "refused", decisions == "abstain"
    answered = ~refused & ~abstained
    sentences = [
        f"The input check refuses {_share(refused, np.ones_like(refused))} of these images as no "
        f"brain MRI slice, and the model abstains on {_share(abstained, ~refused)} of the rest "
        f"(miscoverage {metadata.conformal.miscoverage:.2f}). All are scored in the figures here."
    ]
    if answered.any():
        wrong = rule.calls(answers.scores) != (labels == 1)
        calls = (answered & (decisions != np.array(CLASSES)[labels]))[answered]
        sentences.append(
            f"Among the images that it answers, {_share(calls, np.ones_like(calls))} are called "
            f"wrongly; among all, {_share(wrong, np.ones_like(wrong))}."
        )
    return sentences


def _share(events: NDArray[np.bool_], among: NDArray[np.bool_]) -> str:
    trials = int(among.sum())
    if trials == 0:
        return "none"
    found: Interval = wilson(int((events & among).sum()), trials)
    return f"{found.value:.1%} (95 % interval {found.low:.1%}–{found.high:.1%})"


def _facts(metadata: Metadata, operating_point: str) -> Mapping[str, str]:
    return {
        "model": metadata.id,
        "made": metadata.created,
        "precision": metadata.precision,
        "operating point": operating_point,
        "trained on (hash of the data)": str(metadata.data.get("sha256", "")),
        **{f"made with: {name}": version for name, version in metadata.versions.items()},
    }
