"""Thumbnails: in proportion, and a black square where a file has gone."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tumorscope.common.errors import UnreadableImageError
from tumorscope.reports.picture import Picture, thumbnail


@pytest.mark.parametrize("shape", [(300, 100), (1, 1), (50, 400)])
def test_thumbnails_keep_their_proportions(shape: tuple[int, int]) -> None:
    uri = thumbnail(np.full(shape, 90, np.uint8), edge=64)
    image = Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1])))
    assert max(image.size) <= 64
    assert image.mode == "L"
    height, width = shape
    assert image.width / image.height == pytest.approx(width / height, rel=0.1)


def test_a_file_that_is_gone_says_so() -> None:
    def gone() -> NDArray[np.uint8]:
        raise UnreadableImageError("gone")

    picture = Picture.of_scan(gone, "a/b.png", "is tumour")
    assert (picture.uri, picture.name) == ("", "b.png")
    assert picture.caption == "is tumour (file can no longer be read)"
    assert Picture.of_scan(gone, "b.png").caption == "(file can no longer be read)"
