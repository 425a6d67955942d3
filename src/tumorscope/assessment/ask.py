"""Asking a model file about many images: the one loop over an engine, and what it says."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tumorscope.assessment.pointing import Outline, point_at
from tumorscope.cohort.arrays import BATCH, batches
from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.row import Row
from tumorscope.common.cores import cores
from tumorscope.common.csv_files import write_csv
from tumorscope.common.progress import track
from tumorscope.detection import rules
from tumorscope.detection.engines import open_engine
from tumorscope.detection.engines.base import Engine, Outputs
from tumorscope.detection.seen import SeenImages
from tumorscope.imaging import Preprocessing, Slice, prepare
from tumorscope.imaging.lesion_mask import read_mask
from tumorscope.imaging.read import open_image
from tumorscope.model_file.onnx_file import ModelFile
from tumorscope.statistics.answers import Answers
from tumorscope.statistics.platt import sigmoid
from tumorscope.statistics.pointing_game import Pointing


def ask(engine: Engine, pixels: NDArray[np.uint8], *, label: str = "") -> Outputs:
    """Return what an engine computes for any number of prepared images, batch by batch.

    Parameters
    ----------
    engine : Engine
        See `tumorscope.detection.engines.open_engine`.
    pixels : ndarray of uint8, shape (n, size, size)
        At least one.
    label : str
        Of a progress bar; none without.

    Returns
    -------
    Outputs
        Of all images, in their order.
    """
    parts = list(batches(np.arange(len(pixels)), BATCH))
    asked = track(parts, label, total=len(parts)) if label else parts
    found = [engine.run(pixels[part]) for part in asked]
    names = [each.name for each in fields(Outputs)]
    return Outputs(
        **{name: np.concatenate([getattr(each, name) for each in found]) for name in names}
    )


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
    pointing : Pointing or None
        Whether the evidence lies on outlined lesions; None where that was not asked, or fewer than
        two are outlined.
    """

    scores: NDArray[np.float64]
    raw: NDArray[np.float64]
    decisions: Sequence[str]
    reasons: Sequence[tuple[str, ...]]
    seen: NDArray[np.bool_] | None
    answers: Answers
    pointing: Pointing | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A cohort as a model's engine takes it, and what is known of it before the engine is asked.

    Attributes
    ----------
    pixels : ndarray of uint8, shape (n, size, size)
    refusals : sequence of tuple of str
        Why the input check refuses an image before the engine is asked.
    seen : ndarray of bool, shape (n,), or None
        See `Said`.
    outlines : sequence of (Outline or None)
        None where no lesion is outlined, or nobody asked.
    """

    pixels: NDArray[np.uint8]
    refusals: Sequence[tuple[str, ...]]
    seen: NDArray[np.bool_] | None
    outlines: Sequence[Outline | None]


def ask_cohort(
    model: ModelFile,
    manifest: Manifest,
    *,
    operating_point: str = "balanced",
    outlines: bool = False,
) -> Said:
    """Return what a model says of the images of a manifest.

    Every image is scored, also those that the input check refuses. With `outlines`, it is measured
    as well whether the evidence lies on the lesions that masks outline.

    Raises
    ------
    UsageError
        If the model has no such operating point.
    UnreadableImageError
        If an image cannot be read.
    InputError
        If a mask that is asked for is not there or has another size than its image.
    """
    metadata = model.metadata
    rule = rules.rule_of(metadata, operating_point)
    prepared = prepare_for(model, manifest, outlines=outlines)
    outputs = ask(open_engine(model), prepared.pixels, label="Scoring")
    scores, raw = outputs.probability.astype(np.float64), sigmoid(outputs.logit.astype(np.float64))
    verdicts = [
        rules.judge(rule, metadata.input_check, score, distance, refusals)
        for score, distance, refusals in zip(
            scores.tolist(), outputs.distance.tolist(), prepared.refusals, strict=True
        )
    ]
    return Said(
        scores=scores,
        raw=raw,
        decisions=[each.decision for each in verdicts],
        reasons=[each.reasons for each in verdicts],
        seen=prepared.seen,
        answers=Answers(
            model=metadata.id,
            operating_point=operating_point,
            zone=rule.zone,
            raw=raw,
            answers=rule.answers(scores),
            refused=np.array([each.decision == "refused" for each in verdicts], dtype=bool),
        ),
        pointing=point_at(metadata, manifest, prepared, outputs.evidence) if outlines else None,
    )


def prepare_for(model: ModelFile, manifest: Manifest, *, outlines: bool = False) -> Prepared:
    """Read every image once: for the engine, for the input check and for the thumbprints.

    With `outlines`, masks of lesions are read as well.

    Raises
    ------
    UnreadableImageError
        If an image or a mask cannot be read.
    InputError
        If a mask has another size than its image.
    """
    metadata = model.metadata
    how, known = metadata.preprocessing.preprocessing, SeenImages(metadata.seen)

    def look(row: Row) -> tuple[NDArray[np.uint8], tuple[str, ...], bool, Outline | None]:
        opened = open_image(manifest.file(row))
        scan, check = opened.slice, metadata.input_check
        refusals = rules.input_reasons(
            scan, check, coloured=opened.coloured, damaged=opened.damaged
        )
        outline = _outline(manifest, row, scan, how) if outlines else None
        prepared = prepare(scan, how)
        return prepared, refusals, bool(known.holds(scan, prepared)), outline

    pixels = np.empty((len(manifest), how.size, how.size), dtype=np.uint8)
    seen = np.zeros(len(manifest), dtype=bool)
    reasons: list[tuple[str, ...]] = []
    found: list[Outline | None] = []
    with ThreadPoolExecutor(cores()) as pool:
        looked = track(pool.map(look, manifest.rows), "Reading images", total=len(manifest))
        for index, (image, refusals, copy, outline) in enumerate(looked):
            pixels[index], seen[index] = image, copy
            reasons.append(refusals)
            found.append(outline)
    return Prepared(pixels, reasons, seen if known.count else None, found)


def _outline(manifest: Manifest, row: Row, scan: Slice, how: Preprocessing) -> Outline | None:
    mask = manifest.mask_file(row)
    lesion = None if mask is None else read_mask(mask, scan.pixels.shape)
    return Outline.of(scan, lesion, how) if lesion is not None and lesion.any() else None


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
