"""Measure whether evidence lies on lesions, beside Grad-CAM of the same network and beside chance.

    python benchmarks/evidence.py --run RUN --outlines O.json --groups G.csv --masks FOLDER

RUN is a folder of ``tumorscope train``, or several. O.json lists ``{"path", "regions":
[{"all_points_x", "all_points_y"}]}`` with paths from its folder, G.csv the ``group`` of each
``path``; FOLDER holds ``yes/NAME.png`` and ``masks/NAME_mask.png``. Writes
benchmarks/results/evidence.csv: pointing game and mass inside, with intervals from resampling whole
groups. Images that the model has seen are counted in a column.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tumorscope.common.csv_files import read_csv, write_csv
from tumorscope.detection.engines import open_engine
from tumorscope.detection.evidence import evidence_field, temperature_of
from tumorscope.detection.seen import SeenImages
from tumorscope.imaging import Slice, prepare, read_slice
from tumorscope.model_file.onnx_file import read_model
from tumorscope.networks.scaling import network_input
from tumorscope.records.run_folder import Run
from tumorscope.statistics.pointing_game import measure_pointing, measure_pointing_by_chance

RESULTS = Path(__file__).parent / "results" / "evidence.csv"
Sample = tuple[Slice, NDArray[np.bool_], str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--run", type=Path, required=True, nargs="+")
    parser.add_argument("--outlines", type=Path)
    parser.add_argument("--groups", type=Path)
    parser.add_argument("--masks", type=Path)
    arguments = parser.parse_args()
    records = []
    for run in arguments.run:
        if arguments.outlines:
            samples = list(outlined(arguments.outlines, arguments.groups))
            records += measured("outlined", samples, run)
        if arguments.masks:
            records += measured("skull-stripped FLAIR", list(masked(arguments.masks)), run)
    write_csv(RESULTS, list(records[0]), records)


def outlined(path: Path, groups: Path | None) -> Iterator[Sample]:
    group_of = {}
    if groups is not None:
        group_of = {row["path"]: row["group"] for row in read_csv(groups)}
    for entry in json.loads(path.read_text()):
        file = path.parent / entry["path"]
        scan = read_slice(file)
        picture = Image.new("1", (scan.pixels.shape[1], scan.pixels.shape[0]))
        for region in entry["regions"]:
            if "all_points_x" in region:
                points = list(zip(region["all_points_x"], region["all_points_y"], strict=True))
                ImageDraw.Draw(picture).polygon(points, fill=1)
        lesion = np.array(picture)
        if lesion.any():
            yield scan, lesion, group_of.get(entry["path"], file.stem)


def masked(folder: Path) -> Iterator[Sample]:
    for file in sorted((folder / "yes").iterdir()):
        mask = read_slice(folder / "masks" / f"{file.stem}_mask.png").pixels > 127
        scan = read_slice(file)
        if mask.any() and mask.shape == scan.pixels.shape:
            yield scan, mask, "_".join(file.stem.split("_")[:3])  # the patient


def measured(name: str, samples: list[Sample], run: Path) -> list[dict[str, object]]:
    model = read_model(run / "model.onnx")
    how = model.metadata.preprocessing.preprocessing
    scans, lesions, groups = (list(each) for each in zip(*samples, strict=True))
    pixels = np.stack([prepare(scan, how) for scan in scans])
    engine = open_engine(model)
    maps = {
        "evidence": np.concatenate(
            [engine.run(pixels[at : at + 32]).evidence for at in range(0, len(pixels), 32)]
        ),
        "Grad-CAM": grad_cam(run, pixels),
    }
    known = SeenImages(model.metadata.seen)
    seen = sum(bool(known.holds(scan)) for scan in scans)
    temperature = {"evidence": temperature_of(model.metadata)}
    found = {
        who: measure_pointing(
            [
                evidence_field(
                    each, scan, how, shape=lesion.shape, temperature=temperature.get(who)
                )
                for each, scan, lesion in zip(grids, scans, lesions, strict=True)
            ],
            lesions,
            np.array(groups),
        )
        for who, grids in maps.items()
    }
    found["chance"] = measure_pointing_by_chance(
        [scan.pixels > 20 for scan in scans], lesions, np.array(groups)
    )
    records = []
    for who, result in found.items():
        record: dict[str, object] = {"recipe": model.metadata.name, "images": name, "map": who}
        record |= {"n": result.n, "groups": len(set(groups)), "seen_in_training": seen}
        for quality in ("hits", "mass"):
            interval = getattr(result, quality)
            for part in ("value", "low", "high"):
                record[f"{quality}_{part}"] = round(getattr(interval, part), 3)
        records.append(record)
        print(record)
    return records


def grad_cam(run: Path, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return Grad-CAM (Selvaraju et al., 2017) of the last convolution, (n, h, w)."""
    opened = Run.open(run)
    model = opened.load_model()
    import keras
    import tensorflow as tf

    features = keras.Model(model.layers[0].inputs, model.layers[0].output)
    head = keras.Sequential(model.layers[1:-1])
    kernel, bias = model.layers[-1].get_weights()
    maps = []
    for at in range(0, len(pixels), 32):
        inputs = network_input(pixels[at : at + 32], opened.recipe.input.scaling)
        with tf.GradientTape() as tape:
            deep = features(inputs, training=False)
            tape.watch(deep)
            logit = head(deep, training=False) @ kernel + bias
        weights = tf.reduce_mean(tape.gradient(logit, deep), axis=(1, 2), keepdims=True)
        maps.append(tf.nn.relu(tf.reduce_sum(weights * deep, axis=-1)).numpy())
    return np.concatenate(maps).astype(np.float32)


if __name__ == "__main__":
    main()
