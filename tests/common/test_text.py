"""Text files are read as people's programs write them."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from tumorscope.common.text import NotTextError, decode_text, read_text

WORDS = 'name = "été"\nseed = 3\n'


@pytest.mark.parametrize(
    "data",
    [
        WORDS.encode(),
        codecs.BOM_UTF8 + WORDS.encode(),
        codecs.BOM_UTF16_LE + WORDS.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + WORDS.encode("utf-16-be"),
        codecs.BOM_UTF32_LE + WORDS.encode("utf-32-le"),
        codecs.BOM_UTF32_BE + WORDS.encode("utf-32-be"),
        WORDS.replace("\n", "\r\n").encode(),
        codecs.BOM_UTF16_LE + WORDS.replace("\n", "\r\n").encode("utf-16-le"),
    ],
)
def test_text_is_the_same_in_every_encoding_that_names_itself(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "words").write_bytes(data)
    assert read_text(tmp_path / "words") == WORDS


def test_an_empty_file_is_empty_text() -> None:
    assert decode_text(b"") == ""


def test_another_code_page_is_not_guessed_and_the_place_is_named() -> None:
    with pytest.raises(NotTextError, match=r"not UTF-8 text \(byte e9 in line 2\)"):
        decode_text("seed = 3\nname = 'été'".encode("cp1252"))


def test_utf_16_without_a_mark_is_no_text_rather_than_every_other_letter() -> None:
    with pytest.raises(NotTextError, match="NUL"):
        decode_text(WORDS.replace("é", "e").encode("utf-16-le"))
