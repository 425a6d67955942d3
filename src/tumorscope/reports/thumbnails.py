"""Small pictures of single images in a report, with what is said of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from html import escape
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

from tumorscope.common.errors import TumorscopeError
from tumorscope.reports import grey_uri
from tumorscope.reports.text import shorten


def thumbnails(
    images: Iterable[tuple[int, str, str]], pixels: Callable[[int], NDArray[np.uint8]]
) -> str:
    """Return a row of pictures as HTML.

    A file that can no longer be read is a black square, and its caption says so: the figures of a
    report are worth having without it.

    Parameters
    ----------
    images : iterable of (int, str, str)
        Position, path and caption of each.
    pixels : callable
        Position of an image → its grey pixels, uint8 (height, width).
    """
    tiles = "".join(_tile(path, caption, index, pixels) for index, path, caption in images)
    return f'<div class="thumbs">{tiles}</div>'


def _tile(path: str, caption: str, index: int, pixels: Callable[[int], NDArray[np.uint8]]) -> str:
    picture = '<div style="width:112px;height:112px;background:#000"></div>'
    try:
        uri = grey_uri(pixels(index))
        picture = f'<img src="{uri}" alt="{escape(path, quote=True)}, {escape(caption)}">'
    except TumorscopeError:
        caption += " (file can no longer be read)"
    return (
        f'<figure title="{escape(path, quote=True)}">{picture}'
        f"<figcaption><b>{escape(shorten(PurePath(path).name, 36))}</b><br>"
        f"{escape(caption)}</figcaption></figure>"
    )
