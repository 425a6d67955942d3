"""MODEL_CARD.md of the packaged model: what was measured, from the files that hold it."""

from __future__ import annotations

import csv
from pathlib import Path

from packaged_model.series_card import series_section
from tumorscope.cohort.manifest import Manifest
from tumorscope.model_file.schema import Metadata

WORST = 8
"""Surest errors that are listed of each kind."""

DOUBTS = (
    "The recipe was developed by looking at `external_dev` and `stripped_dev`, whose results are a "
    "little too good for that; the other sources chose nothing. In `external_dev` source and label "
    "are partly confounded: trivial features reach an AUC of 0.79 within it. `navoneel_253` holds "
    "an abdominal CT labelled tumour and a head CT with a mass labelled none."
)

Records = list[dict[str, str]]


def read(path: Path) -> Records:
    """Return the rows of a CSV file; none where it is missing."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def full_card(
    metadata: Metadata,
    *,
    results: Path,
    robustness: Path,
    held_out: Manifest,
    scores: dict[str, float],
    patients: int,
    licences: dict[str, str],
    size: int,
) -> str:
    """Return the card in Markdown.

    Parameters
    ----------
    metadata : Metadata
        Of the model; its own card is the beginning.
    results : Path
        Folder of reference.csv, seeds.csv, evidence_left_out.csv, series.csv and shortcuts.csv.
    robustness : Path
        robustness.csv.
    held_out, scores
        Images whose source was left out of training, and path → score.
    patients : int
        Groups that robustness was measured on.
    licences : dict
        Source → licence as far as stated.
    size : int
        Of the model file, in bytes.
    """
    size_of_input = metadata.preprocessing.size
    sections = [
        metadata.card.split("## What is not known")[0].rstrip(),
        f"## The file\n\n`src/tumorscope/models/default.onnx`, {size / 1e6:.2f} MB, id "
        f"`{metadata.id}`, weights as {metadata.precision}, input uint8 grey "
        f"{size_of_input} × {size_of_input}. "
        "Made by `packaged_model/build.py`, as `make model` does it.",
        _sources(read(results / "reference.csv")) + _seeds(read(results / "seeds.csv")),
        _evidence(read(results / "evidence_left_out.csv")),
        series_section(metadata.series, read(results / "series.csv")),
        _licences(licences),
        _robustness(read(robustness), patients),
        _shortcuts(read(results / "shortcuts.csv"), metadata.id),
        _errors(held_out, scores),
        _not_known(metadata),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _not_known(metadata: Metadata) -> str:
    return "## What is not known" + metadata.card.split("## What is not known")[1].rstrip()


def _interval(record: dict[str, str], name: str) -> str:
    if not record[name]:
        return "–"
    if not record[f"{name}_low"]:
        return record[name]
    return f"{record[name]} ({record[f'{name}_low']}–{record[f'{name}_high']})"


def _sources(records: Records) -> str:
    rows = [
        f"| {each['source']} | {each['images']} ({each['tumour']}) | {each['groups']} | "
        + " | ".join(_interval(each, name) for name in ("auc", "sensitivity", "specificity", "ece"))
        + " |"
        for each in records
    ]
    return (
        "## Results on sources left out of training\n\n"
        "The model in the file has seen all of these but `stripped_dev`. The results are those of "
        "the same recipe trained without the source, and without images elsewhere that show the "
        "same picture or patient; calibration and operating point (balanced) come from other "
        "sources. Intervals (95 %) resample groups. Sources were left out several at a time, as "
        "`packaged_model/sources.py` lists.\n\n"
        "| source | images (tumour) | groups | AUC | sensitivity | specificity | calibration "
        "error |\n|---|---|---|---|---|---|---|\n" + "\n".join(rows) + "\n\n" + DOUBTS
    )


def _seeds(records: Records) -> str:
    """Say how much of these results is luck of the seed."""
    results = [
        f"`{source}` {_and([f'{auc} (seed {seed})' for seed, auc in reached])}"
        for source in dict.fromkeys(each["source"] for each in records)
        if (
            reached := [
                (r["seed"], r["auc"]) for r in records if r["source"] == source and r["auc"]
            ]
        )
    ]
    if not results:
        return ""
    return (
        "\n\nThe same training with different seeds, with the same sources left out: AUC on "
        f"{' and on '.join(results)}. The packaged model has seed 0, whose results were looked at "
        "first; take the spread as part of every result above "
        "(`python -m packaged_model.build --steps seeds`, `benchmarks/results/seeds.csv`)."
    )


def _evidence(records: Records) -> str:
    """Say how often the evidence points at the lesion, in sources left out."""
    if not records:
        return ""
    rows = [
        f"| {each['source']} | {each['images']} | {each['groups']} | {_interval(each, 'hits')} | "
        f"{each['hits_by_chance']} | {_interval(each, 'inside')} | {each['inside_by_chance']} |"
        for each in records
    ]
    return (
        "## Does the evidence lie on the lesion?\n\n"
        "In images with outlined lesions, of sources left out of training: *hits*, the share whose "
        "strongest spot lies inside the outline, and the share of the evidence for a tumour that "
        "does; chance is a spot anywhere on tissue.\n\n"
        "| source | images | groups | hits | by chance | evidence inside | by chance |\n"
        "|---|---|---|---|---|---|---|\n" + "\n".join(rows)
    )


def _and(words: list[str]) -> str:
    return ", ".join(words[:-1]) + " and " + words[-1] if len(words) > 1 else words[0]


def _licences(licences: dict[str, str]) -> str:
    rows = [f"| {source} | {licence} |" for source, licence in sorted(licences.items())]
    return (
        "## Licences of the data, as far as any source states them\n\n"
        "No image is in the model file or in this repository.\n\n| source | licence |\n|---|---|\n"
        + "\n".join(rows)
    )


def _robustness(records: Records, patients: int) -> str:
    if not records:
        return ""
    rows = []
    for each in records:
        was = f" (as they are: {each['auc_before']})" if each["perturbation"] != "none" else ""
        rows.append(
            f"| {each['perturbation']} | {_strength(each)} | {each['images']} | "
            f"{each['auc']}{was} | {each['sensitivity']} | {each['specificity']} | "
            f"{_interval(each, 'flips')} |"
        )
    whole = records[0]
    return (
        f"## Robustness\n\nThe packaged model on {whole['images']} images of {patients} patients "
        "of `stripped_dev`, changed step by step. They had no part in the model, except that its "
        "recipe was developed by looking at them: neither in its weights, nor in its calibration "
        "and thresholds (those come from other sources), nor in the choice "
        "of its 8-bit form (that was judged on the other patients). As they are: AUC "
        f"{_interval(whole, 'auc')}, sensitivity {_interval(whole, 'sensitivity')}, specificity "
        f"{_interval(whole, 'specificity')}. The step `card` of `packaged_model/build.py`; the "
        "curves are in [docs/images/robustness.png](docs/images/robustness.png).\n\n"
        "| change | strength | images | AUC | sensitivity | specificity | share of calls that "
        "change |\n|---|---|---|---|---|---|---|\n" + "\n".join(rows)
    )


def _strength(record: dict[str, str]) -> str:
    """Return a strength in words; the unit of a choice lists what its numbers stand for."""
    strength, unit = record["strength"], record["unit"]
    if record["perturbation"] == "none":
        return "–"
    if unit.startswith("1 "):
        return dict(each.split(" ", 1) for each in unit.split(", ", 1))[strength]
    return f"{strength} {unit}"


def _shortcuts(records: Records, model: str) -> str:
    mine = [each for each in records if each["model"] == model]
    if not mine:
        return ""
    rows = [
        f"| {each['label']} | {each['of']} | {each['sources']} | {each['images']} | "
        f"{each['chance']} | {each['balanced_accuracy']} ({each['low']}–{each['high']}) |"
        for each in mine
    ]
    return (
        "## Does it read the source?\n\nA probe told the source of images within one label, from "
        "the pooled features, from the logit alone, and from the features of the same network "
        "before training on MRI (`python benchmarks/shortcuts.py`). The decision uses the logit "
        "alone.\n\n| label | probe sees | sources | images | chance | balanced accuracy |\n"
        "|---|---|---|---|---|---|\n" + "\n".join(rows)
    )


def _errors(held_out: Manifest, scores: dict[str, float]) -> str:
    rows = []
    for label, words in ((0, "no tumour"), (1, "tumour")):
        of_label = [row for row in held_out.rows if row.label == label]
        of_label.sort(key=lambda row: scores[row.path], reverse=label == 0)
        rows += [
            f"| {row.source}/{Path(row.path).name} | {words} | {scores[row.path]:.3f} |"
            for row in of_label[:WORST]
        ]
    return (
        "## Surest errors\n\nOn sources left out of training; look at them before you trust a "
        "result. Some labels are doubtful.\n\n| image | reference standard | score |\n|---|---|---"
        "|\n" + "\n".join(rows)
    )
