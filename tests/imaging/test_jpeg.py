"""The parts of a JPEG: damage that its data tell of, colours stored as such, and how many."""

from __future__ import annotations

import io
import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tumorscope.common.errors import UnreadableImageError
from tumorscope.detection.detector import Detector
from tumorscope.imaging import bounds, jpeg, read_slice, tiff
from tumorscope.imaging.jpeg import Layout, layout_of
from tumorscope.imaging.read import open_bytes


def textured(edge: int = 200, *, colour: bool = False) -> Image.Image:
    rng = np.random.default_rng(3)
    shape = (edge // 8, edge // 8, 3) if colour else (edge // 8, edge // 8)
    small = rng.integers(0, 255, shape, dtype=np.uint8)
    return Image.fromarray(small).resize((edge, edge), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", **options)
    return stream.getvalue()


def segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2, "big") + body


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"quality": 30}, {"restart": 4}])
def test_a_whole_picture_is_not_damaged_and_comes_out_as_pillow_decodes_it(
    colour: bool, options: dict[str, object]
) -> None:
    options = {"restart_marker_blocks": 4} if "restart" in options else options
    data = encoded(textured(colour=colour), **options)
    opened = open_bytes(data, source="a")
    plain = Image.open(io.BytesIO(data))
    plain.draft("YCbCr", None)
    np.testing.assert_array_equal(opened.slice.pixels, np.array(plain.getchannel(0)))
    assert not opened.damaged


@pytest.mark.parametrize("behind", [b"", b"\xff\xd9", b"\0" * 500, b"what a camera appends"])
def test_what_lies_behind_the_picture_is_no_damage(behind: bytes) -> None:
    assert not open_bytes(encoded(textured()) + behind, source="a").damaged


def test_wrong_bits_are_told_where_the_data_tell_of_them() -> None:
    data, rng, told = encoded(textured()), random.Random(1), 0
    layout = layout_of(data)
    assert layout is not None
    for _ in range(100):
        wrong = bytearray(data)
        wrong[rng.randrange(layout.start, layout.end)] ^= 1 << rng.randrange(8)
        try:
            told += open_bytes(bytes(wrong), source="a").damaged
        except UnreadableImageError:
            told += 1
    # A wrong bit that leaves the number of codes as it was only changes greys: nobody can tell.
    assert told >= 10


def test_a_damaged_picture_is_refused_and_the_reason_said(tiny_model: Path) -> None:
    data = encoded(textured())
    layout = layout_of(data)
    without_some = data[: layout.end - 400] + data[layout.end :]
    finding = Detector.load(tiny_model).detect(without_some)
    assert (finding.decision, finding.reasons) == ("refused", ("damaged",))
    assert "damaged" in finding.words
    twice = data[: layout.end] + data[layout.start : layout.end] + data[layout.end :]
    assert open_bytes(twice, source="a").damaged


def test_red_green_and_blue_named_so_are_read_by_everything_alike(
    tmp_path: Path, tiny_model: Path
) -> None:
    image = textured(colour=True)
    data = bytearray(encoded(image, keep_rgb=True, subsampling=0))
    # Without Adobe's mark, only the names of the components tell.
    at = data.find(b"\xff\xee")
    if at >= 0:
        del data[at : at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")]
    assert b"Adobe" not in data
    assert b"JFIF" not in data
    assert layout_of(bytes(data)).rgb
    (tmp_path / "a.jpg").write_bytes(data)
    pixels = read_slice(tmp_path / "a.jpg").pixels
    np.testing.assert_array_equal(open_bytes(bytes(data), source="a").slice.pixels, pixels)
    assert np.abs(pixels.astype(int) - np.array(image.convert("L"))).mean() < 3
    assert Detector.load(tiny_model).detect(tmp_path / "a.jpg").decision != "unreadable"


def test_many_scans_and_blocks_are_refused_before_they_are_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jpeg, "MOST_SCANS", 4)
    with pytest.raises(UnreadableImageError, match=r"scans, of which 4 are allowed"):
        open_bytes(encoded(textured(), progressive=True), source="a")
    monkeypatch.setattr(jpeg, "MOST_BLOCKS", 20)
    data = encoded(textured())
    comments = data[:2] + segment(0xFE, b"note") * 21 + data[2:]
    with pytest.raises(UnreadableImageError, match="more than 20 blocks"):
        open_bytes(comments, source="a")
    with pytest.raises(UnreadableImageError, match="more than 20 blocks"):
        open_bytes(comments[:10] + b"x" * 21 + data[2:], source="a")
    ending = data[:-2] + segment(0xFE, b"note") * 20 + data[-2:]
    assert layout_of(ending).end == len(data) - 2
    assert layout_of(ending[:-2] + segment(0xFE, b"note") + data[-2:]).end == len(ending) + 8 - 2
    monkeypatch.setattr(jpeg, "MOST_METADATA", 100)
    with pytest.raises(UnreadableImageError, match="more than 100 bytes of metadata"):
        open_bytes(data[:2] + segment(0xFE, b"note" * 40) + data[2:], source="a")


def test_exif_is_looked_at_before_it_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a description"
    data = encoded(textured(), exif=exif)
    assert open_bytes(data, source="a").slice.pixels.shape == (200, 200)
    monkeypatch.setattr(tiff, "MOST_ENTRIES", 1)
    monkeypatch.setattr(tiff._Allowance, "__init__", _one_entry)
    with pytest.raises(UnreadableImageError, match="entries in its directories"):
        open_bytes(data, source="a")


def _one_entry(self: tiff._Allowance, size: int) -> None:
    self.size, self.entries, self.inner = size, 1, []


def test_what_is_no_jpeg_inside_has_no_layout() -> None:
    assert layout_of(b"\xff\xd8\xff\xe0") is None
    assert jpeg.feeder(b"", Layout(5, -1, 1, rgb=False)) is None
    assert bounds.MOST_SCANS >= 100
