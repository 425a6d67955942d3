"""How often a copy of a known image is recognised, and how often another picture is taken for one.

    python benchmarks/recognition.py --data FOLDER [-o FILE]

FOLDER holds a manifest.csv with the columns path, group, source and subject. Four fifths of the
groups are known; of each source some known images are changed and asked about, and images of the
other groups are asked about as they are.
"""

from __future__ import annotations

import argparse
import io
import random
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tumorscope.common.csv_files import read_csv, write_csv
from tumorscope.detection.seen import SeenImages
from tumorscope.duplicates.enrolment import USUAL, remembered
from tumorscope.imaging import Slice, prepare, read_slice
from tumorscope.model_file.schema import TrainingThumbprints
from tumorscope.statistics import wilson

Pixels = NDArray[np.uint8]
RESULTS = Path(__file__).parent / "results" / "recognition.csv"
LEFT_ASIDE = ("outlined",)
OF_EACH = 12
OTHERS = 1200
CHOSEN_ON = ("navoneel_253", "pool", "alzheimer_kaggle4_6400", "openfmri_ds000011_t2")
"""Sources on which the limit was set; the others only report."""


def jpeg(pixels: Pixels, quality: int, share: float = 1.0) -> Pixels:
    image = Image.fromarray(pixels)
    image = image.resize((max(8, round(image.width * share)), max(8, round(image.height * share))))
    stored = io.BytesIO()
    image.save(stored, "JPEG", quality=quality)
    return np.array(Image.open(stored).convert("L"))


def bordered(pixels: Pixels, share: float, grey: int = 0) -> Pixels:
    down, across = (round(share * side) for side in pixels.shape)
    return np.pad(pixels, ((down, down), (across, across)), constant_values=grey)


def cropped(pixels: Pixels, top: float, bottom: float, left: float, right: float) -> Pixels:
    height, width = pixels.shape
    rows = slice(round(height * top), height - round(height * bottom))
    return pixels[rows, round(width * left) : width - round(width * right)]


def gamma(pixels: Pixels, power: float) -> Pixels:
    return np.rint(255.0 * (pixels / 255.0) ** power).astype(np.uint8)


def to_the_brain(pixels: Pixels) -> Pixels:
    """Crop as many scripts for the public set do: threshold 45, largest contour, its box."""
    grey = cv2.GaussianBlur(pixels, (5, 5), 0)
    _, mask = cv2.threshold(grey, 45, 255, cv2.THRESH_BINARY)
    mask = cv2.dilate(cv2.erode(mask, None, iterations=2), None, iterations=2)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if not contours:
        return pixels
    x, y, width, height = cv2.boundingRect(max(contours, key=cv2.contourArea))
    return pixels[y : y + height, x : x + width] if min(width, height) >= 16 else pixels


CHANGES: dict[str, Callable[[Pixels], Pixels]] = {
    "none": lambda pixels: pixels,
    "JPEG 30": lambda pixels: jpeg(pixels, 30),
    "60 %, JPEG 60": lambda pixels: jpeg(pixels, 60, 0.6),
    "200 %, JPEG 95": lambda pixels: jpeg(pixels, 95, 2.0),
    "black border 5 %": lambda pixels: bordered(pixels, 0.05),
    "black border 30 %": lambda pixels: bordered(pixels, 0.3),
    "white border 10 %": lambda pixels: bordered(pixels, 0.1, 255),
    "crop 5 % each side": lambda pixels: cropped(pixels, 0.05, 0.05, 0.05, 0.05),
    "crop 10 % each side": lambda pixels: cropped(pixels, 0.1, 0.1, 0.1, 0.1),
    "crop 10 % of one side": lambda pixels: cropped(pixels, 0.1, 0.0, 0.0, 0.0),
    "crop 10 % of two sides": lambda pixels: cropped(pixels, 0.1, 0.0, 0.1, 0.0),
    "crop to the brain": to_the_brain,
    "quarter turn": np.rot90,
    "mirrored": lambda pixels: pixels[:, ::-1],
    "upside down": lambda pixels: pixels[::-1],
    "gamma 0.5": lambda pixels: gamma(pixels, 0.5),
    "gamma 2": lambda pixels: gamma(pixels, 2.0),
    "contrast 60 %, brighter": lambda pixels: np.rint(0.6 * pixels + 40).astype(np.uint8),
    "crop to the brain, 60 %, JPEG 60": lambda pixels: jpeg(to_the_brain(pixels), 60, 0.6),
    "crop 10 %, quarter turn, JPEG 50": lambda pixels: jpeg(
        np.rot90(cropped(pixels, 0.1, 0.1, 0.1, 0.1)), 50
    ),
    "border 15 %, gamma 0.5": lambda pixels: gamma(bordered(pixels, 0.15), 0.5),
    # Changes whose marks are not kept, between those that are.
    "crop 7 % each side": lambda pixels: cropped(pixels, 0.07, 0.07, 0.07, 0.07),
    "crop 5 % below, 10 % right": lambda pixels: cropped(pixels, 0.0, 0.05, 0.0, 0.1),
    "crop 6 % of three sides": lambda pixels: cropped(pixels, 0.06, 0.0, 0.06, 0.06),
    "crop 10 % right, 70 %, JPEG 40": lambda pixels: jpeg(
        cropped(pixels, 0.0, 0.0, 0.0, 0.1), 40, 0.7
    ),
    "crop to the brain, gamma 1.3": lambda pixels: gamma(to_the_brain(pixels), 1.3),
    "gamma 0.7": lambda pixels: gamma(pixels, 0.7),
    "gamma 1.4": lambda pixels: gamma(pixels, 1.4),
    "grey border 12 %": lambda pixels: bordered(pixels, 0.12, 60),
}


def parted(data: Path) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Return the records of known images and of others, which share no group."""
    listed = read_csv(data / "manifest.csv")
    records = [each for each in listed if each["source"] not in LEFT_ASIDE]
    groups = sorted({each["group"] for each in records})
    random.Random(0).shuffle(groups)
    known = set(groups[: 4 * len(groups) // 5])
    return (
        [each for each in records if each["group"] in known],
        [each for each in records if each["group"] not in known],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, default=RESULTS)
    parser.add_argument("--of-each", type=int, default=OF_EACH)
    parser.add_argument("--others", type=int, default=OTHERS)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    data: Path = arguments.data
    known, others = parted(data)
    marks = [remembered(read_slice(data / each["path"])) for each in known]
    seen = TrainingThumbprints.of(marks)
    print(f"{len(seen.data) / len(known):.0f} bytes of a model file an image")
    recogniser = SeenImages(seen)
    by_source: dict[str, list[Slice]] = defaultdict(list)
    for each in random.Random(1).sample(known, len(known)):
        if len(by_source[each["source"]]) < arguments.of_each:
            by_source[each["source"]].append(read_slice(data / each["path"]))
    records = []
    for name, change in CHANGES.items():
        for part in ("set on", "reported on"):
            scans = [
                scan
                for source, several in by_source.items()
                for scan in several
                if (source in CHOSEN_ON) == (part == "set on")
            ]
            copies = [Slice(np.ascontiguousarray(change(scan.pixels)), "copy") for scan in scans]
            found = sum(recogniser.holds(copy) is True for copy in copies)
            records.append(record(name, part, found, len(copies)))
    taken, asked, preparing, looking = 0, 0, 0.0, 0.0
    for each in random.Random(2).sample(others, min(len(others), arguments.others)):
        scan = read_slice(data / each["path"])
        began = time.process_time()
        prepared = prepare(scan, USUAL)
        between = time.process_time()
        is_known = recogniser.holds(scan, prepared)
        looking += time.process_time() - between
        preparing += between - began
        asked += 1
        taken += is_known is True
    records.append(record("another picture", "all", taken, asked))
    write_csv(arguments.output, tuple(records[0]), records)
    print(
        f"{1000 * looking / asked:.2f} ms of one core an image, {len(known)} images known; to "
        f"prepare it takes {1000 * preparing / asked:.2f} ms"
    )


def record(change: str, sources: str, found: int, images: int) -> dict[str, object]:
    share = wilson(found, images)
    numbers = {"share": share.value, "low": share.low, "high": share.high}
    line = {"change": change, "sources": sources, "images": images, "recognised": found}
    print(line, flush=True)
    return {**line, **{name: f"{value:.4f}" for name, value in numbers.items()}}


if __name__ == "__main__":
    main()
