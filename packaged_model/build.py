"""Rebuild the model in the package, and say how close the rebuilt one comes.

    python -m packaged_model.build --data FOLDER --weights imagenet|PATH -o OUT [--steps …]

FOLDER holds a manifest.csv with the columns path, label, group and source, and mask where lesions
are outlined; or one folder per source, each with class folders, which are then grouped by their
content. Steps, each kept in OUT
and skipped where it is done:

- manifest   groups as given, joined where the audit finds one picture twice
- holdout    the recipe "reference" trained with sources left out in turn: the scores that
             calibrate, and the results on images from elsewhere
- train      the same recipe on everything that may be trained on
- export     the model file, its weights stored in 8 bits, calibrated on the scores left out
- report     results by source, beside those of the packaged model
- install    copy the model and its results into the package and benchmarks/results
- check      learn the input check of the installed model anew, from the images of the manifest,
             coronal and sagittal cuts of the tumour-free volumes in FOLDER/volumes, and drawings;
             another graph and so another id, but what it says of brains stays
- series     how slices of the installed model become the answer for a series: levels chosen on the
             tumour-free volumes in FOLDER/volumes, scored by the trainings of `holdout` where
             these left them out → series.csv; graph and id stay
- decisions  what the operating points of the installed model reach, and its card, measured again on
             the scores of `holdout`; its graph, calibration, thresholds and id stay
- seeds      the first training of `holdout` again with other seeds → seeds.csv
- ablations  the same training with parts of the recipe taken away → ablations.csv
- seen       make the thumbprints and digests in the installed model again, from the images of the
             manifest
- card       robustness of the packaged model → MODEL_CARD.md
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from packaged_model.card import full_card, read
from packaged_model.cuts import read_cuts, without
from packaged_model.decisions import redecide
from packaged_model.evidence import SHARES, pointing_records
from packaged_model.holdout import folds_of, train_without
from packaged_model.input_check import renew_input_check
from packaged_model.leave_source_out import both_labels
from packaged_model.left_out import AT_SPECIFICITY, records_of
from packaged_model.listed_volumes import halves, listed_volumes
from packaged_model.pack import pack
from packaged_model.places import (
    ABLATED,
    CHECKED,
    EVIDENCE,
    HALF,
    INSTALLED,
    RESULTS,
    ROOT,
    SEEDS,
    SERIES,
)
from packaged_model.series import choose_series
from packaged_model.sources import EVER_LEFT_OUT, HOLD_OUT, in_two, read_manifest, with_splits
from tumorscope.assessment.robustness import measure_robustness
from tumorscope.assessment.thumbprints import marks_of
from tumorscope.cohort.manifest import Manifest
from tumorscope.common.cores import in_threads
from tumorscope.common.csv_files import read_csv, write_csv
from tumorscope.conversion.sample import load_sample
from tumorscope.duplicates.same_pixels import digest_of
from tumorscope.imaging import prepare, read_slice
from tumorscope.model_file.onnx_file import read_model, write_model
from tumorscope.model_file.schema import TrainingThumbprints
from tumorscope.recipes.recipe import Recipe
from tumorscope.records.fold_protocol import PROTOCOL, read_protocol
from tumorscope.records.protocol import write_protocol
from tumorscope.training.export import export_run
from tumorscope.training.train import train as train_run

OTHER_SEEDS = (1, 2)
ABLATIONS: dict[str, dict[str, object]] = {
    "temperature-1": {"network.temperature": 1.0},
    "no-places": {"optimisation.places": 0.0},
    "pooled": {"network.head": "pooled", "optimisation.places": 0.0},
}
"""Parts of the recipe, each taken away alone; a pooled head has no places to supervise."""


@dataclass(frozen=True)
class Order:
    """What was asked for on the command line."""

    data: Path
    output: Path
    recipe: Recipe
    weights: str
    outlines: Path | None

    @property
    def listed(self) -> Path:
        """The manifest of all sources, which the step `manifest` writes."""
        return self.output / "manifest.csv"

    @property
    def manifest(self) -> Manifest:
        """All images, each with the split that its source allows."""
        return Manifest.load(self.listed)


def list_images(order: Order) -> None:
    """Write the manifest of all sources where there is none."""
    if not order.listed.exists():
        with_splits(read_manifest(order.data, masks=order.output / "masks")).save(order.listed)


def leave_out(order: Order) -> None:
    """Train with sources left out in turn: scores that calibrate, and results elsewhere."""
    manifest = order.manifest
    train_without(
        manifest,
        _held_out(manifest),
        recipe=order.recipe,
        weights=order.weights,
        output=order.output / "holdout",
    )


def _held_out(manifest: Manifest) -> list[list[str]]:
    return [chosen for names in HOLD_OUT if (chosen := _present(names, manifest))]


def _present(names: tuple[str, ...], manifest: Manifest) -> list[str]:
    sources = {row.source for row in manifest.rows}
    return [name for name in names if name in sources]


def train(order: Order) -> None:
    """Train on everything that may be trained on."""
    train_run(
        order.manifest,
        recipe=order.recipe,
        weights=order.weights,
        output=order.output / "run",
        resume=True,
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


def export(order: Order) -> None:
    """Write model.onnx, and in packed/ its small form, calibrated on sources left out."""
    output = order.output
    folder = calibration(output)
    kept = Manifest.load(folder / "manifest.csv")
    model = export_run(
        output / "run", output / "model.onnx", crossval=folder, outlines=order.outlines
    )
    judges, _ = in_two(order.manifest)
    sample = load_sample(judges if len(judges) else kept, model)
    pack(model, output / "packed" / "model.onnx", sample)


def report(order: Order) -> None:
    """Write what the recipe reaches on each source left out, beside those of the packaged model."""
    holdout = order.output / "holdout"
    records = records_of(holdout)
    write_csv(order.output / "reference.csv", tuple(records[0]), records)
    pointing = list(pointing_records(folds_of(holdout, _held_out(order.manifest))))
    if pointing:
        write_csv(order.output / EVIDENCE.name, tuple(pointing[0]), pointing)
    for each in pointing:
        print(f"{each['source']}: hits {each['hits']}, evidence inside {each['inside']}")
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


def install(order: Order) -> None:
    """Copy the model and its results into the package and benchmarks/results."""
    INSTALLED.parent.mkdir(exist_ok=True)
    shutil.copyfile(order.output / "packed" / "model.onnx", INSTALLED)
    shutil.copyfile(order.output / "reference.csv", RESULTS)
    if (order.output / EVIDENCE.name).exists():
        shutil.copyfile(order.output / EVIDENCE.name, EVIDENCE)


def choose_levels(order: Order) -> None:
    """Choose and measure the levels for series of the installed model."""
    print(choose_series(INSTALLED, order.data, order.output / "holdout", SERIES))


def decide_again(order: Order) -> None:
    """Measure the installed model's operating points on the scores of the step `holdout`."""
    print(redecide(INSTALLED, calibration(order.output)))


def other_seeds(order: Order) -> None:
    """Write how much of the results is luck of the seed, for the sources that chose the recipe."""
    folders = {order.recipe.seed: order.output / "holdout"}
    for seed in OTHER_SEEDS:
        changes = {"seed": seed, "name": f"{order.recipe.name}-seed{seed}"}
        folders[seed] = _first_training(order, changes, order.output / f"seed-{seed}")
    records = [
        {"seed": seed, **each}
        for seed, folder in folders.items()
        for each in records_of(folder, of=HOLD_OUT[0])
    ]
    write_csv(SEEDS, tuple(records[0]), records)


def without_parts(order: Order) -> None:
    """Write what single parts of the recipe are worth, on the sources of the first training."""
    first = [_present(HOLD_OUT[0], order.manifest)]
    folders = {"none": order.output / "holdout"}
    for name, changes in ABLATIONS.items():
        named = {**changes, "name": f"{order.recipe.name}-{name}"}
        folders[name] = _first_training(order, named, order.output / "ablations" / name)
    records = []
    for name, folder in folders.items():
        seen = {str(each["source"]): each for each in pointing_records(folds_of(folder, first))}
        for each in records_of(folder, of=HOLD_OUT[0]):
            places = seen.get(str(each["source"]), {})
            shares = {key: places.get(key, "") for key in SHARES}
            records.append({"change": name, **each, **shares})
    write_csv(ABLATED, tuple(records[0]), records)


def _first_training(order: Order, changes: Mapping[str, object], output: Path) -> Path:
    """Train the recipe, with changes, without the sources that `holdout` first leaves out."""
    train_without(
        order.manifest,
        [_present(HOLD_OUT[0], order.manifest)],
        recipe=order.recipe.changed(changes),
        weights=order.weights,
        output=output,
    )
    return output


def renew_seen(order: Order) -> None:
    """Make the thumbprints in the installed model again."""
    renew_thumbprints(INSTALLED, order.manifest)


def renew_thumbprints(path: Path, manifest: Manifest) -> None:
    """Make the thumbprints of a model file again; its graph, and so its id, stay as they are."""
    model = read_model(path)
    trained = manifest.usable.of_split("training", "tuning")
    trained.check_files()
    if model.metadata.seen.total > len(trained):
        raise SystemExit(
            f"{path} knows {model.metadata.seen.total} images, and the manifest lists "
            f"{len(trained)} that were trained on. Give the manifest that it was trained from."
        )
    how = model.metadata.preprocessing.preprocessing
    digests = in_threads(
        lambda row: digest_of(prepare(read_slice(trained.file(row)), how)), trained.rows
    )
    seen = TrainingThumbprints.of(marks_of(trained), digests)
    written = write_model(path, model.graph, model.metadata.model_copy(update={"seen": seen}))
    print(f"{path}: {written.metadata.id} knows {seen.count} images")


def renew_check(order: Order) -> None:
    """Learn the input check of the installed model anew, and of copies that results are taken by.

    These are the models of `holdout`, and the installed one with the cuts of half the people.
    """
    cuts, holdout = read_cuts(order.data), order.output / "holdout"
    for number, names in enumerate(HOLD_OUT):
        if (folder := holdout / f"without-{number}").is_dir():
            shutil.copyfile(folder / "model.onnx", folder / CHECKED)
            manifest = Manifest.load(folder / "manifest.csv")
            said = renew_input_check(folder / CHECKED, manifest, cuts=without(cuts, names))
            print(f"{folder.name}: {said}")
    copies = {}
    for number, subjects in enumerate(halves(listed_volumes(order.data), EVER_LEFT_OUT)):
        copies[holdout / HALF.format(number) / CHECKED] = without(cuts, subjects)
    for model in copies:
        model.parent.mkdir(parents=True, exist_ok=True)
    print(renew_input_check(INSTALLED, order.manifest, cuts=cuts, copies=copies))


def write_card(order: Order) -> None:
    """Write MODEL_CARD.md; the model file carries the shorter card that was exported with it."""
    output, manifest = order.output, order.manifest
    _, reported = in_two(manifest)
    found = measure_robustness(None, reported, output=output / "robustness").folder
    shutil.copyfile(found / "robustness.png", ROOT / "docs" / "images" / "robustness.png")
    shutil.copyfile(found / "robustness.csv", RESULTS.with_name("robustness.csv"))
    listed = read(order.data / "manifest.csv")
    stated: dict[str, dict[str, None]] = {}
    for each in listed:
        stated.setdefault(each["source"], {})[each["licence"]] = None
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
        licences={name: "; ".join(words) for name, words in stated.items() if name in used},
        size=INSTALLED.stat().st_size,
    )
    (ROOT / "MODEL_CARD.md").write_text(card, encoding="utf-8")


STEPS: dict[str, Callable[[Order], None]] = {
    "manifest": list_images,
    "holdout": leave_out,
    "train": train,
    "export": export,
    "report": report,
    "install": install,
    # Before the series, whose slices it refuses or lets through.
    "check": renew_check,
    "series": choose_levels,
    "decisions": decide_again,
    "seeds": other_seeds,
    "ablations": without_parts,
    "seen": renew_seen,
    "card": write_card,
}
USUAL = ("manifest", "holdout", "train", "export", "report")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", default="imagenet")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--recipe", default="reference")
    parser.add_argument("--outlines", type=Path)
    parser.add_argument("--steps", default=",".join(USUAL), help=",".join(STEPS))
    given = parser.parse_args()
    steps = given.steps.split(",")
    if unknown := sorted(set(steps) - set(STEPS)):
        parser.error(f"--steps names {', '.join(unknown)}. Expected some of {', '.join(STEPS)}.")
    given.output.mkdir(parents=True, exist_ok=True)
    order = Order(
        given.data, given.output, Recipe.load(given.recipe), given.weights, given.outlines
    )
    for name, step in STEPS.items():
        if name in steps:
            step(order)


if __name__ == "__main__":
    main()
