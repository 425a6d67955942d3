"""A folder of any nesting → its series, by the headers alone, and what is not read.

Each header is read once. Of each image a few hundred bytes are kept; what many share is kept once.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

from tumorscope.common.errors import InputError
from tumorscope.common.names import as_text, printable
from tumorscope.common.progress import track
from tumorscope.imaging.find import is_hidden
from tumorscope.imaging.kinds import NIFTI_ENDINGS
from tumorscope.scans.classic import TAGS, Layouts, frame_of
from tumorscope.scans.dicom_file import Opened, need, open_header, uids_of
from tumorscope.scans.frame import Frame
from tumorscope.scans.functional_groups import is_enhanced
from tumorscope.scans.localizer import UNMARKED, is_localizer
from tumorscope.scans.not_read import REASONS, NotRead, NotReadError
from tumorscope.scans.recognise import LABEL_MAP, SEGMENTATION, check_object, class_of
from tumorscope.scans.series import Series
from tumorscope.scans.values import text, whole, words

MR = ("MR",)


@dataclass(frozen=True, slots=True)
class StudyIndex:
    """What a folder holds, before any pixel is read.

    Attributes
    ----------
    series : tuple of Series
        By study, series number and UID; NIfTI files behind them, by path.
    not_read : tuple of NotRead
        What is not read, the worst reason first: what a person may have meant to use.
    segmentations : tuple of str
        Files of DICOM segmentations, which may be masks of these series. They are no scans, so that
        `not_read` counts them too.
    """

    series: tuple[Series, ...]
    not_read: tuple[NotRead, ...]
    segmentations: tuple[str, ...] = ()


@dataclass(slots=True)
class _Gathered:
    """What was found so far of one series."""

    study_uid: str
    series_uid: str
    modality: str
    number: int | None
    description: str
    frames: list[Frame] = field(default_factory=list)
    multiframe: list[str] = field(default_factory=list)
    images: int = 0
    concatenated: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))


def index_study(
    path: str | Path | Sequence[str | Path],
    *,
    modalities: Collection[str] = MR,
    exclude: Collection[Path] = (),
) -> StudyIndex:
    """Find the series below a folder, or in a file, without reading pixels.

    DICOM files are recognised by content, whatever their names; NIfTI by ``.nii``, ``.nii.gz`` and
    ``.hdr``, NRRD by ``.nrrd`` and ``.nhdr``. Links to folders are not followed.

    Parameters
    ----------
    path : str, Path, or sequence of these
        A folder of any nesting, or one file; or several, whose files may share series.
    modalities : collection of str
        DICOM images of others are not read.
    exclude : collection of Path
        Folders that are passed over without a word, such as the one that results are written to.

    Raises
    ------
    InputError
        If there is nothing at that path.
    MissingExtraError
        If the extra “dicom” is not installed.

    Examples
    --------
    >>> from pydicom.data import get_testdata_file
    >>> study = index_study(get_testdata_file("MR_small.dcm"))
    >>> [(series.modality, series.images) for series in study.series], study.not_read
    ([('MR', 1)], ())
    """
    need("read DICOM and NIfTI")
    roots = [Path(path)] if isinstance(path, str | Path) else [Path(each) for each in path]
    for root in roots:
        if not root.exists():
            raise InputError(
                f"Received {printable(str(root))}, where there is nothing; expected a folder of "
                "DICOM or NIfTI files, or one such file. Check the path."
            )
    study = _Study(modalities)
    out = frozenset(each.resolve() for each in exclude)
    files = chain.from_iterable(_files(root, study, out) for root in roots)
    for file in track(files, "Reading headers", unit="files"):
        study.add(file)
    return study.index()


class _Study:
    def __init__(self, modalities: Collection[str]) -> None:
        self._modalities = modalities
        self._series: dict[tuple[str, str], _Gathered] = {}
        self._nifti: list[Series] = []
        self._layouts = Layouts()
        self._uids: set[str] = set()
        self._segmentations: list[str] = []
        self._not_read: dict[tuple[str, str, str, str], NotRead] = {}
        self._lost: defaultdict[tuple[str, str], set[str]] = defaultdict(set)

    def add(self, path: str) -> None:
        """Look at one file."""
        if path.lower().endswith(NIFTI_ENDINGS):
            self._nifti.append(Series("nifti", path))
            return
        if path.lower().endswith((".img", ".img.gz")) and _header_beside(path):
            return
        opened: Opened | None = None
        try:
            opened = open_header(path, TAGS)
            check_object(opened, self._modalities)
            self._add_image(path, opened)
        except NotReadError as error:
            *series, uid = error.uids if opened is None else uids_of(opened.dataset)
            record = NotRead(error.reason, path, error.detail, 1, *series)
            self.leave_out(record)
            if record.unreadable:
                self._lost[record.study_uid, record.series_uid].add(uid or path)
            if opened is not None and class_of(opened) in (SEGMENTATION, LABEL_MAP):
                self._segmentations.append(path)

    def _add_image(self, path: str, opened: Opened) -> None:
        dataset = opened.dataset
        uid = text(dataset, "SOPInstanceUID")
        if uid and uid in self._uids:
            raise NotReadError("duplicate")
        if is_enhanced(opened):
            gathered = self._gathered(path, opened)
            gathered.multiframe.append(path)
            gathered.images += whole(dataset, "NumberOfFrames") or 1
            total = whole(dataset, "InConcatenationTotalNumber") or 1
            gathered.concatenated[text(dataset, "ConcatenationUID")].append(total)
        else:
            frame = frame_of(path, opened, self._layouts)
            gathered = self._gathered(path, opened)
            gathered.frames.append(frame)
            gathered.images += 1
        self._uids.add(uid)

    def _gathered(self, path: str, opened: Opened) -> _Gathered:
        dataset = opened.dataset
        identity = uids_of(dataset)[:2]
        # Without a UID, what lies in one folder is taken for one series.
        key = identity if identity[1] else (identity[0], str(Path(path).parent))
        found = self._series.get(key)
        if found is None:
            found = self._series[key] = _Gathered(
                *identity,
                modality="".join(words(dataset, "Modality")),
                number=whole(dataset, "SeriesNumber"),
                description=text(dataset, "SeriesDescription"),
            )
        return found

    def leave_out(self, record: NotRead) -> None:
        """Note what is not read; images of one series and reason are one record."""
        where = record.series_uid or record.path
        key = (record.study_uid, where, record.reason, record.detail)
        known = self._not_read.get(key)
        if known is not None:
            record = replace(known, images=known.images + record.images)
        self._not_read[key] = record

    def _passed_over(self) -> Counter[tuple[str, str]]:
        """Return how many images of each series are not looked at, though they could be read."""
        found: Counter[tuple[str, str]] = Counter()
        for each in self._not_read.values():
            if not each.unreadable and each.reason != "duplicate":
                found[each.study_uid, each.series_uid] += each.images
        return found

    def index(self) -> StudyIndex:
        """Return what was found, in a stable order."""
        series, passed_over = [], self._passed_over()
        for gathered in self._series.values():
            found, key = _series(gathered), (gathered.study_uid, gathered.series_uid)
            if found.series_uid:  # what lacks one may be of any series
                lost = len(self._lost[key] - self._uids)  # but for cut copies of others
                found = replace(found, lost=lost, passed_over=passed_over[key])
            if is_localizer(found.frames) and not found.multiframe:
                one = (found.images, found.study_uid, found.series_uid)
                self.leave_out(NotRead("localizer", found.path, UNMARKED, *one))
            else:
                series.append(found)
        series.sort(key=_by_number)
        reasons = list(REASONS)
        not_read = sorted(
            self._not_read.values(), key=lambda one: (reasons.index(one.reason), one.path)
        )
        nifti = sorted(self._nifti, key=lambda one: one.path)
        return StudyIndex((*series, *nifti), tuple(not_read), tuple(sorted(self._segmentations)))


def _series(gathered: _Gathered) -> Series:
    frames = tuple(sorted(gathered.frames, key=lambda frame: frame.path))
    multiframe = tuple(sorted(gathered.multiframe))
    return Series(
        "dicom",
        min([*(frame.path for frame in frames[:1]), *multiframe[:1]]),
        gathered.study_uid,
        gathered.series_uid,
        gathered.modality,
        gathered.number,
        gathered.description,
        frames,
        multiframe,
        gathered.images,
        # The last file may be the only one that states the number.
        absent=sum(
            max(0, max(totals) - len(totals))
            for uid, totals in gathered.concatenated.items()
            if uid
        ),
    )


def _by_number(series: Series) -> tuple[str, bool, int, str]:
    number = series.number
    return series.study_uid, number is None, number or 0, series.series_uid


def _files(root: Path, study: _Study, out: Collection[Path]) -> Iterator[str]:
    if root.is_file():
        yield str(root)
        return

    def not_listed(error: OSError) -> None:
        study.leave_out(
            NotRead("cannot-open", as_text(error.filename), error.strerror or str(error))
        )

    for folder, folders, files in os.walk(root, onerror=not_listed):
        for name in sorted(folders):
            path = os.path.join(folder, name)  # noqa: PTH118 - paths may be no text in UTF-8
            if is_hidden(name):
                study.leave_out(NotRead("hidden", as_text(path)))
            elif os.path.islink(path):  # noqa: PTH114
                study.leave_out(NotRead("linked-folder", as_text(path)))
        folders[:] = sorted(
            name
            for name in folders
            if not is_hidden(name) and not (out and Path(folder, name).resolve() in out)
        )
        for name in sorted(files):
            path = os.path.join(folder, name)  # noqa: PTH118
            if is_hidden(name):
                study.leave_out(NotRead("hidden", as_text(path)))
            else:
                yield path


def _header_beside(path: str) -> bool:
    stem = path[: path.lower().rindex(".img")]
    return any(Path(stem + ending).is_file() for ending in (".hdr", ".HDR", ".hdr.gz"))
