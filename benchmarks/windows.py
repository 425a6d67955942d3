"""Measure what the window of a volume changes: the calls of its slices, and how they rank.

    python benchmarks/windows.py --data data [--model MODEL.onnx]

DATA has volumes/volumes.csv (path, label), beside the volumes their masks of lesions, whose names
begin as theirs and end in _mask, and dicom/, whose headers state windows.
Writes benchmarks/results/windows.csv: for each window the share of slices that are called otherwise
than by the default, of tumour-free slices called tumour, and the AUC of slices with a lesion
against the tumour-free ones. A slice every 6 mm.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from tumorscope.common.csv_files import read_csv, write_csv
from tumorscope.detection.detector import PACKAGED, Detector
from tumorscope.detection.finding import Finding
from tumorscope.scans import (
    NotRead,
    Volume,
    Window,
    acquired_plane,
    index_study,
    mask_views,
    read_nifti,
    read_volumes,
    views,
)

RESULTS = Path(__file__).parent / "results" / "windows.csv"
EVERY = 6.0
OPPOSITE = {"tumour", "no tumour"}
LESION = 100
"""Pixels of a mask from which a slice shows a lesion."""


def of_percentiles(tail: float) -> Callable[[Volume], Window]:
    """Return what makes the window that cuts off a share of a volume's values at either end."""

    def window(volume: Volume) -> Window:
        low, high = np.quantile(volume.voxels.astype(np.float64), (tail, 1 - tail)).tolist()
        return Window("range", low, high if high > low else low + 1.0)

    return window


WINDOWS: dict[str, Callable[[Volume], Window]] = {
    "percentile": lambda _: Window(),
    "least to greatest value": of_percentiles(0.0),
    "0.5 to 99.5 %": of_percentiles(0.005),
    "2 to 98 %": of_percentiles(0.02),
    "dicom": lambda _: Window("dicom"),
}


def volumes_of(data: Path) -> Iterator[tuple[str, Volume, Volume | None, str]]:
    """Yield label, volume, mask and kind of each volume."""
    records = read_csv(data / "volumes" / "volumes.csv")
    masks = sorted((data / "volumes").glob("*_mask.nii*"))
    for each in records:
        if each["label"] not in ("0", "1"):
            continue
        path = Path(each["path"])
        of = [mask for mask in masks if path.name.startswith(mask.name.split("_mask")[0])]
        mask = next(read_nifti(of[0])) if of else None
        yield each["label"], next(read_nifti(data / path)), mask, "nifti"
    for series in index_study(data / "dicom").series:
        for volume in read_volumes(series):
            if not isinstance(volume, NotRead):
                yield "", volume, None, "dicom"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=PACKAGED)
    given = parser.parse_args()
    detector = Detector.load(given.model, check_seen=False)
    said: dict[tuple[str, str], list[tuple[str, Finding, Finding]]] = {}
    for label, volume, mask, kind in volumes_of(given.data):
        usual = asked(detector, volume, Window())
        labels = [label] * len(usual)
        if label == "1" and mask is not None:
            shown = list(mask_views(mask, acquired_plane(volume)))
            sizes = [int(shown[index].sum()) for index in usual]
            labels = ["1" if size >= LESION else "0" if not size else "" for size in sizes]
        for name, window in WINDOWS.items():
            if (name == "dicom") == (kind == "dicom") or name == "percentile":
                found = asked(detector, volume, window(volume))
                rows = zip(labels, usual.values(), found.values(), strict=True)
                said.setdefault((kind, name), []).extend(rows)
    write([record_of(kind, name, rows) for (kind, name), rows in said.items()])


def asked(detector: Detector, volume: Volume, window: Window) -> dict[int, Finding]:
    """Return what is said of the slices of a volume, by their index."""
    shown = list(views(volume, window=window, every=EVERY))
    found = detector.detect_many([each.slice for each in shown])
    return {each.index: finding for each, finding in zip(shown, found, strict=True)}


def record_of(kind: str, name: str, rows: list[tuple[str, Finding, Finding]]) -> dict[str, object]:
    """Return what a window does to slices of known labels ("" where nobody knows)."""
    pairs = [{one.decision, other.decision} for _, one, other in rows]
    free = [other.decision == "tumour" for label, _, other in rows if label == "0"]
    asked_of = [(label, found.logit) for label, _, found in rows if label]
    known = [(label == "1", logit) for label, logit in asked_of if logit is not None]
    both = len({label for label, _ in known}) == 2
    return {
        "files": kind,
        "window": name,
        "slices": len(rows),
        "called_otherwise": f"{np.mean([len(pair) > 1 for pair in pairs]):.3f}",
        "called_the_opposite": f"{np.mean([pair == OPPOSITE for pair in pairs]):.3f}",
        "tumour_free": len(free),
        "false_alarms": f"{np.mean(free):.3f}" if free else "",
        "with_lesion": sum(label for label, _ in known),
        "auc": f"{roc_auc_score(*zip(*known, strict=True)):.3f}" if both else "",
    }


def write(records: list[dict[str, object]]) -> None:
    write_csv(RESULTS, list(records[0]), records)
    for record in records:
        print(record)


if __name__ == "__main__":
    main()
