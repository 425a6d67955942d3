"""Why an image cannot be decoded: cut short, stored in a way unknown here, or damaged.

Decoders say "cannot handle" and "broken data stream" alike. Who is told to copy a file again that
is whole, only stored with 12 bits, copies it in vain.
"""

from __future__ import annotations

from tumorscope.imaging.kinds import CONVERT
from tumorscope.imaging.tiff import Page

COPY = "It is probably truncated: copy it again from where it came from."
_SAVE = (
    "It is damaged, or stored in a way that none of the libraries here knows: open it in an image "
    "viewer and save it as PNG, or take it out."
)
_UNKNOWN = "which none of the libraries here decodes"

_PROCESSES = {3: "a lossless JPEG", 7: "a lossless, hierarchical JPEG", 11: "a lossless JPEG"}


def why(name: str, data: bytes, said: str, *, page: Page | None = None) -> tuple[str, str]:
    """Return what was received and what to do, for an image that a decoder refused.

    Parameters
    ----------
    name : str
        Format by content: JPEG, PNG, GIF, BMP, TIFF or WEBP.
    data : bytes
        The whole file.
    said : str
        What the decoder said.
    page : Page, optional
        Of a TIFF, the page that was to be read.
    """
    said = " ".join(said.split())
    if name == "JPEG" and (kind := _jpeg(data)) is not None:
        return f"it is {kind}, {_UNKNOWN} ({said})", CONVERT
    if _is_cut(name, data, page):
        return f"its {name} data end too early ({said})", COPY
    if page is not None and (page.compression or not page.plain):
        how = f" compressed with {page.compression}" if page.compression else ""
        return f"it is a TIFF of {page.words}{how}, {_UNKNOWN} ({said})", CONVERT
    return f"its {name} data cannot be decoded ({said})", _SAVE


def _jpeg(data: bytes) -> str | None:
    """Return what is unusual about a JPEG by its frame header; None where nothing is."""
    at = 2
    while at + 9 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker == 0xF7:
            return "a JPEG-LS image"
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return _frame(marker - 0xC0, data[at + 4])
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def _frame(process: int, bits: int) -> str | None:
    words = _PROCESSES.get(process)
    if bits != 8:
        return f"{words or 'a JPEG'} with {bits} bits a sample"
    if words is None and process > 8:
        words = "a JPEG with arithmetic coding"
    if words is None and process > 4:
        words = "a hierarchical JPEG"
    return words


def _is_cut(name: str, data: bytes, page: Page | None) -> bool:
    if name == "JPEG":  # cameras append much after the end mark
        return b"\xff\xd9" not in data
    if name == "PNG":
        return b"IEND" not in data
    if name == "GIF":
        return not data.rstrip(b"\0").endswith(b";")
    if name == "BMP":
        return int.from_bytes(data[2:6], "little") > len(data)
    if name == "WEBP":
        return int.from_bytes(data[4:8], "little") + 8 > len(data)
    return page is None or page.ends > len(data)
