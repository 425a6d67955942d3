"""Thumbnails: small, both pictures side by side, of any slice."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tumorscope.detection.detector import Detector
from tumorscope.detection.thumbnail import EDGE, GAP, thumbnail
from tumorscope.imaging import Slice


def opened(data: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(data))
    picture.load()
    return picture


def test_the_slice_lies_beside_its_evidence(tiny_model: Path) -> None:
    detector = Detector.load(tiny_model)
    pixels = np.full((200, 100), 60, np.uint8)
    pixels[:100] = 190  # bright pixels are evidence of a tumour
    scan = Slice(pixels, "half bright")
    data = thumbnail(scan, detector.detect(scan), detector.metadata.preprocessing.preprocessing)
    picture = opened(data)
    width = EDGE // 2
    assert picture.size == (2 * width + GAP, EDGE)
    assert len(data) < 8000
    drawn = np.asarray(picture.convert("RGB")).astype(int)
    redness = drawn[..., 0] - drawn[..., 2]
    assert np.abs(redness[:, : width - 8]).max() < 12
    assert redness[20:40, width + GAP + 20 : -20].mean() > 20


@pytest.mark.parametrize("shape", [(1, 900), (900, 1), (1, 1), (3, 40)])
def test_any_shape_gives_a_picture(tiny_model: Path, shape: tuple[int, int]) -> None:
    detector = Detector.load(tiny_model)
    scan = Slice(np.zeros(shape, np.uint8), "narrow")
    finding = detector.detect(scan)
    assert finding.evidence is None  # refused: alone, without evidence
    how = detector.metadata.preprocessing.preprocessing
    assert min(opened(thumbnail(scan, finding, how)).size) >= 2
