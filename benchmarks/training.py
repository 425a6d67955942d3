"""Time the paper's protocol against the notebook that everyone starts from, fold by fold.

Both train the same network (same backbone weights, head, layers trained in phase two, batch size,
epochs, optimiser, learning rates, class weights, augmentation ranges) on the same images of the
same grouped folds, each in a process of its own, in turn. The notebook reads the images into an
array, augments with Keras' ImageDataGenerator and calls model.fit twice; ours is
`tumorscope.train`, with the checkpoint after each epoch and the files of a run that it writes.

    python benchmarks/training.py --data data/navoneel_253 [--weights imagenet|FILE|FOLDER]

writes benchmarks/results/training.csv and prints the ratio.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).parent / "results" / "training.csv"
COLUMNS = ("method", "fold", "images", "seconds", "peak_rss_mib", "correct", "tested")


def ours(manifest_file: Path, weights: str) -> dict[str, object]:
    import keras  # noqa: F401  the notebook's clock starts after its imports, too

    import tumorscope as ts
    from tumorscope.common.csv_files import read_csv

    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        run = ts.train(manifest_file, recipe="paper", weights=weights, output=folder)
        seconds = time.perf_counter() - started
        tested = [row for row in read_csv(run.folder / "scores.csv") if row["split"] == "testing"]
    correct = sum((float(row["score"]) >= 0.5) == (row["label"] == "1") for row in tested)
    return {"seconds": seconds, "correct": correct, "tested": len(tested)}


def notebook(manifest_file: Path, weights: str) -> dict[str, object]:
    import keras
    from PIL import Image
    from sklearn.utils.class_weight import compute_class_weight
    from tensorflow.keras.preprocessing.image import ImageDataGenerator

    from tumorscope.cohort.manifest import Manifest
    from tumorscope.recipes.recipe import Recipe

    recipe = Recipe.load("paper")
    ranges, options = recipe.augmentation, recipe.optimisation
    started = time.perf_counter()
    manifest = Manifest.load(manifest_file)

    def read(split: str) -> tuple[np.ndarray, np.ndarray]:
        rows = manifest.of_split(split).rows
        pictures = [
            Image.open(manifest.file(row)).convert("RGB").resize((224, 224)) for row in rows
        ]
        pixels = np.stack([np.asarray(picture) for picture in pictures])
        return pixels, np.array([row.label for row in rows], dtype=np.float32)

    keras.utils.set_random_seed(recipe.seed)
    train_x, train_y = read("training")
    tune_x, tune_y = read("tuning")
    test_x, test_y = read("testing")
    generator = ImageDataGenerator(
        rescale=1 / 255,
        rotation_range=ranges.rotation,
        width_shift_range=ranges.width_shift,
        height_shift_range=ranges.height_shift,
        shear_range=ranges.shear,
        zoom_range=ranges.zoom,
        horizontal_flip=ranges.horizontal_flip,
        fill_mode="nearest",
    )
    backbone = keras.applications.MobileNetV2(
        input_shape=(224, 224, 3), include_top=False, weights=weights
    )
    backbone.trainable = False
    model = keras.Sequential(
        [
            backbone,
            keras.layers.Flatten(),
            keras.layers.Dense(recipe.network.units, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(recipe.network.dropout),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    balance = compute_class_weight("balanced", classes=np.array([0, 1]), y=train_y.astype(int))

    def phase(epochs: int, rate: float) -> None:
        model.compile(
            keras.optimizers.Adam(rate, clipnorm=options.clip_norm),
            "binary_crossentropy",
            metrics=["accuracy"],
        )
        model.fit(
            generator.flow(train_x, train_y, batch_size=options.batch_size),
            validation_data=(tune_x / np.float32(255), tune_y),
            epochs=epochs,
            class_weight=dict(enumerate(balance)),
            callbacks=[
                keras.callbacks.ReduceLROnPlateau(
                    patience=options.plateau_patience,
                    factor=options.plateau_factor,
                    min_lr=options.minimum_learning_rate,
                )
            ],
            verbose=0,
        )

    phase(recipe.frozen.epochs, recipe.frozen.learning_rate)
    backbone.trainable = True
    names = [layer.name for layer in backbone.layers]
    first = names.index(recipe.fine_tuning.from_layer)
    for index, layer in enumerate(backbone.layers):
        batch_norm = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = index >= first and not batch_norm
    phase(recipe.fine_tuning.epochs, recipe.fine_tuning.learning_rate)
    seconds = time.perf_counter() - started
    scores = model.predict(test_x / np.float32(255), verbose=0).ravel()
    correct = int(np.sum((scores >= 0.5) == (test_y == 1)))
    return {"seconds": seconds, "correct": correct, "tested": len(test_y)}


METHODS = {"tumorscope": ours, "notebook": notebook}


def write_folds(data: Path, folder: Path, folds: int) -> list[Path]:
    """Write one manifest per grouped fold: held out for testing, and of the rest a sixth tuning."""
    import tumorscope as ts
    from tumorscope.cohort.split import grouped_folds

    manifest = ts.audit(data, probes=False).manifest.usable
    labels, groups = manifest.labels, manifest.groups
    outer = grouped_folds(labels, groups, folds=folds, seed=0)
    files = []
    for fold in range(folds):
        rest = np.flatnonzero(outer != fold)
        inner = grouped_folds(labels[rest], groups[rest], folds=6, seed=fold)
        splits = np.full(len(labels), "testing", dtype=object)
        splits[rest] = np.where(inner == 0, "tuning", "training")
        rows = [replace(row, split=str(s)) for row, s in zip(manifest.rows, splits, strict=True)]
        files.append(folder / f"fold-{fold}.csv")
        manifest.having(rows).save(files[-1])
    return files


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", default="imagenet")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--one", choices=METHODS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    weights = arguments.weights
    if Path(weights).is_dir():
        weights = str(next(Path(weights).rglob("mobilenet_v2*no_top.h5")))
    if arguments.one:
        # In the process that is timed: --data is a fold's manifest.
        result = METHODS[arguments.one](arguments.data, weights)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({**result, "peak_rss_mib": round(peak)}))
        return

    if weights == "imagenet":  # before any clock starts, so that none of them pays for a download
        import keras

        keras.applications.MobileNetV2(input_shape=(224, 224, 3), include_top=False)
    records = []
    with tempfile.TemporaryDirectory() as name:
        for fold, manifest in enumerate(write_folds(arguments.data, Path(name), arguments.folds)):
            for method in METHODS:
                words = [sys.executable, __file__, "--one", method, "--data", str(manifest)]
                done = subprocess.run(
                    [*words, "--weights", weights],
                    env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
                    stdout=subprocess.PIPE,
                    check=True,
                    text=True,
                )
                result = json.loads(done.stdout.splitlines()[-1])
                images = len(manifest.read_text("utf-8").splitlines()) - 1
                records.append({"method": method, "fold": fold, "images": images, **result})
                records[-1]["seconds"] = round(records[-1]["seconds"], 1)
                print(records[-1], file=sys.stderr, flush=True)
    from tumorscope.common.csv_files import write_csv

    write_csv(RESULTS, COLUMNS, records)
    summarise(records)


def summarise(records: list[dict[str, Any]]) -> None:
    from tumorscope.statistics.intervals import wilson

    seconds: dict[str, list[float]] = {}
    for method in METHODS:
        own = [record for record in records if record["method"] == method]
        seconds[method] = [record["seconds"] for record in own]
        correct, tested = (sum(record[key] for record in own) for key in ("correct", "tested"))
        accuracy = wilson(correct, tested)
        print(
            f"{method:<12} median {statistics.median(seconds[method]):6.1f} s   peak "
            f"{max(record['peak_rss_mib'] for record in own)} MiB   grouped accuracy "
            f"{accuracy.value:.3f} ({accuracy.low:.3f}–{accuracy.high:.3f}, n = {tested})"
        )
    ratios = [b / a for a, b in zip(seconds["tumorscope"], seconds["notebook"], strict=True)]
    print(f"notebook / tumorscope, fold by fold: median {statistics.median(ratios):.2f}×")


if __name__ == "__main__":
    main()
