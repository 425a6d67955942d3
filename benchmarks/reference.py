"""Rebuild the model in the package, and say how close the rebuilt one comes.

    python benchmarks/reference.py --data FOLDER --weights imagenet|PATH -o OUT [--steps …]

FOLDER holds a manifest.csv with the columns path, label, group and source; or one folder per
source, each with class folders, which are then grouped by their content. Steps, each kept in OUT
and skipped where it is done:

- manifest   groups as given, joined where the audit finds one picture twice
- holdout    the recipe "reference" trained with sources left out in turn: the scores that
             calibrate, and the figures for images from elsewhere
- train      the same recipe on everything that may be trained on
- export     the model file in 8 bits behind the gate, calibrated on the scores left out
- report     results by source → benchmarks/results/reference.csv
- install    copy the model into the package
"""

from __future__ import annotations

import argparse
import csv
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

import tumorscope
from tumorscope.cohort.audit import audit
from tumorscope.cohort.manifest import Manifest, Row
from tumorscope.cohort.scan import scan_folder
from tumorscope.common.files import sha256_of
from tumorscope.training.crossval import crossval
from tumorscope.training.export import export_run
from tumorscope.training.recipe import Recipe
from tumorscope.training.run import Run, train

NEVER_TRAINED = ("stripped_dev",)
"""Sources whose licence allows testing and tuning only."""

LEFT_ASIDE = ("outlined",)
"""Augmented copies of other sources."""

HOLD_OUT = (
    ("external_dev", "stripped_dev", "openneuro_ds002748_depression", "neurohacking"),
    ("navoneel_253", "openfmri_ds000011_t1", "alzheimer_kaggle4_6400", "open_ms"),
    ("nichart_demo", "bme_paediatric", "pumi_minitest", "antspy_t1_slices"),
)
"""Sources left out together; more at once cost less time and flatter no figure."""

STEPS = ("manifest", "holdout", "train", "export", "report", "install")


def read_manifest(data: Path) -> Manifest:
    """Return the images of all sources, audited."""
    listed = data / "manifest.csv"
    if listed.is_file():
        with listed.open(encoding="utf-8", newline="") as stream:
            records = [each for each in csv.DictReader(stream) if each["source"] not in LEFT_ASIDE]
        rows = [
            Row(
                path=record["path"],
                sha256=sha256_of(data / record["path"]),
                label=int(record["label"]),
                group=record["group"],
                source=record["source"],
            )
            for record in records
        ]
    else:
        rows = [
            replace(row, path=f"{folder.name}/{row.path}", source=folder.name)
            for folder in sorted(data.iterdir())
            if folder.is_dir()
            for row in scan_folder(folder).rows
        ]
    return audit(Manifest(tuple(rows), data), probes=False).manifest


def with_splits(manifest: Manifest) -> Manifest:
    """Everything trains but what must not."""
    return manifest.having(
        replace(row, split="testing" if row.source in NEVER_TRAINED else "training")
        for row in manifest.rows
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", default="imagenet")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--recipe", default="reference")
    parser.add_argument("--outlines", type=Path)
    parser.add_argument("--steps", default=",".join(STEPS[:-1]))
    arguments = parser.parse_args()
    output, steps = arguments.output, arguments.steps.split(",")
    output.mkdir(parents=True, exist_ok=True)
    recipe = Recipe.load(arguments.recipe)
    listed = output / "manifest.csv"
    if "manifest" in steps and not listed.exists():
        with_splits(read_manifest(arguments.data)).save(listed)
    manifest = Manifest.load(listed)
    if "holdout" in steps:
        sources = {row.source for row in manifest.rows}
        held_out = [[name for name in names if name in sources] for names in HOLD_OUT]
        crossval(
            manifest,
            recipe=recipe,
            weights=arguments.weights,
            output=output / "holdout",
            hold_out=[names for names in held_out if names],
            resume=True,
        )
    if "train" in steps:
        train(
            manifest,
            recipe=recipe,
            weights=arguments.weights,
            output=output / "run",
            resume=True,
        )


if __name__ == "__main__":
    main()
