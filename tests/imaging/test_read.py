"""Reading: every mode and format becomes grey; every bad file becomes one clear error."""

from __future__ import annotations

import io
import struct
import time
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tumorscope.common.errors import UnreadableImageError
from tumorscope.imaging import Slice, inspect_image, read_slice
from tumorscope.imaging.read import open_image

RAMP = np.tile(np.arange(0, 240, 6, dtype=np.uint8), (24, 1))


def encoded(form: str, mode: str = "L", **options: object) -> bytes:
    data = io.BytesIO()
    Image.fromarray(RAMP).convert(mode).save(data, form, **options)
    return data.getvalue()


FILES = {form: encoded(form) for form in ("JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP")}


@pytest.mark.parametrize(
    ("form", "mode", "error"),
    [
        ("PNG", "L", 0),
        ("PNG", "RGB", 0),
        ("PNG", "RGBA", 0),
        ("PNG", "LA", 0),
        ("PNG", "P", 1),
        ("BMP", "L", 0),
        ("TIFF", "L", 0),
        ("TIFF", "CMYK", 2),
        ("GIF", "L", 0),
        ("JPEG", "L", 4),
        ("JPEG", "RGB", 4),
        ("JPEG", "CMYK", 4),
        ("WEBP", "RGB", 8),
    ],
)
def test_every_mode_becomes_the_same_grey(tmp_path: Path, form: str, mode: str, error: int) -> None:
    (tmp_path / "a").write_bytes(encoded(form, mode))
    scan = read_slice(tmp_path / "a")
    assert scan.pixels.shape == RAMP.shape
    assert scan.pixels.dtype == np.uint8
    assert scan.pixels.flags.writeable
    assert np.abs(scan.pixels.astype(int) - RAMP).max() <= error
    assert scan.source == str(tmp_path / "a")


def test_bits_become_black_and_white(tmp_path: Path) -> None:
    Image.fromarray(RAMP > 100).save(tmp_path / "bits.png")
    np.testing.assert_array_equal(read_slice(tmp_path / "bits.png").pixels, (RAMP > 100) * 255)


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_twelve_bits_in_sixteen_are_stretched_not_blackened(tmp_path: Path, suffix: str) -> None:
    deep = (RAMP.astype(np.uint16) * 17) + 50
    Image.fromarray(deep).save(tmp_path / f"deep.{suffix}")
    pixels = read_slice(tmp_path / f"deep.{suffix}").pixels
    assert (pixels.min(), pixels.max()) == (0, 255)
    assert np.all(np.diff(pixels.astype(int), axis=1) >= 0)


def test_transparency_lies_over_black(tmp_path: Path) -> None:
    image = Image.new("RGBA", (10, 10), (255, 255, 255, 0))
    image.putpixel((3, 4), (255, 255, 255, 255))
    image.save(tmp_path / "a.png")
    pixels = read_slice(tmp_path / "a.png").pixels
    assert pixels[4, 3] == 255
    assert pixels.sum() == 255


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    image = Image.fromarray(RAMP)
    exif = image.getexif()
    exif[0x0112] = 6  # the camera was turned: rotate by 90° clockwise to view
    image.save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_slice(tmp_path / "a.png").pixels, np.rot90(RAMP, -1))


def test_the_content_decides_not_the_name(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(FILES["PNG"])
    (tmp_path / "b.JPEG").write_bytes(FILES["JPEG"])
    info = inspect_image(tmp_path / "a.jpg")
    assert (info.format, info.disguised) == ("PNG", True)
    assert (info.width, info.height, info.mode) == (40, 24, "L")
    assert not inspect_image(tmp_path / "b.JPEG").disguised


@pytest.mark.parametrize("form", FILES)
@settings(max_examples=40, deadline=None)
@given(share=st.floats(0.0, 0.98))
def test_a_truncated_file_is_refused_or_whole(
    tmp_path_factory: pytest.TempPathFactory, form: str, share: float
) -> None:
    file = tmp_path_factory.getbasetemp() / f"truncated.{form}"
    file.write_bytes(FILES[form][: int(len(FILES[form]) * share)])
    try:
        scan = read_slice(file)
    except UnreadableImageError:
        return
    # Some trailers can be missing without a pixel being lost.
    assert np.abs(scan.pixels.astype(int) - RAMP).max() <= 8


@settings(max_examples=150, deadline=None)
@given(
    form=st.sampled_from(sorted(FILES)),
    changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=6),
    rest=st.binary(max_size=40),
)
def test_damage_is_an_error_of_ours_or_an_image(
    tmp_path_factory: pytest.TempPathFactory,
    form: str,
    changes: list[tuple[int, int]],
    rest: bytes,
) -> None:
    data = bytearray(FILES[form])
    for place, value in changes:
        data[place % len(data)] = value
    file = tmp_path_factory.getbasetemp() / "damaged"
    file.write_bytes(bytes(data) + rest)
    try:
        scan = read_slice(file, max_pixels=1_000_000)
    except UnreadableImageError:
        return
    assert isinstance(scan, Slice)


@given(data=st.binary(max_size=200))
def test_bytes_that_are_no_image_are_refused(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    file = tmp_path_factory.getbasetemp() / "bytes.png"
    file.write_bytes(data)
    with pytest.raises(UnreadableImageError):
        read_slice(file)


def bomb(edge: int) -> bytes:
    """Return a PNG of edge × edge black bits, a few kB of zeros compressed."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + checksum

    packer = zlib.compressobj(9)
    row = b"\0" * (1 + (edge + 7) // 8)
    body = b"".join(packer.compress(row) for _ in range(edge)) + packer.flush()
    header = struct.pack(">IIBBBBB", edge, edge, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    (tmp_path / "bomb.png").write_bytes(bomb(30_000))
    tracemalloc.start()
    started = time.perf_counter()
    with pytest.raises(UnreadableImageError, match="30000 × 30000 pixels"):
        read_slice(tmp_path / "bomb.png")
    seconds = time.perf_counter() - started
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000
    assert seconds < 2


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.png", b"", "it is empty"),
        ("text.jpg", b"patient list", "its first bytes are"),
        ("page.png", b"<html><body>", "it is a web page"),
        ("torn.jpg", FILES["JPEG"][:200], "truncated"),
    ],
)
def test_the_error_says_what_was_received(
    tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UnreadableImageError, match=words) as caught:
        read_slice(tmp_path / name)
    assert "expected" in str(caught.value)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "broken.png").symlink_to(tmp_path / "nowhere")
    for name in ("folder.png", "broken.png", "missing.png"):
        with pytest.raises(UnreadableImageError, match="cannot be opened"):
            read_slice(tmp_path / name)


def test_one_pixel_is_an_image(tmp_path: Path) -> None:
    Image.fromarray(np.full((1, 1), 77, np.uint8)).save(tmp_path / "dot.png")
    assert read_slice(tmp_path / "dot.png").pixels.tolist() == [[77]]


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((2, 2, 3), np.uint8),
        np.zeros((2, 2), np.float32),
        np.zeros((0, 2), np.uint8),
    ],
)
def test_a_slice_is_grey_and_eight_bit(pixels: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected a non-empty uint8 array"):
        Slice(pixels=pixels, source="test")


def test_every_file_of_the_paper_is_read(real_data: Path) -> None:
    files = sorted((real_data / "navoneel_253").glob("*/*"))
    infos = [inspect_image(file) for file in files]
    assert len(files) == 253
    assert sum(info.disguised and info.format == "PNG" for info in infos) == 6
    assert {info.mode for info in infos} == {"L", "RGB", "RGBA", "P"}
    for file in files[::10]:
        assert read_slice(file).pixels.std() > 1


def test_a_phone_photograph_is_a_jpeg(tmp_path: Path) -> None:
    """Several pictures in one JPEG, which Pillow calls MPO; the first is read."""
    first, second = Image.fromarray(RAMP), Image.fromarray(255 - RAMP)
    first.save(tmp_path / "photo.jpg", "MPO", save_all=True, append_images=[second])
    info = inspect_image(tmp_path / "photo.jpg")
    assert (info.format, info.disguised) == ("JPEG", False)
    assert np.abs(read_slice(tmp_path / "photo.jpg").pixels.astype(int) - RAMP).max() <= 4


@pytest.mark.parametrize("suffix", ["gif", "tiff", "png", "webp"])
def test_of_several_pictures_none_is_read_silently(tmp_path: Path, suffix: str) -> None:
    images = [Image.fromarray(np.roll(RAMP, 7 * step, axis=1)) for step in range(3)]
    file = tmp_path / f"several.{suffix}"
    images[0].save(file, save_all=True, append_images=images[1:])
    for read in (read_slice, inspect_image, open_image):
        with pytest.raises(UnreadableImageError, match="it holds 3 pictures"):
            read(file)


def test_one_picture_in_a_file_for_animations_is_read(tmp_path: Path) -> None:
    for suffix in ("gif", "tiff", "png"):
        file = tmp_path / f"one.{suffix}"
        Image.fromarray(RAMP).save(file, save_all=True)
        np.testing.assert_array_equal(read_slice(file).pixels, RAMP)


@pytest.mark.parametrize(
    ("values", "grey"),
    [
        ([-3e38, 3e38], [0, 255]),
        ([0.0, 1e-44], [0, 0]),
        ([np.nan, 1.0], [0, 255]),
        ([np.inf, -np.inf], [0, 0]),
        ([5.0, 5.0], [0, 0]),
        ([-1.0, 0.0], [0, 255]),
    ],
)
def test_any_floating_point_values_are_stretched(
    tmp_path: Path, values: list[float], grey: list[int]
) -> None:
    Image.fromarray(np.array([values], np.float32)).save(tmp_path / "a.tiff")
    assert read_slice(tmp_path / "a.tiff").pixels.tolist() == [grey]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_turns_the_head_upright(tmp_path: Path, orientation: int) -> None:
    stored = {  # how an upright picture is stored for each code of EXIF 2.3, tag 0x0112
        1: RAMP,
        2: RAMP[:, ::-1],
        3: RAMP[::-1, ::-1],
        4: RAMP[::-1],
        5: RAMP.T,
        6: np.rot90(RAMP, 1),
        7: RAMP[::-1, ::-1].T,
        8: np.rot90(RAMP, -1),
    }[orientation]
    image = Image.fromarray(np.ascontiguousarray(stored))
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_slice(tmp_path / "a.png").pixels, RAMP)


@pytest.mark.parametrize("form", sorted(FILES))
def test_a_file_cut_at_any_byte_is_refused_or_whole(tmp_path: Path, form: str) -> None:
    data = FILES[form]
    refused, lengths = 0, range(0, len(data), max(1, len(data) // 300))
    for length in lengths:
        (tmp_path / "cut").write_bytes(data[:length])
        try:
            scan = read_slice(tmp_path / "cut")
        except UnreadableImageError:
            refused += 1
        else:
            assert np.abs(scan.pixels.astype(int) - RAMP).max() <= 8, length
    # The last bytes of a file (checksums, end marks) can be missing without a pixel being lost.
    assert refused > 0.7 * len(lengths)


@pytest.mark.parametrize("name", ["a\0b.png", "a" * 300 + ".png"])
def test_impossible_paths_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnreadableImageError, match="cannot be opened"):
        read_slice(tmp_path / name)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs an endless device")
@pytest.mark.timeout(20)
def test_an_endless_device_is_refused() -> None:
    with pytest.raises(UnreadableImageError, match="not a regular file"):
        read_slice("/dev/zero")
