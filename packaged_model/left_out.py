"""What the recipe reaches on sources that were left out of its training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

from packaged_model.leave_source_out import measure_left_out
from tumorscope.cohort.manifest import Manifest
from tumorscope.common.csv_files import read_csv
from tumorscope.statistics import Interval, cluster_bootstrap, wilson
from tumorscope.statistics.metrics import Metrics

AT_SPECIFICITY = "sensitivity_at_specificity_85"


def records_of(folder: Path, *, of: tuple[str, ...] | None = None) -> list[dict[str, object]]:
    """Return the results on each source left out in a cross-validation, or of those named."""
    held_out = Manifest.load(folder / "manifest.csv")
    score_of = {each["path"]: float(each["score"]) for each in read_csv(folder / "scores.csv")}
    held_out = held_out.having(
        row for row in held_out.rows if row.path in score_of and (of is None or row.source in of)
    )
    labels, groups = held_out.labels, held_out.groups
    scores = np.array([score_of[row.path] for row in held_out.rows])
    sources = np.array([row.source for row in held_out.rows])
    records = []
    for source, metrics in measure_left_out(labels, scores, groups, sources).items():
        chosen = sources == source
        reached = at_specificity(labels[chosen], scores[chosen], groups[chosen])
        records.append(record_of(source, metrics) | reached)
    return records


def record_of(source: str, metrics: Metrics) -> dict[str, object]:
    """Return what was measured on one source as a row of reference.csv."""
    record: dict[str, object] = {
        "source": source,
        "images": metrics.n,
        "tumour": metrics.n_positive,
        "groups": metrics.n_groups,
        "threshold": f"{metrics.threshold:.3f}",
    }
    estimates = {**metrics.by_group, "ece": metrics.metrics["ece"]}
    for name, estimate in estimates.items():
        # Resampling cannot tell how sure "never wrong" is; the number of groups can.
        if estimate.value == 1.0 and not isinstance(estimate, Interval):
            estimates[name] = wilson(metrics.n_groups, metrics.n_groups)
    for name, estimate in estimates.items():
        for part in ("value", "low", "high"):
            name_of_part = name if part == "value" else f"{name}_{part}"
            number = getattr(estimate, part, None)  # what has no interval may have a value
            record[name_of_part] = "" if number is None else f"{number:.3f}"
    return record


def at_specificity(
    labels: NDArray[np.int64], scores: NDArray[np.float64], groups: NDArray[np.str_]
) -> dict[str, object]:
    """Return the highest sensitivity of any threshold with a specificity of at least 0.85.

    The threshold is chosen on the same images: it says how well a source's images are ranked, not
    what someone with that source would see.
    """
    record: dict[str, object] = dict.fromkeys(
        (AT_SPECIFICITY, f"{AT_SPECIFICITY}_low", f"{AT_SPECIFICITY}_high"), ""
    )
    if not 0 < labels.sum() < len(labels):
        return record

    def sensitivity(indices: NDArray[np.intp]) -> float:
        drawn = labels[indices]
        if not 0 < drawn.sum() < len(drawn):
            return np.nan
        false_positive, true_positive, _ = roc_curve(
            drawn, scores[indices], drop_intermediate=False
        )
        return float(true_positive[false_positive <= 1 - 0.85].max())

    found = cluster_bootstrap(sensitivity, groups)
    numbers = (found.value, found.low, found.high)
    return {name: f"{number:.3f}" for name, number in zip(record, numbers, strict=True)}
