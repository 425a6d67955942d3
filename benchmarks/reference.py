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
- report     results by source, beside those of the packaged model
- install    copy the model and its results into the package and benchmarks/results
- decisions  what the operating points of the installed model reach, and its card, measured anew on
             the scores of `holdout`; its graph, calibration, thresholds and id stay
- seeds      the first training of `holdout` again with other seeds → seeds.csv
- seen       make the thumbprints in the installed model anew, from the images of the manifest
- card       robustness of the packaged model → MODEL_CARD.md
"""

from __future__ import annotations

import argparse
import csv
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from reference_card import full_card, read
from reference_decisions import redecide
from sklearn.metrics import roc_curve

import tumorscope
from tumorscope.assessment.robustness import measure_robustness
from tumorscope.assessment.seen import thumbprints_of
from tumorscope.auditing.audit import audit
from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.row import Row
from tumorscope.cohort.scan import scan_folder
from tumorscope.common.csv_files import read_csv, write_csv
from tumorscope.common.files import sha256_of
from tumorscope.common.progress import say
from tumorscope.conversion.convert import convert, load_sample
from tumorscope.experiments.crossval import crossval
from tumorscope.imaging.find import is_hidden
from tumorscope.model_file.onnx_file import read_model, write_model
from tumorscope.model_file.schema import Seen
from tumorscope.recipes.recipe import Recipe
from tumorscope.records.fold_protocol import PROTOCOL, read_protocol
from tumorscope.records.protocol import write_protocol
from tumorscope.statistics import Interval, cluster_bootstrap, wilson
from tumorscope.statistics.leave_source_out import both_labels, measure_left_out
from tumorscope.statistics.metrics import Metrics
from tumorscope.training.export import export_run
from tumorscope.training.train import train

NEVER_TRAINED = ("stripped_dev",)
"""Sources whose licence allows testing and tuning only."""

LEFT_ASIDE = ("outlined",)
"""Augmented copies of other sources."""

HOLD_OUT = (
    ("external_dev", "stripped_dev", "openneuro_ds002748_depression", "neurohacking"),
    (
        "navoneel_253",
        "openfmri_ds000011_t1",
        "alzheimer_kaggle4_6400",
        "open_ms",
        "bme_paediatric",
        "pumi_minitest",
        "antspy_t1_slices",
    ),
)
"""Sources left out together; more at once cost less time and flatter no figure. nichart_demo is
always trained on, so there is no figure of it."""

RESULTS = Path(__file__).parent / "results" / "reference.csv"
SEEDS = RESULTS.with_name("seeds.csv")
ROOT = Path(__file__).parents[1]
INSTALLED = Path(tumorscope.__file__).parent / "models" / "default.onnx"

AT_SPECIFICITY = "sensitivity_at_specificity_85"

STEPS = (
    "manifest", "holdout", "train", "export", "report", "install", "decisions", "seeds", "seen",
    "card"
)  # fmt: skip
USUAL = STEPS[: STEPS.index("install")]

OTHER_SEEDS = (1, 2)


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
        rows = []
        for folder in sorted(data.iterdir()):
            if not folder.is_dir() or is_hidden(folder.name):
                continue
            found = scan_folder(folder)
            for line in found.notes.words():
                say(f"{folder.name}: {line}")
            rows += [
                replace(row, path=f"{folder.name}/{row.path}", source=folder.name)
                for row in found.rows
            ]
    return audit(Manifest(tuple(rows), data), probes=False).manifest


def with_splits(manifest: Manifest) -> Manifest:
    """Everything trains but what must not."""
    return manifest.having(
        replace(row, split="testing" if row.source in NEVER_TRAINED else "training")
        for row in manifest.rows
    )


def parted(manifest: Manifest) -> tuple[Manifest, Manifest]:
    """Return the images never trained on in two: to judge 8-bit weights by, and to report on.

    Every other patient goes to each, so that no figure is of images that chose the model's form.
    """
    unseen = [row for row in manifest.rows if row.source in NEVER_TRAINED]
    judging = set(sorted({row.group for row in unseen})[::2])
    return (
        manifest.having(row for row in unseen if row.group in judging),
        manifest.having(row for row in unseen if row.group not in judging),
    )


def calibration(output: Path) -> Path:
    """Return a folder with the scores that calibrate: of sources left out that have both labels."""
    held_out = Manifest.load(output / "holdout" / "manifest.csv")
    sources = np.array([row.source for row in held_out.rows])
    # Sources with one label say nothing of how sure a tumour is.
    mixed = both_labels(held_out.labels, sources)
    kept = held_out.having(row for row in held_out.rows if row.source in mixed)
    chosen = {row.path for row in kept.rows}
    folder = output / "calibration"
    folder.mkdir(exist_ok=True)
    kept.save(folder / "manifest.csv")
    paths = {
        old.path: new.path
        for old, new in zip(kept.rows, Manifest.load(folder / "manifest.csv").rows, strict=True)
    }
    records = read_csv(output / "holdout" / "scores.csv")
    write_csv(
        folder / "scores.csv",
        tuple(records[0]),
        [{**each, "path": paths[each["path"]]} for each in records if each["path"] in chosen],
    )
    # Which images are scored is another matter than what scored them.
    write_protocol(folder / PROTOCOL, read_protocol(output / "holdout"))
    return folder


def export(output: Path, manifest: Manifest, outlines: Path | None) -> None:
    """Write model.onnx, and in packed/ its small form, calibrated on sources left out."""
    folder = calibration(output)
    kept = Manifest.load(folder / "manifest.csv")
    model = export_run(output / "run", output / "model.onnx", crossval=folder, outlines=outlines)
    judges, _ = parted(manifest)
    sample = load_sample(judges if len(judges) else kept, model)
    packed = convert(model, "onnx-int8", output=output / "packed", sample=sample)
    size = packed.path.stat().st_size / 1e6
    print(f"{packed.path}: {size:.2f} MB, {packed.trials[-1].name}")
    packed.path.rename(output / "packed" / "model.onnx")


def records_of(folder: Path, *, of: tuple[str, ...] | None = None) -> list[dict[str, object]]:
    """Return the figures of each source left out in a cross-validation, or of those named."""
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


def other_seeds(output: Path, manifest: Manifest, recipe: Recipe, weights: str) -> None:
    """Write how much of the figures is luck of the seed, for the sources that chose the recipe."""
    records = [
        {"seed": recipe.seed, **each} for each in records_of(output / "holdout", of=HOLD_OUT[0])
    ]
    sources = {row.source for row in manifest.rows}
    for seed in OTHER_SEEDS:
        folder = output / f"seed-{seed}"
        changes = {"seed": seed, "name": f"{recipe.name}-seed{seed}"}
        crossval(
            manifest,
            recipe=recipe.changed(changes),
            weights=weights,
            output=folder,
            hold_out=[[name for name in HOLD_OUT[0] if name in sources]],
            resume=True,
        )
        records += [{"seed": seed, **each} for each in records_of(folder)]
    write_csv(SEEDS, tuple(records[0]), records)


def report(output: Path) -> None:
    """Write what the recipe reaches on each source left out, beside the packaged figures."""
    records = records_of(output / "holdout")
    write_csv(output / "reference.csv", tuple(records[0]), records)
    before = {}
    if RESULTS.exists():
        before = {each["source"]: each for each in read_csv(RESULTS)}
    for record in records:
        was = before.get(str(record["source"]), {})
        words = ", ".join(
            f"{name} {record[name]} (packaged model: {was.get(name, '-')})"
            for name in ("auc", "sensitivity", "specificity", AT_SPECIFICITY)
            if record[name] != ""
        )
        print(f"{record['source']}: {words}")


def renew_thumbprints(path: Path, manifest: Manifest) -> None:
    """Make the thumbprints of a model file anew; its graph, and so its id, stay as they are."""
    model = read_model(path)
    trained = manifest.usable.of_split("training", "tuning")
    trained.check_files()
    if model.metadata.seen.total > len(trained):
        raise SystemExit(
            f"{path} knows {model.metadata.seen.total} images, and the manifest lists "
            f"{len(trained)} that were trained on. Give the manifest that it was trained from."
        )
    seen = Seen.pack(thumbprints_of(trained))
    written = write_model(path, model.graph, model.metadata.model_copy(update={"seen": seen}))
    print(f"{path}: {written.metadata.id} knows {seen.count} images")


def write_card(output: Path, manifest: Manifest, data: Path) -> None:
    """Write MODEL_CARD.md; the model file carries the shorter card that was exported with it."""
    _, reported = parted(manifest)
    found = measure_robustness(None, reported, output=output / "robustness").folder
    shutil.copyfile(found / "robustness.png", ROOT / "docs" / "images" / "robustness.png")
    shutil.copyfile(found / "robustness.csv", RESULTS.with_name("robustness.csv"))
    listed = read(data / "manifest.csv")
    licences = {each["source"]: each["licence"] for each in listed}
    used = {row.source for row in manifest.rows}
    model = read_model(INSTALLED)
    card = full_card(
        model.metadata,
        results=RESULTS.parent,
        robustness=RESULTS.with_name("robustness.csv"),
        held_out=Manifest.load(output / "holdout" / "manifest.csv"),
        scores={
            each["path"]: float(each["score"])
            for each in read_csv(output / "holdout" / "scores.csv")
        },
        patients=len(set(reported.groups.tolist())),
        licences={name: words for name, words in licences.items() if name in used},
        size=INSTALLED.stat().st_size,
    )
    (ROOT / "MODEL_CARD.md").write_text(card, encoding="utf-8")


def record_of(source: str, metrics: Metrics) -> dict[str, object]:
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", default="imagenet")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--recipe", default="reference")
    parser.add_argument("--outlines", type=Path)
    parser.add_argument("--steps", default=",".join(USUAL))
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
    if "export" in steps:
        export(output, manifest, arguments.outlines)
    if "report" in steps:
        report(output)
    if "install" in steps:
        INSTALLED.parent.mkdir(exist_ok=True)
        shutil.copyfile(output / "packed" / "model.onnx", INSTALLED)
        shutil.copyfile(output / "reference.csv", RESULTS)
    if "decisions" in steps:
        print(redecide(INSTALLED, calibration(output)))
    if "seeds" in steps:
        other_seeds(output, manifest, recipe, arguments.weights)
    if "seen" in steps:
        renew_thumbprints(INSTALLED, manifest)
    if "card" in steps:
        write_card(output, manifest, arguments.data)


if __name__ == "__main__":
    main()
