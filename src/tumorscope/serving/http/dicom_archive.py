"""The DICOM results of an answer as one zip file, made when they are first asked for."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

from tumorscope.common.files import atomic_path
from tumorscope.common.progress import quiet
from tumorscope.detection.detector import Detector
from tumorscope.detection.series_finding import SeriesFinding
from tumorscope.serving.encoded import encoded
from tumorscope.serving.http.problems import Problem
from tumorscope.serving.http.tables import answer_in

SENT = ("u", "z")
"""How the names of files that were sent, and of members of archives, begin."""


def dicom_archive(place: Path, detector: Detector) -> Path:
    """Return where the DICOM results of an answer lie: an SR and an SC for each series.

    They take longer than the finding, so they are made when they are wanted: the series are looked
    at once more, and for the same files the results are the same, with the same UIDs.

    Raises
    ------
    Problem
        404, if the answer is of no DICOM series; 409, if it failed.
    """
    path = place / "dicom.zip"
    if path.exists():
        return path
    rows = answer_in(place)["rows"]
    assert isinstance(rows, list)
    if not any(row.get("series_uid") and "slices_looked_at" in row for row in rows):
        raise _no_series()
    from tumorscope.serving.dicom_results import file_name, results_of

    with quiet(), atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as made:
        for found in _series(place, detector):
            for result in results_of(found, detector.metadata):
                made.writestr(file_name(result), encoded(result), zipfile.ZIP_DEFLATED)
    return path


def _series(place: Path, detector: Detector) -> Iterator[SeriesFinding]:
    from tumorscope.detection.series import detect_study
    from tumorscope.scans import index_study
    from tumorscope.scans.in_flight import NO_MEMORY

    sent = sorted(each for each in place.iterdir() if each.name.startswith(SENT))
    for found in detect_study(detector, index_study(sent)):
        if isinstance(found, SeriesFinding):
            if found.series_uid:
                yield found
        elif found.detail == NO_MEMORY:
            raise MemoryError  # an archive that lacks a series would be kept


def _no_series() -> Problem:
    return Problem(
        404,
        received="Received a request for DICOM results of an answer that is of no DICOM series.",
        expected="Expected findings of DICOM files that could be read.",
        what_to_do="Take the table or the page: pictures and NIfTI files belong to no study.",
    )
