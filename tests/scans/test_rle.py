"""Packed planes of bytes are unpacked, and damaged ones refused without a panic."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tumorscope.scans.not_read import NotReadError
from tumorscope.scans.rle import decode_rle


def frame(*planes: bytes) -> bytes:
    places, body = [], b""
    for plane in planes:
        places.append(64 + len(body))
        body += plane
    return struct.pack("<16L", len(planes), *places, *[0] * (15 - len(places))) + body


def test_literal_and_repeated_runs() -> None:
    data = frame(b"\xfd\x01", b"\x03abcd")
    assert decode_rle(data, 4, 2).tolist() == [0x100 + byte for byte in b"abcd"]
    assert decode_rle(data, 4, 2).dtype == np.uint16


def test_padding_behind_a_plane_does_not_count() -> None:
    assert decode_rle(frame(b"\x03abcd\x00e"), 4, 1).tobytes() == b"abcd"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        frame(b"\x03abcd"),
        frame(b"\x03abcd", b""),
        frame(b"\x03abcd", b"\x03ab"),
        frame(b"\x03abcd", b"\x01ab"),
        frame(b"\x03abcd", b"\x7f"),
        struct.pack("<16L", 2, 64, 10_000, *[0] * 13) + b"\x03abcd",
        struct.pack("<16L", 2, 0, 1, *[0] * 13) + b"\x03abcd",
    ],
)
def test_damaged_frames(data: bytes) -> None:
    with pytest.raises(NotReadError):
        decode_rle(data, 4, 2)


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_any_bytes_are_values_or_refused(first: bytes, second: bytes) -> None:
    try:
        assert len(decode_rle(frame(first, second), 4, 2)) == 4
    except NotReadError as error:
        assert error.reason == "damaged"  # noqa: PT017 - either is right
