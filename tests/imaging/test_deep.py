"""More than 8 bits, in every container that scans come in: the same grey picture from all."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from tumorscope.common.errors import UnreadableImageError
from tumorscope.imaging import inspect_image, read_slice
from tumorscope.imaging.deep import window
from tumorscope.imaging.read import open_image

ROWS, COLUMNS = np.mgrid[:60, :50]
HEAD = np.clip(1.2 - np.hypot((ROWS - 30) / 26, (COLUMNS - 22) / 20), 0, 1) ** 2
"""A bright ellipse on black, left of the middle, 0 to 1."""

GREY = window(HEAD)
U8, U12, U16 = ((HEAD * top).round() for top in (255, 3800, 60000))

WriteTiff = Callable[..., bytes]


def colour(values: np.ndarray) -> np.ndarray:
    return np.repeat(values[..., None], 3, axis=2)


STORED = {
    "u16": ([U16.astype(np.uint16)], {}),
    "u16, big endian": ([U16.astype(np.uint16)], {"order": ">"}),
    "u16, white is zero": ([(65535 - U16).astype(np.uint16)], {"white": True}),
    "u16, white is zero, big endian": (
        [(65535 - U16).astype(np.uint16)],
        {"white": True, "order": ">"},
    ),
    "u8, white is zero": ([(255 - U8).astype(np.uint8)], {"white": True}),
    "12 bits in 16": ([U12.astype(np.uint16)], {}),
    "signed 16": ([(U16 - 30000).astype(np.int16)], {}),
    "signed 16 of a CT": ([(U12 - 1024).astype(np.int16)], {}),
    "signed 8": ([(U8 - 128).astype(np.int8)], {}),
    "signed 32": ([(U16 * 1000 - 7).astype(np.int32)], {}),
    "float32": ([HEAD.astype(np.float32)], {}),
    "float32, white is zero": ([(1 - HEAD).astype(np.float32)], {"white": True}),
    "float64": ([HEAD], {}),
    "float64, big endian": ([HEAD], {"order": ">"}),
    "u16, packed, big endian": ([U16.astype(np.uint16)], {"packed": True, "order": ">"}),
    "signed 16, packed": ([(U16 - 30000).astype(np.int16)], {"packed": True}),
    "signed 16, packed, big endian": (
        [(U16 - 30000).astype(np.int16)],
        {"packed": True, "order": ">"},
    ),
    "signed 32, packed, big endian": (
        [(U16 * 1000 - 7).astype(np.int32)],
        {"packed": True, "order": ">"},
    ),
    "float32, packed, big endian": ([HEAD.astype(np.float32)], {"packed": True, "order": ">"}),
    "float32, packed, white is zero, big endian": (
        [(1 - HEAD).astype(np.float32)],
        {"packed": True, "white": True, "order": ">"},
    ),
    "BigTIFF of 8 bits": ([U8.astype(np.uint8)], {"big": True}),
    "BigTIFF of 8 bits, big endian": ([U8.astype(np.uint8)], {"big": True, "order": ">"}),
    "BigTIFF of 8 bits, white is zero, big endian": (
        [(255 - U8).astype(np.uint8)],
        {"big": True, "white": True, "order": ">"},
    ),
    "BigTIFF of 16 bits": ([U16.astype(np.uint16)], {"big": True}),
    "BigTIFF of 16 bits, big endian": ([U16.astype(np.uint16)], {"big": True, "order": ">"}),
    "BigTIFF, white is zero": ([(65535 - U16).astype(np.uint16)], {"big": True, "white": True}),
    "BigTIFF of float64": ([HEAD], {"big": True}),
    "colours of 16 bits": ([colour(U16).astype(np.uint16)], {}),
    "colours of 16 bits, big endian": ([colour(U16).astype(np.uint16)], {"order": ">"}),
    "colours of 12 bits in 16": ([colour(U12).astype(np.uint16)], {}),
    "colours of 8 bits in planes": ([np.stack([U8] * 3).astype(np.uint8)], {"planar": True}),
    "colours of float32": ([colour(HEAD).astype(np.float32)], {}),
    "colours of 16 bits with alpha": (
        [np.dstack([colour(U16), np.full(U16.shape, 65535)]).astype(np.uint16)],
        {},
    ),
    "BigTIFF of colours of 16 bits": ([colour(U16).astype(np.uint16)], {"big": True}),
}


@pytest.mark.parametrize("name", STORED)
def test_however_it_is_stored_it_is_the_same_grey(
    tmp_path: Path, write_tiff: WriteTiff, name: str
) -> None:
    pages, how = STORED[name]
    file = tmp_path / "a.tif"
    file.write_bytes(write_tiff(*pages, **how))
    pixels = read_slice(file).pixels
    # A tenth of a percent at either end is cut off, and 8 bits are rounded once more.
    assert np.abs(pixels.astype(int) - GREY).max() <= 2
    opened = open_image(file)
    scan, coloured = opened.slice, opened.coloured
    np.testing.assert_array_equal(scan.pixels, pixels)
    assert coloured == 0.0
    info = inspect_image(file)
    assert (info.format, info.width, info.height) == ("TIFF", 50, 60)


REFUSED = {
    "16-bit floating-point": ([HEAD.astype(np.float16)], {}),
    "16-bit unsigned values, 3 channels in planes": (
        [np.stack([U16] * 3).astype(np.uint16)],
        {"planar": True},
    ),
    "16-bit unsigned values, 2 channels": ([np.dstack([U16, U16]).astype(np.uint16)], {}),
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_no_library_reads_right_is_refused_with_what_it_is(
    tmp_path: Path, write_tiff: WriteTiff, words: str
) -> None:
    pages, how = REFUSED[words]
    (tmp_path / "a.tif").write_bytes(write_tiff(*pages, **how))
    with pytest.raises(UnreadableImageError, match=words) as caught:
        read_slice(tmp_path / "a.tif")
    assert "truncated" not in str(caught.value)
    assert "Convert it" in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "float64",
        "BigTIFF of 16 bits",
        "colours of 16 bits",
        "u16",
        "signed 16, packed, big endian",
    ],
)
def test_a_deep_tiff_cut_anywhere_is_refused_as_truncated(
    tmp_path: Path, write_tiff: WriteTiff, name: str
) -> None:
    pages, how = STORED[name]
    data = write_tiff(*pages, **how)
    # The directory lies behind the pixels; moved in front, a cut takes pixels only.
    for share in (0.05, 0.3, 0.7, 0.95, 0.999):
        (tmp_path / "a.tif").write_bytes(data[: int(len(data) * share)])
        with pytest.raises(UnreadableImageError, match="truncated"):
            read_slice(tmp_path / "a.tif")


@pytest.mark.parametrize("alpha", [False, True])
def test_a_png_of_sixteen_bit_colours_keeps_them(tmp_path: Path, alpha: bool) -> None:
    pixels = colour(U12).astype(np.uint16)
    if alpha:
        pixels = np.dstack([pixels, np.full(U12.shape, 65535, np.uint16)])
    cv2.imwrite(str(tmp_path / "a.png"), pixels)
    opened = open_image(tmp_path / "a.png")
    scan, coloured = opened.slice, opened.coloured
    assert np.abs(scan.pixels.astype(int) - GREY).max() <= 2
    assert coloured == 0.0
    assert inspect_image(tmp_path / "a.png").mode == ("RGBA;16" if alpha else "RGB;16")


def test_a_truncated_png_of_sixteen_bit_colours_is_refused(tmp_path: Path) -> None:
    """OpenCV alone would return the rows that it got."""
    noise = np.random.default_rng(0).integers(0, 65535, (60, 50, 3)).astype(np.uint16)
    data = cv2.imencode(".png", noise)[1].tobytes()
    for share in (0.3, 0.6, 0.9):
        (tmp_path / "a.png").write_bytes(data[: int(len(data) * share)])
        with pytest.raises(UnreadableImageError, match="truncated"):
            read_slice(tmp_path / "a.png")


def test_colours_of_sixteen_bits_are_colours(tmp_path: Path) -> None:
    red = np.zeros((60, 50, 3), np.uint16)
    red[..., 2] = U16  # OpenCV's order: blue, green, red
    cv2.imwrite(str(tmp_path / "a.png"), red)
    opened = open_image(tmp_path / "a.png")
    scan, coloured = opened.slice, opened.coloured
    assert coloured > 0.1
    assert open_image(tmp_path / "a.png", sample_edge=9).coloured == pytest.approx(
        coloured, abs=0.1
    )
    assert scan.pixels.max() == 76  # 0.299 of 255


@pytest.mark.parametrize("orientation", range(1, 9))
def test_whatever_the_depth_it_is_turned_upright(
    tmp_path: Path, write_tiff: WriteTiff, orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    body = b"eXIf" + exif.tobytes().removeprefix(b"Exif\0\0")
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    deep = cv2.imencode(".png", colour(U16).astype(np.uint16))[1].tobytes()
    (tmp_path / "deep.png").write_bytes(deep[:33] + chunk + deep[33:])
    Image.fromarray(GREY).save(tmp_path / "plain.png", exif=exif)
    tiffs = {"deep.tif": colour(U16), "grey.tif": U16, "plain.tif": GREY}
    for name, values in tiffs.items():
        stored = values.astype(np.uint8 if values is GREY else np.uint16)
        (tmp_path / name).write_bytes(write_tiff(stored, tags={274: orientation}))
    upright = read_slice(tmp_path / "plain.png").pixels
    for name in ("deep.png", *tiffs):
        pixels = read_slice(tmp_path / name).pixels
        assert pixels.shape == upright.shape, name
        assert np.abs(pixels.astype(int) - upright).max() <= 2, name


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_one_outlier_does_not_flatten_the_image(tmp_path: Path, suffix: str) -> None:
    values = U12.astype(np.uint16)
    values[0, 0] = 65535
    Image.fromarray(values).save(tmp_path / f"a.{suffix}")
    pixels = read_slice(tmp_path / f"a.{suffix}").pixels
    assert np.abs(pixels.astype(int) - GREY)[1:].max() <= 2


def test_a_window_never_cuts_off_all_there_is() -> None:
    few = np.zeros((100, 100), np.uint16)
    few[50, 50:55] = 900  # fewer than one in a thousand
    assert window(few).max() == 255
    assert window(np.full((4, 4), 7.0)).max() == 0
    np.testing.assert_array_equal(window(np.array([[4e9, 4e9 + 1]])), [[0, 255]])


def test_eight_bits_with_a_transparent_grey_lie_over_black(tmp_path: Path) -> None:
    pixels = np.full((10, 10), 255, np.uint8)
    pixels[4:6, 4:6] = 90
    Image.fromarray(pixels).save(tmp_path / "grey.png", transparency=255)
    Image.fromarray(colour(pixels)).save(tmp_path / "rgb.png", transparency=(255, 255, 255))
    for name in ("grey.png", "rgb.png"):
        read = read_slice(tmp_path / name).pixels
        assert (read[0, 0], read[4, 4]) == (0, 90), name


@pytest.mark.parametrize("dtype", [np.float64, np.int32, np.uint32])
def test_the_same_values_of_another_type_are_the_same_picture(dtype: type) -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(0, 2000, (200, 200)).astype(np.float32)
    assert np.array_equal(window(values), window(values.astype(dtype)))
    scaled = values / np.float32(1999)
    assert np.array_equal(window(scaled), window(scaled.astype(np.float64)))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
def test_colours_of_eight_bits_with_alpha_are_laid_over_black(
    tmp_path: Path, write_tiff: WriteTiff, order: str, big: bool
) -> None:
    pixels = np.zeros((20, 20, 4), np.uint8)
    pixels[..., 0], pixels[..., 3] = 200, 255
    pixels[:, 10:, 3] = 0
    (tmp_path / "a.tif").write_bytes(write_tiff(pixels, big=big, order=order))
    found = read_slice(tmp_path / "a.tif").pixels
    assert abs(int(found[0, 0]) - 60) <= 1
    assert found[0, 19] == 0
