"""Copies of a known picture are found however they were saved; other pictures are not taken."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tumorscope.duplicates.recognition import Recogniser
from tumorscope.duplicates.thumbprint import thumbprint
from tumorscope.imaging import Slice, read_slice
from tumorscope.synthetic.phantom import write_phantom_cohort

Pixels = NDArray[np.uint8]


def jpeg(pixels: Pixels, quality: int = 50, share: float = 0.7) -> Pixels:
    image = Image.fromarray(pixels)
    image = image.resize((round(image.width * share), round(image.height * share)))
    stored = io.BytesIO()
    image.save(stored, "JPEG", quality=quality)
    return np.array(Image.open(stored).convert("L"))


def cropped(pixels: Pixels, *shares: float) -> Pixels:
    height, width = pixels.shape
    top, bottom, left, right = shares
    return pixels[
        round(top * height) : height - round(bottom * height),
        round(left * width) : width - round(right * width),
    ]


def bordered(pixels: Pixels, share: float, grey: int = 0) -> Pixels:
    return np.pad(pixels, round(share * max(pixels.shape)), constant_values=grey)


def gamma(pixels: Pixels, power: float) -> Pixels:
    return np.rint(255.0 * (pixels / 255.0) ** power).astype(np.uint8)


def to_the_brain(pixels: Pixels) -> Pixels:
    """What many scripts for the public set do: threshold, largest contour, extreme points."""
    grey = cv2.GaussianBlur(pixels, (5, 5), 0)
    _, mask = cv2.threshold(grey, 45, 255, cv2.THRESH_BINARY)
    mask = cv2.dilate(cv2.erode(mask, None, iterations=2), None, iterations=2)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    x, y, width, height = cv2.boundingRect(max(contours, key=cv2.contourArea))
    return pixels[y : y + height, x : x + width]


COPIES: dict[str, Callable[[Pixels], Pixels]] = {
    "itself": lambda pixels: pixels,
    "re-encoded": lambda pixels: jpeg(pixels, 30),
    "black border": lambda pixels: bordered(pixels, 0.05),
    "wide black border": lambda pixels: bordered(pixels, 0.3),
    "white border": lambda pixels: bordered(pixels, 0.1, 255),
    "crop of a twentieth": lambda pixels: cropped(pixels, 0.05, 0.05, 0.05, 0.05),
    "crop of a tenth": lambda pixels: cropped(pixels, 0.1, 0.1, 0.1, 0.1),
    "crop of one corner": lambda pixels: cropped(pixels, 0.1, 0.0, 0.1, 0.0),
    "crop to the brain": to_the_brain,
    "turned": lambda pixels: np.rot90(pixels),
    "mirrored": lambda pixels: pixels[:, ::-1],
    "upside down": lambda pixels: pixels[::-1],
    "darker": lambda pixels: gamma(pixels, 2.0),
    "brighter": lambda pixels: gamma(pixels, 0.5),
    "twice as large": lambda pixels: np.array(Image.fromarray(pixels).resize((600, 700))),
    "crop, turned and re-encoded": lambda pixels: jpeg(
        np.rot90(cropped(pixels, 0.1, 0.1, 0.1, 0.1), 3)
    ),
    "crop to the brain on a border, darker": lambda pixels: gamma(
        bordered(to_the_brain(pixels), 0.2), 1.6
    ),
}


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> list[Slice]:
    folder = tmp_path_factory.mktemp("phantoms")
    write_phantom_cohort(folder, n=40, seed=3)
    return [read_slice(path) for path in sorted(folder.rglob("*.png"))]


@pytest.fixture(scope="module")
def known(phantoms: list[Slice]) -> Recogniser:
    return Recogniser(np.stack([thumbprint(scan) for scan in phantoms[::2]]))


@pytest.mark.parametrize("how", COPIES)
def test_copies_are_known(phantoms: list[Slice], known: Recogniser, how: str) -> None:
    for index, scan in enumerate(phantoms[::2]):
        copy = Slice(np.ascontiguousarray(COPIES[how](scan.pixels)), "copy")
        found = known.best(copy)
        assert (found.index, known.is_copy(copy)) == (index, True)


def test_other_pictures_are_not_taken_for_copies(phantoms: list[Slice], known: Recogniser) -> None:
    assert not any(known.is_copy(scan) for scan in phantoms[1::2])


@pytest.fixture(scope="module")
def real_scans(real_data: Path) -> list[Slice]:
    paths = sorted((real_data / "navoneel_253" / "no").iterdir())[:10]
    return [read_slice(path) for path in paths]


@pytest.fixture(scope="module")
def known_scans(real_scans: list[Slice]) -> Recogniser:
    return Recogniser(np.stack([thumbprint(scan) for scan in real_scans]))


@pytest.mark.parametrize("how", COPIES)
def test_real_copies_are_known(real_scans: list[Slice], known_scans: Recogniser, how: str) -> None:
    missed = [
        scan.source
        for scan in real_scans
        if not known_scans.is_copy(Slice(np.ascontiguousarray(COPIES[how](scan.pixels)), "copy"))
    ]
    assert len(missed) <= 1


def test_other_real_scans_are_not_taken_for_copies(
    real_data: Path, known_scans: Recogniser
) -> None:
    tumours = sorted((real_data / "navoneel_253" / "yes").iterdir())[:10]
    assert not any(known_scans.is_copy(read_slice(path)) for path in tumours)
