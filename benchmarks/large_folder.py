"""Index a folder of many DICOM files, and read the largest volumes: time, memory, first progress.

    python benchmarks/large_folder.py [--files 100000]

writes benchmarks/results/large_folder.csv. The files are drawn, 16 × 16 pixels each, 200 in a
series, three folders deep and without endings; the volumes have as many voxels as are read at most.
Each measurement is a process of its own; times are of its processor, as all but the first sign of
progress, which a terminal of its own sees.
"""

from __future__ import annotations

import argparse
import os
import pty
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nibabel
import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from tumorscope.common.csv_files import write_csv

RESULTS = Path(__file__).parent / "results" / "large_folder.csv"
PER_SERIES = 200
ROOT = "1.2.826.0.1.3680043.8.498"
MR = "1.2.840.10008.5.1.4.1.1.4"

INDEX = """
import os, re, sys
from pathlib import Path
from tumorscope.scans import index_study, read_volumes, views
begin = os.times()
study = index_study(sys.argv[1])
found = sum(series.images for series in study.series)
if sys.argv[2] == "read":
    found = sum(1 for volume in read_volumes(study.series[0]) for _ in views(volume, every=5.0))
end = os.times()
# Not getrusage, which begins with the peak of the process that started this one.
peak = int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
print(found, end.user + end.system - begin.user - begin.system, peak)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--files", type=int, default=100_000)
    count = parser.parse_args().files
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "many"
        write_many(folder, count)
        found, seconds, peak = measured(folder, "index")
        assert found == count
        records = [
            {"what": "index", "files": count, "seconds": seconds, "peak_mib": peak},
            {"what": "first progress", "files": count, "seconds": first_sign(folder)},
        ]
        for kind in ("int16", "float64"):
            _, seconds, peak = measured(write_volume(Path(name), kind), "read")
            records.append({"what": f"NIfTI {kind}", "seconds": seconds, "peak_mib": peak})
    rounded = [
        {key: f"{each:.1f}" if isinstance(each, float) else each for key, each in one.items()}
        for one in records
    ]
    write_csv(RESULTS, ("what", "files", "seconds", "peak_mib"), rounded)
    print(RESULTS.read_text("utf-8"))


def write_many(folder: Path, count: int) -> None:
    """Write one file many times, with other numbers of the same length in it."""
    data = template(folder.with_name("template"))
    for index in range(count):
        series, number = divmod(index, PER_SERIES)
        place = folder / f"{series % 10}" / f"{series % 7}" / f"{series}"
        if not number:
            place.mkdir(parents=True, exist_ok=True)
        unlike = data
        for mark, value in ((SERIES, series), (NUMBER, number), (HEIGHT, number)):
            unlike = unlike.replace(mark.encode(), f"{10**6 + value}"[1:].encode())
        (place / f"IM{number}").write_bytes(unlike)


SERIES, NUMBER, HEIGHT = "777777", "888888", "999999"
"""What stands in the template for the numbers of series and image, and for its position in mm."""


def template(path: Path) -> bytes:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = MR
    dataset.SOPInstanceUID = f"{ROOT}.1{SERIES}.1{NUMBER}"
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"{ROOT}.2", f"{ROOT}.1{SERIES}"
    dataset.Modality, dataset.ImageType = "MR", ["ORIGINAL", "PRIMARY", "M"]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows = dataset.Columns = 16
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelRepresentation, dataset.PixelSpacing = 0, [1, 1]
    dataset.InstanceNumber = NUMBER
    dataset.ImagePositionPatient = ["0", "0", HEIGHT]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.PixelData = bytes(512)
    dataset["PixelData"].VR = "OW"
    dataset.save_as(path, enforce_file_format=True)
    return path.read_bytes()


def write_volume(folder: Path, kind: str) -> Path:
    """Write 100 million voxels, those of int16 with a scaling."""
    values = np.random.default_rng(0).integers(0, 3000, (464, 464, 464), dtype=np.int16)
    path = folder / f"{kind}.nii"
    image = nibabel.Nifti1Image(values.astype(kind), np.diag([0.5, 0.5, 0.5, 1.0]))
    nibabel.save(image, path)
    if kind == "int16":
        with path.open("r+b") as file:
            file.seek(112)
            file.write(np.array([0.5, 3.0], "<f4").tobytes())
    return path


def measured(path: Path, what: str) -> tuple[int, float, float]:
    words = [sys.executable, "-c", INDEX, str(path), what]
    said = subprocess.run(words, capture_output=True, check=True, text=True).stdout.split()
    return int(said[0]), float(said[1]), float(said[2])


def first_sign(folder: Path) -> float:
    """Return the seconds from the start of a command until a terminal sees something of it."""
    words = ["-m", "tumorscope", "slices", str(folder), "-o", str(folder.with_name("slices"))]
    begin = time.perf_counter()
    process, terminal = pty.fork()
    if not process:
        os.execv(sys.executable, [sys.executable, *words])
    select.select([terminal], [], [], 60.0)
    seconds = time.perf_counter() - begin
    os.kill(process, 15)
    os.close(terminal)
    os.waitpid(process, 0)
    return seconds


if __name__ == "__main__":
    main()
