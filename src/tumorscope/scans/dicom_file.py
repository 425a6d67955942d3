"""A DICOM file is opened: recognised by content, its header read, nothing decoded.

All warnings of pydicom are silenced here, because they are about values that do not follow the
standard, hundreds in a study, and what matters of them is checked on the values themselves.
"""

from __future__ import annotations

import contextlib
import io
import logging
import struct
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from tumorscope.common.extras import require
from tumorscope.imaging.kinds import HEAD
from tumorscope.scans.file_checks import (
    DEFLATED,
    MAX_WHOLE,
    check_file,
    check_inflated,
    check_kind,
)
from tumorscope.scans.not_read import NotReadError, Uids
from tumorscope.scans.quick_header import quick_header
from tumorscope.scans.values import text

if TYPE_CHECKING:
    from pydicom import Dataset

BEGINNING = 256 * 1024
"""So many bytes of a file are read at once; few headers are longer."""

UNDEFINED = 0xFFFFFFFF

_ALL_PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_PIXELS = (0x7FE0, 0x0010)
_FLOATS = ((0x7FE0, 0x0008), (0x7FE0, 0x0009))


@dataclass(frozen=True, slots=True)
class Opened:
    """The header of a DICOM file.

    Attributes
    ----------
    dataset : pydicom.Dataset
        Without pixels.
    syntax : str
        Transfer syntax UID; what was found where the file states none.
    size : int
        Of the file, in bytes.
    pixels : str
        ``values`` (integers), ``floats`` or empty where the file holds no pixels.
    offset : int, optional
        Where the pixels begin in the file; None where they are encapsulated or deflated.
    length : int
        Bytes that the header promises there.
    """

    dataset: Dataset
    syntax: str
    size: int
    pixels: str
    offset: int | None
    length: int


def need(what: str) -> None:
    """Make sure that the libraries of the extra are there.

    Raises
    ------
    MissingExtraError
        If one is missing.
    """
    require("dicom", to=what)


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Keep libraries from warning and logging about values that do not follow the standard."""
    logs = [logging.getLogger(name) for name in ("pydicom", "nibabel.global")]
    disabled = [log.disabled for log in logs]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for log in logs:
            log.disabled = True
        try:
            yield
        finally:
            for log, was in zip(logs, disabled, strict=True):
                log.disabled = was


def open_header(path: str, tags: Sequence[str | int] | None = None) -> Opened:
    """Read the header of a DICOM file.

    Parameters
    ----------
    path : str
        The file.
    tags : sequence, optional
        Elements that are wanted; all by default.

    Raises
    ------
    NotReadError
        If it is no DICOM file, or a damaged one.
    """
    try:
        state = Path(path).stat()
        check_file(state)
        with Path(path).open("rb") as file:
            beginning = file.read(BEGINNING)
            check_kind(beginning[:HEAD])
            check_inflated(file, beginning[:HEAD])
            dataset, syntax, place = _parsed(file, beginning, state.st_size, tags)
    except NotReadError:
        raise
    except OSError as error:
        raise NotReadError("cannot-open", error.strerror or str(error)) from None
    except (MemoryError, KeyboardInterrupt):
        raise
    except Exception as error:  # parsers raise what they like on damaged files
        raise NotReadError("damaged", short(error)) from None
    (pixels, length, offset), size = place, state.st_size
    if syntax == DEFLATED:
        return Opened(dataset, syntax, size, _kind_of_deflated(path), None, 0)
    native = pixels == "values" and length != UNDEFINED
    if not native and size > MAX_WHOLE:
        raise NotReadError("too-large", f"{size:,} bytes of compressed pixels")
    if native and offset + length > size:
        lacking = f"{size - offset:,} bytes of pixels where the header promises {length:,}"
        raise NotReadError("damaged", lacking, uids_of(dataset))
    return Opened(dataset, syntax, size, pixels, offset if native else None, length)


def uids_of(dataset: Dataset) -> Uids:
    """Return the UIDs of study, series and instance, empty where there are none."""
    names = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
    study, series, instance = (text(dataset, name) for name in names)
    return study, series, instance


def _parsed(
    file: BinaryIO, beginning: bytes, size: int, tags: Sequence[str | int] | None
) -> tuple[Dataset, str, tuple[str, int, int]]:
    """Return the header, its syntax, and what pixels follow it, how many bytes, and where.

    pydicom asks for its place in the file at each element, which memory answers in no time.
    """
    if tags is not None:
        with contextlib.suppress(Exception), silent():  # said by the way below
            found = quick_header(beginning, _at_pixels, numbers_of(tuple(tags)))
            if found is not None and found[2] + 12 <= len(beginning):
                dataset, syntax, end = found
                return dataset, syntax, _pixel_element(beginning[end : end + 12], end, dataset)
    if size > len(beginning):
        with contextlib.suppress(Exception):  # of a header cut in two anything may come
            memory = io.BytesIO(beginning)
            dataset = _dataset(memory, tags)
            if memory.tell() + 12 <= len(beginning):
                return dataset, _syntax_of(dataset), _pixels_behind(memory, dataset)
        file.seek(0)
        dataset = _dataset(file, tags)
        return dataset, _syntax_of(dataset), _pixels_behind(file, dataset)
    whole = io.BytesIO(beginning)
    dataset = _dataset(whole, tags)
    return dataset, _syntax_of(dataset), _pixels_behind(whole, dataset)


def _dataset(file: BinaryIO, tags: Sequence[str | int] | None) -> Dataset:
    from pydicom.filereader import read_partial

    # Not `dcmread`, which looks each element up among slow objects instead of numbers.
    wanted = None if tags is None else list(numbers_of(tuple(tags)))
    with silent():
        return read_partial(file, _at_pixels, force=True, specific_tags=wanted)


def _at_pixels(tag: int, _kind: str | None, _length: int) -> bool:
    return tag in _ALL_PIXELS


@cache
def numbers_of(tags: tuple[str | int, ...]) -> tuple[int, ...]:
    """Return the numbers of elements that are named by keyword."""
    from pydicom.tag import Tag

    return tuple(int(Tag(tag)) for tag in tags)


def _syntax_of(dataset: Dataset) -> str:
    meta = getattr(dataset, "file_meta", None)
    stated = str(meta.get("TransferSyntaxUID", "") or "") if meta is not None else ""
    if stated:
        return stated
    implicit, little = dataset.original_encoding
    if implicit:
        return "1.2.840.10008.1.2"
    return "1.2.840.10008.1.2.1" if little else "1.2.840.10008.1.2.2"


def _pixels_behind(file: BinaryIO, dataset: Dataset) -> tuple[str, int, int]:
    """Return what pixels begin here, their length, and where they do; nothing of deflated files."""
    if _syntax_of(dataset) == DEFLATED:
        return "", 0, 0
    begin = file.tell()
    return _pixel_element(file.read(12), begin, dataset)


def _pixel_element(head: bytes, begin: int, dataset: Dataset) -> tuple[str, int, int]:
    if len(head) < 8:
        return "", 0, begin
    order = "<" if dataset.original_encoding[1] else ">"
    group, element = struct.unpack(f"{order}HH", head[:4])
    # Some files state a syntax with explicit VR and have none.
    explicit = head[4:6].isalpha() and head[4:6].isupper()
    used = 12 if explicit else 8
    (length,) = struct.unpack(f"{order}L", head[used - 4 : used].ljust(4, b"\0"))
    kind = "values" if (group, element) == _PIXELS else ""
    return ("floats" if (group, element) in _FLOATS else kind), length, begin + used


def _kind_of_deflated(path: str) -> str:
    from pydicom import dcmread

    with silent():
        dataset = dcmread(path, force=True, specific_tags=["PixelData", "FloatPixelData"])
    if "PixelData" in dataset:
        return "values"
    return "floats" if "FloatPixelData" in dataset else ""


def open_whole(path: str) -> Dataset:
    """Read a DICOM file with its pixels, not decoded; its transfer syntax is stated for sure.

    Raises
    ------
    NotReadError
        If it is damaged.
    """
    from pydicom import dcmread
    from pydicom.dataset import FileMetaDataset

    try:
        with silent():
            dataset = dcmread(path, force=True)
            meta = getattr(dataset, "file_meta", None)
            if meta is None or "TransferSyntaxUID" not in meta:
                dataset.file_meta = FileMetaDataset() if meta is None else meta
                dataset.file_meta.TransferSyntaxUID = _syntax_of(dataset)
    except (MemoryError, KeyboardInterrupt):
        raise
    except Exception as error:  # parsers raise what they like on damaged files
        raise NotReadError("damaged", short(error)) from None
    return dataset


def short(error: Exception) -> str:
    """Return what a library said, in one line."""
    words = " ".join(str(error).split())
    return words if len(words) <= 160 else words[:159] + "…"
