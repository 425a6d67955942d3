"""Text files as people's programs write them: UTF-8 or UTF-16, with or without a mark in front."""

from __future__ import annotations

import codecs
from pathlib import Path

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark is its beginning
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

SAVE_AS_UTF8 = "Save it as UTF-8 (editors ask for the encoding under “Save as”)"
"""What to do about a `NotTextError`."""


class NotTextError(ValueError):
    """Bytes are in no encoding that is understood; the message is a clause that says why."""


def encoding_of(data: bytes) -> tuple[bytes, str]:
    """Return the byte order mark of bytes that are text, and the encoding that it stands for."""
    return next(
        ((mark, encoding) for mark, encoding in _MARKS if data.startswith(mark)), (b"", "utf-8")
    )


def decode_text(data: bytes) -> str:
    """Return the text that bytes stand for, without the byte order mark.

    PowerShell's ``>`` writes UTF-16, Excel and Notepad put a mark in front of UTF-8.

    Raises
    ------
    NotTextError
        If they are not such text. Other code pages are not guessed, because a wrong guess would
        silently change names.
    """
    mark, encoding = encoding_of(data)
    try:
        text = data[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, len(mark) + error.start) + 1
        found = " ".join(f"{byte:02x}" for byte in error.object[error.start : error.start + 1])
        raise NotTextError(
            f"it is not {encoding.upper()} text (byte {found} in line {line})"
        ) from error
    if "\0" in text:
        raise NotTextError(
            "it holds NUL characters, as text in UTF-16 without a mark or a binary file does"
        )
    return text


def read_text(path: Path) -> str:
    """Return the text of a file; see `decode_text`. Line ends become line feeds.

    Raises
    ------
    OSError
        If it cannot be read.
    NotTextError
        If it is not text.
    """
    return decode_text(path.read_bytes()).replace("\r\n", "\n").replace("\r", "\n")
