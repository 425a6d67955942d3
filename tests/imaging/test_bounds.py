"""Counting the parts of a file before a library does, and the canvas that it would make."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from tumorscope.common.errors import UnreadableImageError
from tumorscope.imaging import bounds, tiff
from tumorscope.imaging.bounds import canvas_of, check_parts
from tumorscope.imaging.opening import header_of
from tumorscope.imaging.read import open_bytes

RAMP = Image.fromarray(np.add.outer(np.arange(40), np.arange(30)).astype(np.uint8))


def encoded(form: str, **options: object) -> bytes:
    stream = io.BytesIO()
    RAMP.save(stream, form, **options)
    return stream.getvalue()


def test_usual_files_pass() -> None:
    for form in ("PNG", "GIF", "WEBP", "BMP", "TIFF", "JPEG"):
        assert header_of(encoded(form), source="a").info.width == 30


@pytest.mark.parametrize(("form", "options"), [("GIF", {}), ("WEBP", {}), ("WEBP", {"exif": b"x"})])
@pytest.mark.parametrize("lossless", [False, True])
def test_the_canvas_is_that_of_the_picture(
    form: str, options: dict[str, object], lossless: bool
) -> None:
    data = encoded(form, lossless=lossless, **options)
    assert canvas_of(data, form) == (30, 40)


def test_a_canvas_larger_than_any_picture_is_refused_before_it_is_made() -> None:
    data = bytearray(encoded("GIF", comment=b"a comment"))
    data[6:10] = b"\xff\xff\xff\xff"
    with pytest.raises(UnreadableImageError, match="65535 × 65535 pixels"):
        header_of(bytes(data), source="a")
    data = bytearray(encoded("WEBP", exif=b"x"))
    data[24:30] = b"\xfe\xff\x00\xfe\xff\x00"
    with pytest.raises(UnreadableImageError, match="65535 × 65535 pixels"):
        header_of(bytes(data), source="a")


def test_a_frame_beyond_the_screen_of_a_gif_counts() -> None:
    data = bytearray(encoded("GIF"))
    at = data.rindex(b",\0\0\0\0")
    data[at + 5 : at + 9] = b"\xff\xff\xff\xff"
    assert canvas_of(bytes(data), "GIF") == (65535, 65535)


def test_many_blocks_of_a_png_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    notes = PngImagePlugin.PngInfo()
    for index in range(12):
        notes.add_text(f"note {index}", "x")
    data = encoded("PNG", pnginfo=notes)
    assert open_bytes(data, source="a").slice.pixels.shape == (40, 30)
    monkeypatch.setattr(bounds, "MOST_BLOCKS", 10)
    with pytest.raises(UnreadableImageError, match="more than 10 blocks beside its pixels"):
        open_bytes(data, source="a")


def test_many_blocks_of_a_gif_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded("GIF", comment=b"word " * 400)
    assert open_bytes(data, source="a").slice.pixels.shape == (40, 30)
    monkeypatch.setattr(bounds, "MOST_BLOCKS", 1)
    with pytest.raises(UnreadableImageError, match="more than 4 blocks beside its pixels"):
        open_bytes(data, source="a")


def test_a_tile_larger_than_any_picture_is_refused_before_it_is_made() -> None:
    entries = [(256, 4, 30), (257, 4, 40), (258, 3, 8), (259, 3, 5), (262, 3, 1), (277, 3, 1)]
    entries += [(322, 4, 60000), (323, 4, 60000), (324, 4, 8), (325, 4, 9)]
    data = b"II*\0" + (16).to_bytes(4, "little") + bytes(8) + len(entries).to_bytes(2, "little")
    for tag, kind, value in entries:
        data += tag.to_bytes(2, "little") + kind.to_bytes(2, "little") + b"\1\0\0\0"
        data += value.to_bytes(4, "little")
    with pytest.raises(UnreadableImageError, match="MiB of memory"):
        open_bytes(data + bytes(4), source="a")


def test_many_strips_and_values_of_a_tiff_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.BytesIO()
    RAMP.resize((2000, 100)).save(stream, "TIFF", compression="tiff_lzw", strip_size=2000)
    data = stream.getvalue()
    assert open_bytes(data, source="a").slice.pixels.shape == (100, 2000)
    monkeypatch.setattr(tiff, "MOST_STRIPS", 10)
    with pytest.raises(UnreadableImageError, match="strips, of which 10 are allowed"):
        open_bytes(data, source="a")


@given(st.sampled_from(["PNG", "GIF", "WEBP", "BMP"]), st.data())
def test_damage_raises_nothing_else(form: str, data: st.DataObject) -> None:
    whole = encoded(form)
    wrong = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for at in data.draw(st.lists(st.integers(0, max(0, len(wrong) - 1)), max_size=5)):
        if wrong:
            wrong[at] = data.draw(st.integers(0, 255))
    canvas_of(bytes(wrong), form)
    check_parts(bytes(wrong), form)
