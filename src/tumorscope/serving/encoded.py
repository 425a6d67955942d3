"""A DICOM data set → the bytes of its file."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom import Dataset


def encoded(dataset: Dataset) -> memoryview:
    """Return a data set as a file holds it, with preamble and meta information.

    pydicom writes to paths as well, but where the disk is full its words are a traceback, in an
    error that does not say which one it was.
    """
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getbuffer()
