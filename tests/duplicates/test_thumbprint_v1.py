"""Thumbprints of version 1: copies are known after JPEG and shrinking, other pictures are not."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from tumorscope.duplicates.thumbprint_v1 import COPY, WholeImages, thumbprint
from tumorscope.imaging import Slice, read_slice
from tumorscope.synthetic.phantom import write_phantom_cohort


def copy_of(scan: Slice, *, quality: int = 60, share: float = 0.6, mirrored: bool = False) -> Slice:
    """The slice at `share` of its size and saved as JPEG."""
    image = Image.fromarray(scan.pixels[:, ::-1] if mirrored else scan.pixels)
    image = image.resize((round(image.width * share), round(image.height * share)))
    stored = io.BytesIO()
    image.save(stored, "JPEG", quality=quality)
    return Slice(pixels=np.array(Image.open(stored).convert("L")), source="copy")


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> list[Slice]:
    folder = tmp_path_factory.mktemp("phantoms")
    write_phantom_cohort(folder, n=16, seed=3)
    return [read_slice(path) for path in sorted(folder.rglob("*.png"))]


@pytest.mark.parametrize("mirrored", [False, True])
def test_copies_are_known_after_jpeg_and_shrinking(phantoms: list[Slice], mirrored: bool) -> None:
    for scan in phantoms:
        known = WholeImages(thumbprint(scan)[None])
        copy = copy_of(scan, mirrored=mirrored)
        turned = Slice(np.ascontiguousarray(np.rot90(copy.pixels)), "turned")
        assert known.is_copy(copy)
        assert known.is_copy(turned)


def test_a_border_on_a_picture_without_one_is_looked_past() -> None:
    rng = np.random.default_rng(1)
    pixels = rng.integers(40, 200, (8, 8), np.uint8).repeat(12, 0).repeat(12, 1)
    known = WholeImages(thumbprint(Slice(pixels, "one"))[None])
    assert known.is_copy(Slice(np.pad(pixels, 25), "framed"))


def test_other_pictures_are_not_taken_for_copies(phantoms: list[Slice]) -> None:
    prints = np.stack([thumbprint(scan) for scan in phantoms])
    for index in range(len(prints)):
        others = np.delete(prints, index, axis=0)
        assert not WholeImages(others).is_copy(phantoms[index])


@given(gain=st.floats(0.5, 1.0), offset=st.integers(0, 40))
def test_contrast_hardly_counts(gain: float, offset: int) -> None:
    rng = np.random.default_rng(0)
    pixels = np.kron(rng.integers(40, 200, (8, 8)), np.ones((12, 12)))
    other = (pixels * gain + offset).astype(np.uint8)
    known = WholeImages(thumbprint(Slice(pixels.astype(np.uint8), "one"))[None])
    assert known.is_copy(Slice(other, "other"))


@given(value=st.integers(0, 255), shape=st.tuples(st.integers(1, 40), st.integers(1, 40)))
def test_a_flat_image_resembles_nothing(value: int, shape: tuple[int, int]) -> None:
    scan = Slice(np.full(shape, value, np.uint8), "flat")
    flat = thumbprint(scan)
    assert not flat.any()
    assert WholeImages(flat[None]).resemblance(scan) == 0.0
    assert WholeImages(np.empty((0, 256), np.int8)).resemblance(scan) == -1.0


@given(
    pixels=st.tuples(st.integers(1, 60), st.integers(1, 60)).flatmap(
        lambda shape: arrays(np.uint8, shape)
    )
)
def test_any_image_has_a_thumbprint(pixels: np.ndarray) -> None:
    scan = Slice(pixels, "any")
    mine = thumbprint(scan)
    assert mine.shape == (256,)
    assert mine.dtype == np.int8
    same = WholeImages(mine[None]).resemblance(scan)
    assert same == pytest.approx(1.0, abs=1e-5) or not mine.any()


def test_real_copies_are_known_and_real_others_are_not(real_data: Path) -> None:
    paths = sorted((real_data / "navoneel_253" / "no").iterdir())[:30]
    scans = [read_slice(path) for path in paths]
    prints = np.stack([thumbprint(scan) for scan in scans])
    for scan, mine in zip(scans, prints, strict=True):
        assert WholeImages(mine[None]).is_copy(copy_of(scan))
    tumours = sorted((real_data / "navoneel_253" / "yes").iterdir())[:30]
    for path in tumours:  # no group of the set has both labels
        assert WholeImages(prints).resemblance(read_slice(path)) < COPY
