"""Time detection beside Keras and beside the engine alone: one image, a folder, a cold start.

    python benchmarks/detection.py [--data FOLDER] [--weights FILE] [--repeats N]

The network is the paper's backbone with a pooled head, trained for one epoch on phantoms: what it
has learned does not change how long it takes. With --data, which names a folder of images (JPEG or
PNG, no subfolders, for Keras' sake), it writes benchmarks/results/detection.csv; the published
times are of navoneel_253/no. Without, it times phantoms, prints the times and writes nothing.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from pathlib import Path

import tumorscope as ts
from tumorscope.assessment.speed import bench
from tumorscope.auditing.prepare import prepare_manifest
from tumorscope.conversion.convert import convert
from tumorscope.conversion.sample import load_sample
from tumorscope.detection.find_images import find_images
from tumorscope.model_file.onnx_file import read_model
from tumorscope.synthetic.phantom import write_phantom_cohort

RESULTS = Path(__file__).parent / "results" / "detection.csv"
RECIPE = """
name = "bench"
[input]
crop = "head"
fit = "pad"
intensity = "percentile"
scaling = "symmetric"
[augmentation]
variants = 1
[network]
head = "pooled"
[frozen]
epochs = 1
learning_rate = 1e-3
[fine_tuning]
epochs = 0
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--weights", default="none")
    parser.add_argument("--repeats", type=int, default=200)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_phantom_cohort(folder / "phantoms", n=120, seed=0)
        (folder / "bench.toml").write_text(RECIPE)
        run = ts.train(
            folder / "phantoms",
            recipe=folder / "bench.toml",
            weights=arguments.weights,
            output=folder / "run",
        )
        model = read_model(run.folder / "model.onnx")
        sample = load_sample(prepare_manifest(folder / "phantoms"), model)
        litert = convert(model, "litert", output=folder / "litert", sample=sample)
        data = arguments.data or folder / "phantoms" / "yes"
        images = [found.path for found in find_images([data])]
        timings = bench(
            [model.path, litert.path],
            images,
            keras_model=run.folder / "model.keras",
            repeats=arguments.repeats,
        )
    records = [timing.to_record() for timing in timings]
    for record in records:
        print("  ".join(f"{value!s:<20}" for value in record.values()))
    if arguments.data is None:
        print(f"These were phantoms, so {RESULTS.name} is left as it is; --data FOLDER writes it.")
        return
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, records[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)


if __name__ == "__main__":
    main()
