"""A picture inside a page: its bytes travel in the page, so that one file is the whole report."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tumorscope.common.errors import TumorscopeError
from tumorscope.reports.text import shorten

NAME_WIDTH = 36
"""Letters of a file's name below its thumbnail; the middle of longer ones is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What the macros ``figure`` and ``gallery`` show.

    Attributes
    ----------
    uri : str
        The bytes as a data URI; empty where the file can no longer be read.
    caption : str
        Below the picture; plain text, as are the others.
    alt : str
        For those who cannot see it.
    name, path : str
        Of a scan: its file's name, shortened, and its path. Empty for a drawn figure.
    """

    uri: str
    caption: str
    alt: str
    name: str = ""
    path: str = ""

    @classmethod
    def of_png(cls, png: bytes, caption: str, *, alt: str = "") -> Self:
        """Return a drawn figure; its caption stands in where `alt` is empty."""
        return cls(uri=_data_uri("png", png), caption=caption, alt=alt or caption)

    @classmethod
    def of_scan(cls, read: Callable[[], NDArray[np.uint8]], path: str, caption: str = "") -> Self:
        """Return a thumbnail of a scan.

        A file that can no longer be read becomes a black square whose caption says so: the rest of
        a report is worth having without it.

        Parameters
        ----------
        read : callable
            Returns grey pixels, uint8 (height, width), or raises a `TumorscopeError`.
        path, caption : str
            Where the scan is from, and what to say of it.
        """
        name = shorten(PurePath(path).name, NAME_WIDTH)
        try:
            uri = thumbnail(read())
        except TumorscopeError:
            uri, caption = "", f"{caption} (file can no longer be read)".strip()
        alt = f"{path}, {caption}" if caption else path
        return cls(uri=uri, caption=caption, alt=alt, name=name, path=path)


def thumbnail(pixels: NDArray[np.uint8], *, edge: int = 112) -> str:
    """Return grey pixels (height, width) as a small JPEG in a data URI.

    The longer edge has at most `edge` pixels.

    Examples
    --------
    >>> import numpy as np
    >>> thumbnail(np.zeros((300, 200), np.uint8))[:23]
    'data:image/jpeg;base64,'
    """
    from PIL import Image

    image = Image.fromarray(pixels)
    image.thumbnail((edge, edge))
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=80)
    return _data_uri("jpeg", buffer.getvalue())


def _data_uri(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
