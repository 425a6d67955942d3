r"""What a file is by its content: an image that we read, or what else, and what to do about it.

"Its first bytes are b'\x00…'" tells nobody that a folder holds DICOM files.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

HEAD = 1024
"""Bytes of a file that show its kind."""

SUFFIXES = {
    "BMP": {".bmp"},
    "GIF": {".gif"},
    "JPEG": {".jpg", ".jpeg", ".jpe", ".jfif"},
    "PNG": {".png"},
    "TIFF": {".tif", ".tiff"},
    "WEBP": {".webp"},
}
"""Format that is read → endings (lower case) of its files' names."""

IMAGE_SUFFIXES = frozenset().union(*SUFFIXES.values())

NIFTI_ENDINGS = (".nii", ".nii.gz", ".hdr", ".hdr.gz", ".nrrd", ".nhdr")
DICOM_ENDINGS = (".dcm", ".dicom", ".ima")
"""Of names of volumes; most DICOM files have none. `tumorscope.scans` reads both."""
"""Endings that a folder scan takes for images."""

_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),  # BigTIFF
    (b"MM\x00+", "TIFF"),
)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file.

    Attributes
    ----------
    name : str
        With its article: "a DICOM file".
    advice : str
        One or two sentences: how its slices become images that can be read.
    """

    name: str
    advice: str


CONVERT = (
    "Convert it to PNG, which keeps up to 16 bits; the Python package imagecodecs reads such "
    "files: imagecodecs.imwrite('OUT.png', imagecodecs.imread('IN'))."
)
_SAVE = "Open it in an image viewer and save it as PNG."
_VOLUME = (
    "Pictures are read here. Keep volumes in a folder of their own: `tumorscope predict FOLDER` "
    "answers for each series, and `tumorscope slices` makes pictures and a manifest of them."
)
_ARRAY = (
    "Only raster images of single slices are read. Save its slices as PNG, or load it in Python "
    "and give each slice as an array to Detector.detect."
)
_UNPACK = "Unpack it and give the folder of images."
_DOWNLOAD = "A download probably went wrong: open the file to see what it says, and get it again."
_OTHER = "Take it out of the folder."

_STARTS: tuple[tuple[bytes, str, str], ...] = (
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "a JPEG 2000 image", CONVERT),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 image (a bare codestream)", CONVERT),
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "a JPEG XL image", CONVERT),
    (b"\xff\x0a", "a JPEG XL image", CONVERT),
    (b"II\xbc\x01", "a JPEG XR image", CONVERT),
    (b"NRRD000", "an NRRD volume", _VOLUME),
    (b"ObjectType", "a MetaImage header", _VOLUME),
    (b"NDims", "a MetaImage header", _VOLUME),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file (MINC-2, or data of other programs)", _VOLUME),
    (b"CDF\x01", "a netCDF file (MINC-1 volumes are)", _VOLUME),
    (b"CDF\x02", "a netCDF file (MINC-1 volumes are)", _VOLUME),
    (b"MATLAB ", "a MATLAB file", _ARRAY),
    (b"\x93NUMPY", "a NumPy array", _ARRAY),
    (b"SIMPLE  =", "a FITS file", _VOLUME),
    (b"%PDF", "a PDF document", "Export its pictures as PNG."),
    (b"%!PS", "a PostScript document", "Export its pictures as PNG."),
    (b"8BPS", "a Photoshop document", _SAVE),
    (b"gimp xcf", "a GIMP document", _SAVE),
    (b"\x00\x00\x01\x00", "a Windows icon", _SAVE),
    (b"\x76\x2f\x31\x01", "an OpenEXR image", _SAVE),
    (b"#?RADIANCE", "a Radiance image", _SAVE),
    (b"DDS ", "a DirectDraw surface", _SAVE),
    (b"qoif", "a QOI image", _SAVE),
    (b"BPG\xfb", "a BPG image", _SAVE),
    (b"\x8aMNG", "a MNG animation", _SAVE),
    (b"PK\x03\x04", "a ZIP archive, or a document or NumPy file made as one", _UNPACK),
    (b"PK\x05\x06", "an empty ZIP archive", _DOWNLOAD),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", _UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (b"\xfd7zXZ\x00", "a file compressed with xz", _UNPACK),
    (b"BZh", "a file compressed with bzip2", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "a file compressed with Zstandard", _UNPACK),
    (b"version https://git-lfs", "a Git LFS pointer", "Fetch the image itself: git lfs pull."),
    (b"/annex/objects/", "a git-annex pointer", "Fetch the image itself: git annex get."),
    (b"\x00\x05\x16\x07", "what macOS stores beside a file", _OTHER),
    (b"\x00\x05\x16\x00", "what macOS stores beside a file", _OTHER),
    (b"\x00\x00\x00\x01Bud1", "a folder's view settings (.DS_Store)", _OTHER),
    (b"\x1a\x45\xdf\xa3", "a video", _OTHER),
    (b"SQLite format 3", "a database", _OTHER),
)

_BRANDS = {
    **dict.fromkeys((b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"), "a HEIC"),
    **dict.fromkeys((b"avif", b"avis"), "an AVIF"),
}


def format_of(data: bytes) -> str | None:
    """Return the format of an image that is read, by its first bytes; None for anything else.

    Examples
    --------
    >>> format_of(b"GIF89a and more"), format_of(b"text")
    ('GIF', None)
    """
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    return next((name for start, name in _SIGNATURES if data.startswith(start)), None)


def kind_of(data: bytes) -> Kind | None:
    """Return what a file is by its first kilobyte; None where that is unknown.

    Parameters
    ----------
    data : bytes
        At least the first 1024 bytes, or all there are.

    Examples
    --------
    >>> kind_of(b"%PDF-1.7 and so on")
    Kind(name='a PDF document', advice='Export its pictures as PNG.')
    """
    head = data[:HEAD]
    if head[:2] == b"\x1f\x8b":
        inner = _unpacked(head)
        if inner is None:
            return Kind("a file compressed with gzip", _UNPACK)
        return Kind(f"{inner.name}, compressed with gzip", inner.advice)
    if is_dicom(head):
        return Kind("a DICOM file", _VOLUME)
    for start, name, advice in _STARTS:
        if head.startswith(start):
            return Kind(name, advice)
    return _dicom(head) or _volume(head) or _container(head) or _text(head)


def is_dicom(data: bytes) -> bool:
    """Return whether a file has the mark of DICOM behind its preamble, which may hold anything."""
    return data[128:132] == b"DICM"


def _unpacked(head: bytes) -> Kind | None:
    try:
        inner = zlib.decompressobj(31).decompress(head, HEAD)
    except zlib.error:
        return None
    return None if inner[:2] == b"\x1f\x8b" else kind_of(inner)


def _dicom(head: bytes) -> Kind | None:
    # Without preamble the data set begins at once: with group 2 or 8, as old files do.
    for order in "<>":
        if len(head) < 12:
            return None
        group, element, length = struct.unpack(f"{order}HHL", head[:8])
        explicit = head[4:6].isalpha() and head[4:6].isupper()
        if group in (2, 8) and element <= 0x2FFF and (explicit or length <= HEAD):
            return Kind("a DICOM file without its preamble", _VOLUME)
    return None


def _volume(head: bytes) -> Kind | None:
    if len(head) < 348:
        return None
    for order in "<>":
        size = struct.unpack(f"{order}L", head[:4])[0]
        if size == 348:
            nifti = head[344:347] in (b"n+1", b"ni1")
            return Kind("a NIfTI file" if nifti else "an Analyze 7.5 header", _VOLUME)
        if size == 540 and head[4:7] in (b"n+2", b"ni2"):
            return Kind("a NIfTI-2 file", _VOLUME)
    version, *shape = struct.unpack(">4l", head[:16])
    if version == 1 and struct.unpack(">l", head[20:24])[0] in (0, 1, 3, 4) and min(shape) > 0:
        return Kind("an MGH volume (FreeSurfer)", _VOLUME)
    return None


def _container(head: bytes) -> Kind | None:
    if head[4:8] == b"ftyp":
        name = _BRANDS.get(head[8:12])
        return Kind(f"{name} image", CONVERT) if name else Kind("a video", _OTHER)
    if head[:4] == b"RIFF" and head[8:12] != b"WEBP":
        return Kind("a video or sound (RIFF)", _OTHER)
    if head[257:262] == b"ustar":
        return Kind("a tar archive", _UNPACK)
    if head[:1] == b"P" and head[1:2] in b"1234567" and head[2:3] in b" \t\r\n":
        return Kind("a Netpbm image (PBM, PGM or PPM)", _SAVE)
    return None


def _text(head: bytes) -> Kind | None:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:512].lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return Kind("a web page", _DOWNLOAD)
    if text.startswith((b"<?xml", b"<svg", b"<!doctype svg")):
        # Illustrator and Inkscape write long comments before the first element.
        return Kind("an SVG drawing", _SAVE) if b"<svg" in head else Kind("an XML file", _DOWNLOAD)
    if head and not head.strip(b"\0"):
        return Kind("filled with zeros, as after a copy that failed", "Copy it again.")
    return None
