"""Measure what a model refuses as "not a brain MRI slice".

    python benchmarks/input_check.py --model MODEL.onnx ... --other FOLDER ... --brain FOLDER ...

OTHER folders hold images that should be refused, BRAIN folders brain MRI that should not, whatever
its label. Pages of text and radiograph-like pictures are drawn beside them.
Images that the model has seen are left out. Writes benchmarks/results/input_check.csv: share
refused with Wilson's 95 % interval.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

import tumorscope as ts
from tumorscope.common.csv_files import write_csv
from tumorscope.detection.find_images import find_images
from tumorscope.statistics import wilson

RESULTS = Path(__file__).parent / "results" / "input_check.csv"
EACH = 100
Picture = NDArray[np.uint8]


def text(rng: np.random.Generator) -> Picture:
    page = np.full((300, 300), 255, np.uint8)
    for line in range(20, 290, 18):
        words = "".join(rng.choice(list("abcdefghijk lmnopqrstuvwxyz"), 34))
        cv2.putText(page, words, (8, line), cv2.FONT_HERSHEY_SIMPLEX, 0.45, 0, 1, cv2.LINE_AA)
    return page if rng.random() < 0.5 else 255 - page


def radiograph(rng: np.random.Generator) -> Picture:
    """Draw a chest, roughly: bright body, two dark lungs, ribs across, a heart."""
    picture = np.full((256, 256), 30, np.float32)
    cv2.rectangle(picture, (20, 10), (236, 256), 170, -1)
    for left in (80, 176):
        axes = (int(rng.integers(32, 44)), int(rng.integers(70, 92)))
        cv2.ellipse(picture, (left, 130), axes, 0, 0, 360, 60, -1)
    for row in range(50, 220, int(rng.integers(16, 24))):
        cv2.ellipse(picture, (128, row + 30), (105, 40), 0, 190, 350, 120, 5)
    cv2.ellipse(picture, (145, 165), (34, 44), 20, 0, 360, 190, -1)
    picture = cv2.GaussianBlur(picture, (0, 0), 3) + rng.normal(0, 5, picture.shape)
    drawn: NDArray[np.uint8] = np.clip(picture, 0, 255).astype(np.uint8)
    return drawn


KINDS: tuple[Callable[[np.random.Generator], Picture], ...] = (text, radiograph)
"""Of kinds that the limit was not chosen with."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, nargs="+", required=True)
    parser.add_argument("--other", type=Path, nargs="*", default=[])
    parser.add_argument("--brain", type=Path, nargs="*", default=[])
    arguments = parser.parse_args()
    lines = []
    for model in arguments.model:
        detector = ts.Detector.load(model)
        rng = np.random.default_rng(0)
        for make in KINDS:
            slices = [ts.Slice(pixels=make(rng), source=make.__name__) for _ in range(EACH)]
            lines.append(record(detector, make.__name__, "other, drawn", slices))
        for kind, folders in (("other", arguments.other), ("brain MRI", arguments.brain)):
            for folder in folders:
                paths = [found.path for found in find_images([folder])]
                lines.append(record(detector, folder.name, kind, paths))
    records = [each for each in lines if each is not None]
    write_csv(RESULTS, list(records[0]), records)


def record(
    detector: ts.Detector, name: str, kind: str, images: list[Path] | list[ts.Slice]
) -> dict[str, object] | None:
    """Return one line of the results, None where the model has seen every image."""
    findings = [
        finding
        for finding in detector.detect_many(images)
        if finding.decision != "unreadable" and not finding.seen
    ]
    if not findings:
        return None
    refused = sum(finding.decision == "refused" for finding in findings)
    found = wilson(refused, len(findings))
    values = {"refused": found.value, "low": found.low, "high": found.high}
    line = {"model": detector.model_id, "images": name, "kind": kind, "n": len(findings)}
    line |= {key: round(value, 4) for key, value in values.items()}
    print(line)
    return line


if __name__ == "__main__":
    main()
