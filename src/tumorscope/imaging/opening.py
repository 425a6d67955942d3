"""A file's bytes → an encoded image: its format by content, its header, and which page is read.

Nothing is decoded here; what can be refused by the header is.
"""

from __future__ import annotations

import hashlib
import io
import stat
from dataclasses import dataclass
from pathlib import Path, PurePath

from PIL import Image

from tumorscope.common.memory import IMAGES
from tumorscope.imaging.bounds import TooMuchError, canvas_of, check_parts
from tumorscope.imaging.damage import why
from tumorscope.imaging.jpeg import Layout, layout_of
from tumorscope.imaging.kinds import SUFFIXES, format_of, is_dicom, kind_of
from tumorscope.imaging.libtiff import silence_libtiff
from tumorscope.imaging.refusals import (
    check_size,
    refuse,
    refuse_memory,
    refuse_several,
    refuse_too_much,
)
from tumorscope.imaging.tiff import Page, pages_of, picture_of

MAX_PIXELS = 64_000_000
"""Largest width × height that is decoded; a 30,000 × 30,000 PNG of a few kB would need 0.9 GB."""

MAX_BYTES = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """What the header of an image file says, read without decoding its pixels.

    Attributes
    ----------
    format : str
        Format by content, not by name: JPEG, PNG, GIF, BMP, TIFF or WEBP.
    width, height : int
        Size in pixels.
    mode : str
        Pillow's mode: L, RGB, RGBA, P, CMYK, I;16 …; of what has more than 8 bits and no mode
        there, how it is stored: RGB;16, F;64 …
    disguised : bool
        True where the file name's ending belongs to another format.
    """

    format: str
    width: int
    height: int
    mode: str
    disguised: bool


@dataclass(frozen=True, slots=True)
class Encoded:
    """An image file in memory whose header was read, ready to be decoded."""

    source: str
    data: bytes
    info: ImageInfo
    image: Image.Image | None
    """None where only OpenCV reads it."""
    page: Page | None
    """Of a TIFF, the page that is the picture."""
    deep: bool
    """Whether its values have more than 8 bits, or a sign."""
    layout: Layout | None = None
    """Of a JPEG."""

    @property
    def sha256(self) -> str:
        """Hash of the file's bytes, 64 hexadecimal digits."""
        return hashlib.sha256(self.data).hexdigest()


def bytes_of(path: Path) -> bytes:
    """Return the content of a regular file of a size that an image may have."""
    try:
        state = path.stat()
        # Reading a pipe would wait, and a device would not end.
        if stat.S_ISDIR(state.st_mode):
            next(path.iterdir(), None)  # says why, where it cannot be listed
            raise OSError("it is a folder")
        if not stat.S_ISREG(state.st_mode):
            raise OSError("it is not a regular file")
        size = state.st_size
        if size > MAX_BYTES:
            refuse(
                str(path),
                f"it has {size:,} bytes",
                f"at most {MAX_BYTES:,} bytes",
                "Is it a scan?",
            )
        IMAGES.take_file(size)
        data = path.read_bytes()
    except MemoryError:
        refuse_memory(str(path))
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        refuse(
            str(path),
            f"it cannot be opened ({getattr(error, 'strerror', None) or error})",
            "a file that can be read",
            "Check that it exists and that you may read it.",
        )
    return data


def read_header(path: str | Path) -> Encoded:
    """Read a file and its header.

    Raises
    ------
    UnreadableImageError
        If the file cannot be opened, is empty, is not an image of a known format, or holds several
        pictures.
    """
    return header_of(bytes_of(Path(path)), source=str(path))


def header_of(data: bytes, *, source: str) -> Encoded:
    """Read the header of an encoded image; see `read_header`.

    Parameters
    ----------
    data : bytes
        The content of an image file.
    source : str
        What errors call it, as a path its name.
    """
    try:
        name, page, count = _recognised(data, source)
        check_parts(data, name)
        layout = layout_of(data) if name == "JPEG" else None
    except TooMuchError as error:
        refuse_too_much(source, error)
    if count > 1:
        refuse_several(source, count)
    if (canvas := canvas_of(data, name)) is not None:
        check_size(source, *canvas, MAX_PIXELS)
    is_deep = page is not None and not page.plain
    try:
        image, count = _parsed(data, name, page)
    except MemoryError:
        refuse_memory(source)
    except Exception as error:  # header parsers raise SyntaxError, struct.error, IndexError …
        # Pillow takes the byte order of BigTIFF for little endian; OpenCV does not.
        other = page is not None and (is_deep or data.startswith(b"MM\0+"))
        if not other or page is None or not page.width * page.height:
            received, advice = why(name, data, str(error), page=page)
            refuse(source, received, "a whole image file", advice)
        image = None
    if count > 1:
        refuse_several(source, count)
    if name == "PNG" and data[24:25] == b"\x10" and data[25:26] in b"\x02\x04\x06":
        is_deep = True  # 16-bit colours, or greys with transparency: Pillow cuts them to 8
    info = _info(source, name, image, page, is_deep)
    return Encoded(source, data, info, image, page, is_deep, layout)


def _recognised(data: bytes, source: str) -> tuple[str, Page | None, int]:
    """Return the format by content, the page of a TIFF that is read, and how many pictures."""
    if not data:
        refuse(source, "it is empty", "an image file", "Copy it again from where it came from.")
    name = format_of(data)
    page, count = picture_of(pages_of(data)) if name == "TIFF" else (None, 1)
    if name == "TIFF" and not (page and page.width and page.height) and is_dicom(data):
        name = None  # the preamble of a DICOM file may look like a TIFF's header
    if name is None:
        kind = kind_of(data)
        refuse(
            source,
            f"it is {kind.name}" if kind else f"its first bytes are {data[:8]!r}",
            "a JPEG, PNG, BMP, GIF, TIFF or WebP file",
            kind.advice if kind else "Convert it, or take it out of the folder.",
        )
    return name, page, count


def _parsed(data: bytes, name: str, page: Page | None) -> tuple[Image.Image, int]:
    """Return Pillow's view of a file, at the page that is read, and how many frames it moves."""
    # All formats that Pillow knows take a tenth of a start, and the usual ones are enough.
    Image.preinit()
    if name not in Image.OPEN:
        Image.init()
    if name == "TIFF":
        silence_libtiff()
    # Not Image.open: it warns of large images through the process-wide warning filter, which
    # threads share; the size is checked by the caller instead.
    # No name either: Pillow would map the file of that name into memory, where those stored on
    # their side come out scrambled.
    image = Image.OPEN[name][0](io.BytesIO(data), "")
    if page is not None and page.index:
        image.seek(page.index)
    moves = name in ("GIF", "PNG", "WEBP") and getattr(image, "is_animated", False)
    return image, getattr(image, "n_frames", 2) if moves else 1


def _info(
    source: str, name: str, image: Image.Image | None, page: Page | None, is_deep: bool
) -> ImageInfo:
    disguised = PurePath(source).suffix.lower() not in SUFFIXES[name]
    if image is None:
        assert page is not None
        width, height, mode = page.width, page.height, ""
    else:
        (width, height), mode = image.size, image.mode
    if is_deep and not mode.startswith(("I", "F")):
        bits = max(page.bits) if page is not None else 16
        kind = "F" if page is not None and page.kind == "floating-point" else "I"
        channels = len(page.bits) if page is not None else len(mode)
        mode = f"{('RGB', 'RGBA')[channels - 3] if channels in (3, 4) else kind};{bits}"
    return ImageInfo(name, width, height, mode, disguised)
