"""What a model file says of every image of a cohort: the detector, asked by the thousand."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tumorscope.cohort.arrays import BATCH, batches
from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.row import Row
from tumorscope.common.cores import cores
from tumorscope.common.csv_files import write_csv
from tumorscope.common.progress import track
from tumorscope.detection import rules
from tumorscope.detection.engines import open_engine
from tumorscope.detection.seen import SeenImages
from tumorscope.imaging import Preprocessing, prepare
from tumorscope.imaging.read import open_image
from tumorscope.model_file.onnx_file import ModelFile
from tumorscope.model_file.schema import InputCheck
from tumorscope.statistics.answers import Answers
from tumorscope.statistics.platt import sigmoid


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """What a model file says of each image, in the order of the manifest.

    Attributes
    ----------
    scores, raw : ndarray of float64, shape (n,)
        Calibrated probability, and the network's own score.
    decisions : sequence of str
        As `tumorscope predict` tells them.
    reasons : sequence of tuple of str
    seen : ndarray of bool, shape (n,), or None
        Whether the model's thumbprints know the image; None where its file holds none, so that
        nobody can tell.
    answers : Answers
        The same for a report.
    """

    scores: NDArray[np.float64]
    raw: NDArray[np.float64]
    decisions: Sequence[str]
    reasons: Sequence[tuple[str, ...]]
    seen: NDArray[np.bool_] | None
    answers: Answers


def ask(model: ModelFile, manifest: Manifest, *, operating_point: str = "balanced") -> Said:
    """Return what a model says of the images of a manifest.

    Every image is scored, also those that the input check refuses.

    Raises
    ------
    UsageError
        If the model has no such operating point.
    UnreadableImageError
        If an image cannot be read.
    """
    metadata = model.metadata
    rule = rules.rule_of(metadata, operating_point)
    how, check = metadata.preprocessing.preprocessing, metadata.input_check
    known = SeenImages(metadata.seen)
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
    scores, logits, distance = (np.empty(len(manifest)) for _ in range(3))
    parts = list(batches(np.arange(len(manifest)), BATCH))
    for part in track(parts, "Scoring", total=len(parts)):
        outputs = engine.run(pixels[part])
        scores[part], logits[part] = outputs.probability, outputs.logit
        distance[part] = outputs.distance
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
    raw = sigmoid(logits)
    answers = Answers(
        model=metadata.id,
        operating_point=operating_point,
        zone=rule.zone,
        raw=raw,
        answers=rule.answers(scores),
        refused=np.array([each == "refused" for each in decisions], dtype=bool),
    )
    return Said(
        scores=scores,
        raw=raw,
        decisions=decisions,
        reasons=reasons,
        seen=seen if known.count else None,
        answers=answers,
    )


def write_scores(path: Path, manifest: Manifest, said: Said) -> None:
    """Write scores.csv: what was said of each image."""
    write_csv(
        path,
        ("path", "label", "score", "decision", "reasons", "seen", "raw_score"),
        [
            {
                "path": row.path,
                "label": row.label,
                "score": f"{score:.8f}",
                "decision": decision,
                "reasons": ";".join(reasons),
                "seen": "" if seen is None else str(bool(seen)).lower(),
                "raw_score": f"{raw:.8f}",
            }
            for row, score, decision, reasons, seen, raw in zip(
                manifest.rows,
                said.scores,
                said.decisions,
                said.reasons,
                [None] * len(manifest) if said.seen is None else said.seen,
                said.raw,
                strict=True,
            )
        ],
    )


def _look(
    path: Path, how: Preprocessing, check: InputCheck, known: SeenImages
) -> tuple[NDArray[np.uint8], tuple[str, ...], bool]:
    opened = open_image(path)
    seen = bool(known.holds(opened.slice))
    reasons = rules.input_reasons(opened.slice, check, coloured=opened.coloured)
    return prepare(opened.slice, how), reasons, seen
