"""Files of volumes → series findings in the answer, with every slice kept as a picture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from PIL import Image as pillow

from tumorscope.detection.answering import Answering
from tumorscope.detection.detector import Detector
from tumorscope.detection.finding import Finding
from tumorscope.detection.series import detect_volumes
from tumorscope.detection.series_curve import curve_of
from tumorscope.detection.series_finding import SeriesFinding, with_paths
from tumorscope.detection.series_tables import series_row, with_slices
from tumorscope.detection.study_page import StudyPage, open_study_page
from tumorscope.detection.tables import NESTED
from tumorscope.imaging.inputs import Image
from tumorscope.imaging.slice import Slice
from tumorscope.model_file.schema import Metadata
from tumorscope.scans import NotRead, index_study
from tumorscope.serving.http.job import Job
from tumorscope.serving.http.pictures import KIND, keep
from tumorscope.serving.http.uploads import Upload

STUDY_PAGE = "study.html"


def add_volumes(job: Job, files: Sequence[Upload], detector: Detector) -> None:
    """Add the findings of volumes to the answer, and what of the files is not read."""
    names = {str(each.path): each.name for each in files}
    index = index_study([each.path for each in files])
    filming = Filming(detector, job)
    with open_study_page(job.place / STUDY_PAGE, detector, False) as page:
        for series in index.series:
            for found in detect_volumes(filming, series):
                _add(job, found, names, filming, page)
        for record in index.not_read:
            _add(job, record, names, filming, page)


class Filming:
    """A detector that keeps every slice it is shown as a picture in the folder of the request.

    Parameters
    ----------
    detector : Answering
        What answers.
    job : Job
        Whose slices these are; it is asked before each whether work on it is to end.
    """

    def __init__(
        self, detector: Answering, job: Job, pictures: dict[str, Path] | None = None
    ) -> None:
        self._detector, self._job = detector, job
        self.pictures: dict[str, Path] = {} if pictures is None else pictures
        self.operating_point, self.threads = detector.operating_point, detector.threads

    @property
    def metadata(self) -> Metadata:
        """What the model file says about itself."""
        return self._detector.metadata

    @property
    def model_id(self) -> str:
        """Name of the model, and hash of its graph."""
        return self._detector.model_id

    def unlooking(self) -> Filming:
        """Return the same without the look whether images are known."""
        return Filming(self._detector.unlooking(), self._job, self.pictures)

    def knows(self, scan: Slice) -> bool | None:
        """Return whether the model was trained on a slice."""
        return self._detector.knows(scan)

    def detect_many(
        self, images: Iterable[Image], *, batch: int | None = None
    ) -> Iterator[Finding]:
        """Yield the findings for many images in their order."""
        for finding in self._detector.detect_many(self._kept(images), batch=batch):
            self._job.looked_at += 1
            yield finding

    def _kept(self, images: Iterable[Image]) -> Iterator[Image]:
        for image in images:
            self._job.check()
            if isinstance(image, Slice):
                path = self._job.place / f"p{len(self.pictures)}.png"
                pillow.fromarray(np.ascontiguousarray(image.pixels)).save(path, compress_level=1)
                self.pictures[image.source] = path
            yield image


def _add(
    job: Job,
    found: SeriesFinding | NotRead,
    names: Mapping[str, str],
    filming: Filming,
    page: StudyPage,
) -> None:
    if isinstance(found, NotRead):
        called = replace(found, path=names.get(found.path, found.path))
        page.add(called)
        job.rows.append({**series_row(called), NESTED: []})
        item = {KIND: "not-read", "words": called.sentence(), "first_picture": 0, "pictures": 0}
        job.items.append(item)
        return
    told = _named(found, names)
    page.add(told)
    row = with_slices(told, series_row(told))
    first = job.pictures
    job.pictures += len(found.slices)
    rows = row[NESTED]
    assert isinstance(rows, list)
    for number, (each, values) in enumerate(zip(found.slices, rows, strict=True), first):
        keep(job.place, number, filming.pictures[each.finding.source], values, each.finding)
    numbers = {each.index: number for number, each in enumerate(found.slices, first)}
    keys = sorted(told.key_slices, key=lambda each: each.position)
    job.rows.append(row)
    curve = curve_of(told, keys)
    marks = [x + width / 2 for x, _, width, _, _ in curve.bars]
    marks += [x + width / 2 for x, width in curve.refused]
    job.items.append(
        {
            KIND: "series",
            "words": told.words,
            "first_picture": first,
            "pictures": len(found.slices),
            "key_pictures": [numbers[each.index] for each in found.key_slices],
            "positions": [round(each.position, 2) for each in found.slices],
            "curve": asdict(curve),
            "places": sorted(round(mark, 1) for mark in marks),
            "remarks": [each.sentence() for each in told.remarks],
            "not_read": [each.sentence() for each in told.passed_over],
        }
    )


def _named(found: SeriesFinding, names: Mapping[str, str]) -> SeriesFinding:
    """Return a finding whose files are called as the client calls them."""

    def called(path: str) -> str:
        return names.get(path, path)

    return with_paths(
        found, path=called, of_slice=lambda each: replace(each, path=called(each.path))
    )
