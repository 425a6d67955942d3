"""What the decisions of a finished model reach, measured again; nothing that decides is changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.split import grouped_folds
from tumorscope.common.csv_files import read_csv
from tumorscope.common.files import atomic_path
from tumorscope.model_file.onnx_file import read_model, write_model
from tumorscope.statistics.decisions import FittedRules, fit_and_measure
from tumorscope.statistics.platt import logit
from tumorscope.training.card import with_decisions
from tumorscope.training.held_out import MEASURING_FOLDS, origin_of_left_out


def redecide(path: Path, scored: Path) -> str:
    """Measure the operating points of a model file by its own rule, and write its card again.

    Graph, calibration, thresholds, quantiles and so the id stay as they are. What each operating
    point reaches is measured as at export: on each fold with everything fitted on the others.

    Parameters
    ----------
    path : Path
        The model file; replaced.
    scored : Path
        Folder with manifest.csv and scores.csv: images whose source was left out of training.

    Returns
    -------
    str
        How far values fitted on these scores are from those in the model, for people: nothing but
        rounding where they are the scores that it was made with.
    """
    model = read_model(path)
    metadata = model.metadata
    manifest = Manifest.load(scored / "manifest.csv").usable
    # As at export: what will be tested on has no part in decisions.
    manifest = manifest.having(row for row in manifest.rows if row.split != "testing")
    score_of = {each["path"]: float(each["score"]) for each in read_csv(scored / "scores.csv")}
    labels, groups = manifest.labels, manifest.groups
    found = fit_and_measure(
        labels,
        logit(np.array([score_of[row.path] for row in manifest.rows])),
        grouped_folds(labels, groups, folds=MEASURING_FOLDS, seed=0),
        miscoverage=metadata.conformal.miscoverage,
    )
    points = {
        name: found.points[name].model_copy(
            update={"threshold": point.threshold, "policy": point.policy}
        )
        for name, point in metadata.operating_points.items()
    }
    kept = FittedRules(
        slope=metadata.calibration.slope,
        intercept=metadata.calibration.intercept,
        thresholds={name: point.threshold for name, point in points.items()},
        quantiles=(metadata.conformal.no_tumour, metadata.conformal.tumour),
    )
    origin = origin_of_left_out(manifest)
    changed = metadata.model_copy(update={"operating_points": points})
    card = with_decisions(metadata.card, changed, replace(found, rules=kept), origin)
    with atomic_path(path) as temporary:
        written = write_model(temporary, model.graph, changed.model_copy(update={"card": card}))
    if written.metadata.id != metadata.id:
        raise SystemExit(f"{path}: the id changed from {metadata.id} to {written.metadata.id}.")
    return f"{metadata.id}, {len(labels)} scores. {_apart(kept, found.rules)}"


def _apart(stored: FittedRules, fitted: FittedRules) -> str:
    pairs = {
        "slope": (stored.slope, fitted.slope),
        "intercept": (stored.intercept, fitted.intercept),
        **{
            f"threshold “{name}”": (threshold, fitted.thresholds[name])
            for name, threshold in stored.thresholds.items()
        },
        "quantile of no tumour": (stored.quantiles[0], fitted.quantiles[0]),
        "quantile of tumour": (stored.quantiles[1], fitted.quantiles[1]),
    }
    return "In the model, and fitted on these scores: " + ", ".join(
        f"{name} {mine:.4f} and {theirs:.4f}" for name, (mine, theirs) in pairs.items()
    )
