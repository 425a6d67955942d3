"""The rule for series of the packaged model: its levels chosen, and measured where possible.

Levels are chosen on tumour-free volumes: of each source and sequence at most one in twenty is
called tumour, with a confidence of 95 %, and some four of five are called tumour-free. Volumes of
sources that some training of the step `holdout` left out are scored by that model; the others by
the final one, which was trained on slices of these subjects and so flatters them, but with an input
check that was learnt without cuts of their volumes. The shape of the
rule (kernel, limit, depth) was chosen on the same volumes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import nct, norm

from packaged_model.listed_volumes import halves, listed_volumes
from packaged_model.places import CHECKED, HALF
from packaged_model.series_scores import Scored, scored_volumes
from packaged_model.sources import EVER_LEFT_OUT, HOLD_OUT
from tumorscope.common.csv_files import write_csv
from tumorscope.common.files import atomic_path
from tumorscope.model_file.decision import Answer
from tumorscope.model_file.onnx_file import read_model, write_model
from tumorscope.model_file.schema import Estimate, Metadata
from tumorscope.model_file.series_rule import SeriesLevel, SeriesRule
from tumorscope.scans import Plane
from tumorscope.statistics.intervals import wilson

ALARMS, OPEN = 0.05, 0.20
"""Share of tumour-free series that may be called tumour, and that may not be called tumour-free."""

SURE = 0.95
"""Confidence that no more are called tumour."""

KIND = 5
"""Series of one source and sequence that say something of their spread."""

LEAST = 20
"""Tumour-free series of a plane that its levels need."""

FOLDS = 10

PLANES: tuple[Plane, ...] = ("axial", "coronal", "sagittal")


def choose_series(model: Path, data: Path, holdout: Path, results: Path) -> str:
    """Write the rule for series into a model file, and what it reached as a table.

    Graph and id of the model stay.

    Parameters
    ----------
    model : Path
        The model file; replaced.
    data : Path
        Folder with volumes/volumes.csv.
    holdout : Path
        Folder of the step `holdout`: without-0/checked.onnx …, half-0/checked.onnx …, as the step
        `check` writes them.
    results : Path
        series.csv.

    Returns
    -------
    str
        What was chosen, for people.
    """
    stored = read_model(model)
    left_out = {f"without-{number}": frozenset(names) for number, names in enumerate(HOLD_OUT)}
    for number, subjects in enumerate(halves(listed_volumes(data), EVER_LEFT_OUT)):
        left_out[HALF.format(number)] = subjects
    models = {
        path: names
        for folder, names in left_out.items()
        if (path := holdout / folder / CHECKED).is_file()
    }
    found = list(scored_volumes(data, models, model))
    rule = SeriesRule(threshold=stored.metadata.operating_points["balanced"].threshold)
    levels: dict[Plane, SeriesLevel] = {}
    for plane in PLANES:
        free = [each for each in found if each.plane == plane and not each.label]
        if len(free) >= LEAST:
            levels[plane] = _level(free, rule, stored.metadata)
    rule = rule.model_copy(update={"levels": levels})
    records = _records(found, rule, stored.metadata)
    write_csv(results, tuple(records[0]), records)
    # The card was written before there was a rule for volumes.
    card = stored.metadata.card.replace(
        " whole volumes.", " volumes with a tumour beyond the few that it was tried on."
    )
    changed = stored.metadata.model_copy(update={"series": rule, "card": card})
    with atomic_path(model) as temporary:
        written = write_model(temporary, stored.graph, changed)
    if written.metadata.id != stored.metadata.id:
        raise SystemExit(f"{model}: the id changed to {written.metadata.id}.")
    lines = [f"{plane}: {level}" for plane, level in levels.items()]
    return "\n".join([*lines, sparing(found, rule, stored.metadata)])


def sparing(found: Sequence[Scored], rule: SeriesRule, metadata: Metadata) -> str:
    """Return how many series have the same answer where only some slices are asked about."""
    asked = [(each, rule.levels[each.plane]) for each in found if each.plane in rule.levels]
    same = sum(
        level.decide(each.score(rule, metadata))
        == level.decide(each.sparing_score(rule, metadata, level))
        for each, level in asked
    )
    return f"asked about sparingly, {same} of {len(asked)} have the same answer"


def _level(free: Sequence[Scored], rule: SeriesRule, metadata: Metadata) -> SeriesLevel:
    """Return the levels of a plane, and what levels reach that were chosen without a subject."""
    scores = {each: each.score(rule, metadata) for each in free}
    names = np.random.default_rng(0).permutation(sorted({each.subject for each in free}))
    alarms = open_still = 0
    for part in np.array_split(names, FOLDS):
        others = {each: score for each, score in scores.items() if each.subject not in part}
        no_tumour, tumour = _chosen(others)
        tested = np.array([score for each, score in scores.items() if each.subject in part])
        hidden = np.array([s.refused_within for s in scores if s.subject in part], dtype=bool)
        alarms += int((tested >= tumour).sum())
        open_still += int(((tested < tumour) & ((tested >= no_tumour) | hidden)).sum())
    no_tumour, tumour = _chosen(scores)
    return SeriesLevel(
        no_tumour=round(no_tumour, 3),
        tumour=round(tumour, 3),
        series=len(scores),
        subjects=len(names),
        alarms=_estimate(alarms, len(scores)),
        abstained=_estimate(open_still, len(scores)),
    )


def _chosen(scores: Mapping[Scored, float], *, between: bool = True) -> tuple[float, float]:
    """Return the levels between which a series is not answered: the highest of any kind's.

    A kind is the series of one source and sequence. The upper level is a tolerance limit: with a
    confidence of 95 % no more than one in twenty of its kind lies above it, if scores are normally
    distributed; the highest of a dozen would say too little.
    """
    lows, highs = [], []
    for mine in _kinds(scores):
        mean, spread, n = float(mine.mean()), float(mine.std(ddof=1)), len(mine)
        factor = nct.ppf(SURE, n - 1, norm.ppf(1.0 - ALARMS) * np.sqrt(n)) / np.sqrt(n)
        highs.append(mean + float(factor) * spread)
        lows.append(mean + float(norm.ppf(1.0 - OPEN)) * spread)
    return max(lows), max(highs) + (_shortfall(scores) if between else 0.0)


def _shortfall(scores: Mapping[Scored, float]) -> float:
    """Return by how much a level that was chosen on other sources is too low for a source."""
    found = [0.0]
    for source in {each.source for each in scores}:
        others = {each: score for each, score in scores.items() if each.source != source}
        if _kinds(others):
            mine = np.array([score for each, score in scores.items() if each.source == source])
            needed = np.quantile(mine, 1.0 - ALARMS, method="higher")
            found.append(float(needed) - _chosen(others, between=False)[1])
    return max(found)


def _kinds(scores: Mapping[Scored, float]) -> list[NDArray[np.float64]]:
    """Return the scores of each source and sequence that has enough of them."""
    found: dict[tuple[str, str], list[float]] = {}
    for each, score in scores.items():
        found.setdefault((each.source, each.sequence), []).append(score)
    return [np.array(mine) for mine in found.values() if len(mine) >= KIND]


def _records(
    found: Sequence[Scored], rule: SeriesRule, metadata: Metadata
) -> list[dict[str, object]]:
    """Return a row for the tumour-free volumes of each source, and one for each with a tumour."""
    records: list[dict[str, object]] = []
    for plane, level in rule.levels.items():
        free = [each for each in found if each.plane == plane and not each.label]
        for source, sequence in sorted({(each.source, each.sequence) for each in free}):
            mine = [each for each in free if (each.source, each.sequence) == (source, sequence)]
            scores = np.array([each.score(rule, metadata) for each in mine])
            alarms = int((scores >= level.tumour).sum())
            elsewhere = {each: each.score(rule, metadata) for each in free if each.source != source}
            level_there = _chosen(elsewhere, between=False)[1] if _kinds(elsewhere) else None
            by_others = "" if level_there is None else int((scores >= level_there).sum())
            estimate = _estimate(alarms, len(mine))
            records.append(
                {
                    "plane": plane,
                    "what": "tumour-free",
                    "source": source,
                    "sequence": sequence,
                    "left_out": "yes" if mine[0].left_out else "no",
                    "series": len(mine),
                    "called_tumour": alarms,
                    "not_answered": sum(
                        _answer(each, score, level) == "abstain"
                        for each, score in zip(mine, scores, strict=True)
                    ),
                    "called_by_others": by_others,
                    "rate": f"{estimate.value:.3f}",
                    "rate_low": f"{estimate.low:.3f}",
                    "rate_high": f"{estimate.high:.3f}",
                    "score": f"{scores.max():.2f}",
                    **_slices(mine),
                }
            )
        for each in (one for one in found if one.plane == plane and one.label):
            score = each.score(rule, metadata)
            answer = _answer(each, score, level)
            records.append(
                {
                    "plane": plane,
                    "what": Path(each.path).name,
                    "source": each.source,
                    "sequence": each.sequence,
                    "left_out": "yes" if each.left_out else "no",
                    "series": 1,
                    "called_tumour": int(answer == "tumour"),
                    "not_answered": int(answer == "abstain"),
                    "called_by_others": "",
                    "rate": "",
                    "rate_low": "",
                    "rate_high": "",
                    "score": f"{score:.2f}",
                    **_slices([each]),
                }
            )
    return records


def _slices(series: Sequence[Scored]) -> dict[str, object]:
    """Return how many slices show a head, and how many of these are refused."""
    refused = sum(int(np.isnan(each.logits[each.heads]).sum()) for each in series)
    return {"slices": sum(int(each.heads.sum()) for each in series), "refused": refused}


def _answer(series: Scored, score: float, level: SeriesLevel) -> Answer:
    """Return what detection answers: nothing is free of tumours that was refused within."""
    answer = level.decide(score)
    return "abstain" if answer == "no tumour" and series.refused_within else answer


def _estimate(count: int, total: int) -> Estimate:
    found = wilson(count, total)
    return Estimate(value=found.value, low=found.low, high=found.high)
