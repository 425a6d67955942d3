"""JPEG frames of 8 bits: whole ones are never refused, wrong bits are told where they can be."""

from __future__ import annotations

import io
import random

import numpy as np
import pytest
from PIL import Image

from tumorscope.imaging.jpeg import layout_of
from tumorscope.scans.jpeg_frame import decode_jpeg
from tumorscope.scans.not_read import NotReadError

SMALL = np.random.default_rng(3).integers(0, 255, (12, 12), dtype=np.uint8)
PICTURES = {
    "texture": np.array(Image.fromarray(SMALL).resize((95, 90), Image.Resampling.BICUBIC)),
    "black": np.zeros((64, 64), np.uint8),
    "one block": np.arange(64, dtype=np.uint8).reshape(8, 8),
}
ENDS = {
    "as written": b"\xff\xd9",
    "padded": b"\xff\xd9\0",
    "fill bytes": b"\xff" * 9 + b"\xff\xd9",
    "zeros": bytes(6) + b"\xff\xd9",
    "a mark of restart": b"\xff\xd0\xff\xff\xd9",
    "a comment": b"\xff\xfe\0\x06\xff\xd9ab\xff\xd9",
    "blocks": b"\xff\xe5\0\x20" + bytes(30) + b"\xff\xfe\0\x03a\xff\xd9\0",
}


def encoded(values: np.ndarray, **options: object) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(values).save(stream, "JPEG", **options)
    return stream.getvalue()


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("picture", PICTURES)
def test_a_whole_frame_is_read_however_it_ends(picture: str, end: str) -> None:
    for options in ({}, {"quality": 20, "optimize": True}, {"restart_marker_blocks": 3}):
        data = encoded(PICTURES[picture], **options)[:-2] + ENDS[end]
        values = decode_jpeg(data)
        plain = np.array(Image.open(io.BytesIO(data)))
        # Of the others there may be less data than filling: it is left to pydicom.
        assert picture != "texture" or values is not None
        assert values is None or np.array_equal(values, plain)


def test_what_tells_nothing_is_left_to_others() -> None:
    data = encoded(PICTURES["texture"])
    assert decode_jpeg(b"") is None
    assert decode_jpeg(data[:-2]) is None
    assert decode_jpeg(encoded(PICTURES["texture"], progressive=True)) is None
    assert decode_jpeg(encoded(np.stack([PICTURES["texture"]] * 3, -1))) is None


def test_wrong_bits_are_told_where_the_data_tell_of_them() -> None:
    data, rng, told = encoded(PICTURES["texture"]), random.Random(1), 0
    layout = layout_of(data)
    assert layout is not None
    for _ in range(100):
        wrong = bytearray(data)
        wrong[rng.randrange(layout.start, layout.end)] ^= 1 << rng.randrange(8)
        try:
            decode_jpeg(bytes(wrong))
        except (NotReadError, OSError):
            told += 1
    assert told >= 10
