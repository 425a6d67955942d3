"""Time volumes: a DICOM series, a NIfTI volume, and the memory of studies of two sizes.

    python benchmarks/volumes.py [--model MODEL.onnx] [--nifti FILE.nii.gz]

writes benchmarks/results/volumes.csv. The DICOM series are drawn: 170 uncompressed slices of
256 × 256 in 16 bits, 1 mm apart. Beside them pydicom alone reads and decodes the same files in a
loop on one core; both take turns, file caches warm. The model must hold a rule for series.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from tumorscope.common.csv_files import write_csv
from tumorscope.detection.detector import Detector
from tumorscope.scans import Volume, index_study, read_volumes
from tumorscope.synthetic.phantom import phantom_slice

RESULTS = Path(__file__).parent / "results" / "volumes.csv"
RUNS = 7
SLICES, EDGE = 170, 256
THREADS = 2
STUDIES = (2, 12)
"""Series in the studies whose memory is compared."""

MR = "1.2.840.10008.5.1.4.1.1.4"
ROOT = "1.2.826.0.1.3680043.8.498"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path)
    parser.add_argument("--nifti", type=Path)
    given = parser.parse_args()
    detector = Detector.load(given.model, threads=THREADS)
    records: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_series(folder / "one", series=1)
        files = sorted((folder / "one").iterdir())
        by_pydicom, by_us, cut = turns(
            lambda: decode(files),
            lambda: detector.detect_series(folder / "one"),
            lambda: pictures(folder / "one"),
        )
        slices = len(detector.detect_series(folder / "one").slices)
        records += [
            record(f"pydicom alone: {SLICES} slices read and decoded, one core", by_pydicom),
            record(f"{SLICES} slices, files to volume in patient space", cut, beside=by_pydicom),
            record(f"{SLICES} slices, files to finding ({slices} asked)", by_us, beside=by_pydicom),
        ]
        if given.nifti is not None:
            path = given.nifti
            [times] = turns(lambda: detector.detect_series(path))
            count = len(detector.detect_series(path).slices)
            records.append(record(f"NIfTI, file to finding ({count} slices asked)", times))
        for number in STUDIES:
            study = folder / f"study-{number}"
            for series in range(number):
                write_series(study / str(series), series=series)
            records.append(memory(study, number, given.model))
    write_csv(RESULTS, list(records[0]), records)


def decode(files: list[Path]) -> None:
    """Read and decode files one by one, as a loop with pydicom does."""
    for path in files:
        _ = pydicom.dcmread(path).pixel_array


def pictures(folder: Path) -> None:
    """Read a series without asking a model."""
    for series in index_study(folder).series:
        assert all(isinstance(each, Volume) for each in read_volumes(series))


def turns(*works: Callable[[], object]) -> list[list[float]]:
    """Return the seconds of each, turn by turn, after one that nobody counts."""
    seconds: list[list[float]] = [[] for _ in works]
    for turn in range(RUNS + 1):
        for work, times in zip(works, seconds, strict=True):
            began = time.perf_counter()
            work()
            if turn:
                times.append(time.perf_counter() - began)
    return seconds


def record(
    what: str, seconds: list[float], *, beside: list[float] | None = None
) -> dict[str, object]:
    median = statistics.median(seconds)
    ratio = "" if beside is None else f"{median / statistics.median(beside):.2f}"
    found = {
        "what": what,
        "runs": len(seconds),
        "median_s": f"{median:.3f}",
        "fastest_s": f"{min(seconds):.3f}",
        "times_pydicom": ratio,
        "peak_mib": "",
    }
    print(found)
    return dict(found)


def memory(study: Path, series: int, model: Path | None) -> dict[str, object]:
    """Return the peak memory of the command on a study."""
    command = [sys.executable, "-m", "tumorscope", "predict", str(study), "--quiet"]
    command += ["-o", str(study.with_suffix(".csv")), "--report", str(study.with_suffix(".html"))]
    command += ["--threads", str(THREADS), *([] if model is None else ["--model", str(model)])]
    began = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"tumorscope predict ended with status {status}")
    found = record(f"tumorscope predict, {series} series", [time.perf_counter() - began])
    found["peak_mib"] = round(usage.ru_maxrss / 1024, 1)
    print(found)
    return found


def write_series(folder: Path, *, series: int) -> None:
    """Write one drawn head over and over, slice above slice."""
    folder.mkdir(parents=True)
    drawn = phantom_slice(tumour=False, seed=series, size=EDGE)
    picture = drawn.pixels.astype(np.uint16) * 4
    for number in range(SLICES):
        dataset = _image(picture, number, series)
        dataset.save_as(folder / f"{number:04d}.dcm", enforce_file_format=True)


def _image(pixels: np.ndarray, number: int, series: int) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = MR
    dataset.file_meta.MediaStorageSOPInstanceUID = f"{ROOT}.{series + 1}.{number + 1}"
    values: dict[str, object] = {
        "SOPClassUID": MR,
        "SOPInstanceUID": f"{ROOT}.{series + 1}.{number + 1}",
        "StudyInstanceUID": ROOT,
        "SeriesInstanceUID": f"{ROOT}.{series + 1}",
        "SeriesNumber": series + 1,
        "Modality": "MR",
        "ImageType": ["ORIGINAL", "PRIMARY", "M", "SE"],
        "InstanceNumber": number + 1,
        "ImagePositionPatient": ["-128", "-128", str(number)],
        "ImageOrientationPatient": ["1", "0", "0", "0", "1", "0"],
        "PixelSpacing": ["1", "1"],
        "Rows": EDGE,
        "Columns": EDGE,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 16,
        "BitsStored": 16,
        "HighBit": 15,
        "PixelRepresentation": 0,
    }
    for name, value in values.items():
        setattr(dataset, name, value)
    dataset.PixelData = np.roll(pixels, number, axis=0).tobytes()
    dataset["PixelData"].VR = "OW"
    return dataset


if __name__ == "__main__":
    main()
