"""The paper's public data set from Kaggle. Besides the ImageNet weights, all that is downloaded."""

from __future__ import annotations

import shutil
import tempfile
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from tumorscope.cohort.class_folders import label_of_folder
from tumorscope.common.errors import InputError, UsageError
from tumorscope.common.files import output_folder
from tumorscope.common.locks import writing
from tumorscope.common.progress import track
from tumorscope.imaging.kinds import IMAGE_SUFFIXES

KAGGLE = "https://www.kaggle.com/api/v1/datasets/download/"

DATASETS = {"navoneel_253": "navoneel/brain-mri-images-for-brain-tumor-detection"}
"""Name → owner and name on Kaggle. 253 images, 155 with tumour; their licence is not stated."""

MAX_BYTES = 2 * 1024**3
_CHUNK = 1 << 18


def download(name: str, folder: str | Path, *, timeout: float = 60.0) -> int:
    """Download a public data set and unpack its class folders.

    Parameters
    ----------
    name : str
        One of `DATASETS`.
    folder : path
        Receives ``yes/`` and ``no/``; must be new or empty.
    timeout : float
        Seconds without an answer after which it gives up.

    Returns
    -------
    int
        Number of images.

    Raises
    ------
    UsageError
        If the name is unknown, or the folder is not empty.
    InputError
        If the server cannot be reached, or does not send an archive of class folders.
    OutputError
        If the folder cannot be written to.
    """
    if name not in DATASETS:
        raise UsageError(f"There is no data set {name!r}; expected one of {', '.join(DATASETS)}.")
    folder = Path(folder)
    with writing(folder):
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(f"{folder} is not empty. Expected a new folder. Choose another.")
        return _fetch(KAGGLE + DATASETS[name], output_folder(folder), timeout)


def _fetch(url: str, folder: Path, timeout: float) -> int:
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        archive = Path(temporary) / "archive.zip"
        try:
            with (
                urllib.request.urlopen(url, timeout=timeout) as answer,
                archive.open("wb") as stream,
            ):
                total = int(answer.headers.get("Content-Length") or 0)
                for chunk in track(_chunks(answer), "Downloading", total=total // _CHUNK or None):
                    stream.write(chunk)
        except OSError as error:
            raise InputError(
                f"Cannot download {url} ({error}). Expected an answer from Kaggle. Without "
                "network, or if Kaggle asks you to sign in: download the data set in a browser "
                "and unpack its folders yes/ and no/ yourself."
            ) from error
        count = _unpack(archive, Path(temporary) / "whole", url)
        for child in sorted((Path(temporary) / "whole").iterdir()):
            shutil.move(child, folder / child.name)
    return count


def _chunks(answer: IO[bytes]) -> Iterator[bytes]:
    received = 0
    while chunk := answer.read(_CHUNK):
        received += len(chunk)
        if received > MAX_BYTES:
            raise OSError(f"more than {MAX_BYTES:,} bytes")
        yield chunk


def _unpack(archive: Path, folder: Path, url: str) -> int:
    """Unpack images whose parent folder names a class; the archive holds each of them twice."""
    count = 0
    try:
        with zipfile.ZipFile(archive) as stored:
            for member in stored.infolist():
                path = PurePosixPath(member.filename)
                wanted = path.suffix.lower() in IMAGE_SUFFIXES and len(path.parts) >= 2
                # Its second copy lies below a folder of another name.
                if not wanted or label_of_folder(path.parts[-2]) is None or len(path.parts) > 2:
                    continue
                target = folder / path.parts[-2] / path.name
                target.parent.mkdir(parents=True, exist_ok=True)
                with stored.open(member) as source, target.open("wb") as stream:
                    shutil.copyfileobj(source, stream)
                count += 1
    except (zipfile.BadZipFile, EOFError) as error:
        raise InputError(
            f"What {url} sent is not a whole ZIP archive ({error}). Try again later."
        ) from error
    if count == 0:
        raise InputError(
            f"The archive from {url} has no class folders such as yes/ and no/. Expected those of "
            "the paper's data set; it may have changed."
        )
    return count
