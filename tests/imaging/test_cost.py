"""What a picture is said to need to be decoded is at least what it takes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from tumorscope.common.errors import UnreadableImageError
from tumorscope.common.memory import IMAGES, MIB
from tumorscope.imaging.cost import bytes_needed
from tumorscope.imaging.opening import read_header
from tumorscope.imaging.read import open_image

EDGE = 1200
_REFS, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")

OTHERS = 2 * 2**20
"""Bytes by which a process that runs tests grows meanwhile for other reasons."""


def _peak(path: Path) -> int:
    """Return by how many bytes this process grew at most while it read an image."""

    def value(name: str) -> int:
        line = next(each for each in _STATUS.read_text().splitlines() if each.startswith(name))
        return int(line.split()[1]) * 1024

    try:
        _REFS.write_text("5")
    except OSError:
        pytest.skip("needs a Linux that tells the peak of a process")
    before = value("VmRSS")
    open_image(path)
    return value("VmHWM") - before


@pytest.mark.parametrize(
    "name",
    [
        *("L.png", "P.png", "RGBA.png", "I16.png", "RGB16.png", "RGB.jpg", "progressive.jpg"),
        *("RGBA.webp", "P.gif", "RGB.bmp", "RGB.tif", "F32.tif", "F64.tif", "RGBF32.tif"),
    ],
)
def test_no_picture_takes_more_than_it_is_said_to(name: str, tmp_path: Path) -> None:
    rows = np.linspace(0, 255, EDGE).astype(np.uint8)
    grey = np.broadcast_to(rows, (EDGE, EDGE)).copy()
    colour = np.dstack([grey, grey.T, grey])
    picture, path = Image.fromarray(colour), tmp_path / name
    values = {
        "I16.png": grey.astype(np.uint16) * 200,
        "RGB16.png": colour.astype(np.uint16) * 200,
        "F32.tif": grey / np.float32(3),
        "F64.tif": grey / np.float64(3),
        "RGBF32.tif": colour / np.float32(3),
    }
    if name in values:
        cv2.imwrite(str(path), values[name])
    elif name.startswith("P."):
        picture.quantize(200).save(path, transparency=3)
    elif name == "L.png":
        Image.fromarray(grey).save(path)
    else:
        form = picture.convert("RGBA") if name.startswith("RGBA") else picture
        form.save(path, lossless=True, progressive=name == "progressive.jpg")
    assert _peak(path) <= bytes_needed(read_header(path)) + OTHERS


def test_what_needs_more_than_the_budget_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(IMAGES, "limit", 8 * MIB)
    Image.new("RGB", (900, 900)).save(tmp_path / "a.png")
    with pytest.raises(UnreadableImageError, match=r"900 × 900 pixels \(RGB\) need .* 8 MiB"):
        open_image(tmp_path / "a.png")
    assert IMAGES.taken == 0
