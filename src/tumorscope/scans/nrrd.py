"""NRRD files, as 3D Slicer writes them → volumes in the patient space of DICOM."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tumorscope.scans.file_checks import check_there
from tumorscope.scans.grid import (
    check_affine,
    check_grid,
    damage,
    kept_type,
    next_volume,
    slice_axis,
    volume_of_grid,
)
from tumorscope.scans.in_flight import bytes_of_grid, room_for
from tumorscope.scans.not_read import NotReadError
from tumorscope.scans.remark import Remark
from tumorscope.scans.units import to_millimetres
from tumorscope.scans.volume import Volume

NRRD_ENDINGS = (".nrrd", ".nhdr")

LONGEST_LINE, MOST_FIELDS = 10_000, 1_000

TYPES: Mapping[str, str] = {
    **dict.fromkeys(("signed char", "int8", "int8_t"), "i1"),
    **dict.fromkeys(("uchar", "unsigned char", "uint8", "uint8_t"), "u1"),
    **dict.fromkeys(("short", "short int", "signed short", "int16", "int16_t"), "i2"),
    **dict.fromkeys(("ushort", "unsigned short", "uint16", "uint16_t"), "u2"),
    **dict.fromkeys(("int", "signed int", "int32", "int32_t"), "i4"),
    **dict.fromkeys(("uint", "unsigned int", "uint32", "uint32_t"), "u4"),
    "float": "f4",
    "double": "f8",
}

SPACES: Mapping[str, tuple[int, int, int]] = {
    **dict.fromkeys(("left-posterior-superior", "lps"), (1, 1, 1)),
    **dict.fromkeys(("right-anterior-superior", "ras"), (-1, -1, 1)),
    **dict.fromkeys(("left-anterior-superior", "las"), (1, -1, 1)),
}
"""Space → signs that turn it into left, posterior, superior."""

UNITS: Mapping[str, float] = {
    **dict.fromkeys(("m", "meter", "meters", "metre", "metres"), 1e3),
    **dict.fromkeys(("cm", "centimeter", "centimeters", "centimetre", "centimetres"), 10.0),
    **dict.fromkeys(("um", "µm", "μm", "micron", "microns"), 1e-3),
    **dict.fromkeys(("micrometer", "micrometers", "micrometre", "micrometres"), 1e-3),
}
"""Unit of an axis of the space → how many millimetres it has; what is not here is taken for mm."""

_VECTOR = re.compile(r"\(([^()]*)\)|none")


def volumes_of_nrrd(path: str) -> Iterator[Volume]:
    """Read the volume of a NRRD file, with its values in it or in one file beside it.

    Raises
    ------
    NotReadError
        If it cannot be read.
    """
    with damage():
        check_there(path)
        with Path(path).open("rb") as file:
            header = _header(file)
            sizes = [int(part) for part in header["sizes"].split()]
            if header.get("dimension") != str(len(sizes)) or len(sizes) != 3:
                raise NotReadError("derived", f"its sizes are {header['sizes']}, not of a volume")
            dtype = np.dtype(_type_of(header))
            shape = (sizes[0], sizes[1], sizes[2], 1)
            if min(shape) < 1:
                raise NotReadError("damaged", f"its sizes are {header['sizes']}")
            check_grid(shape, dtype)
            affine, remarks = _affine_of(header)
            with room_for(bytes_of_grid(shape[:3], kept_type(shape[:3], dtype))):
                with _values(path, file, header) as values:
                    found, finite = next_volume(values, shape[:3], dtype)
                more = () if finite else (Remark("not-finite"),)
                axis = slice_axis(affine, shape)
                yield volume_of_grid(path, found, affine, axis, (1, 1), (*remarks, *more))


def _header(file: io.BufferedIOBase) -> dict[str, str]:
    """Return the fields of a header, which ends with an empty line."""
    if not re.match(rb"NRRD000\d", file.readline(100)):
        raise NotReadError("not-dicom", "it does not begin as NRRD files do")
    found: dict[str, str] = {}
    for line in iter(lambda: file.readline(LONGEST_LINE).decode("utf-8", "replace"), ""):
        key, colon, value = line.strip().partition(": ")
        if not line.strip():
            return found
        if colon and not line.startswith("#") and ":=" not in key:
            found[key.lower().replace(" ", "")] = value.strip()
        if len(found) > MOST_FIELDS:
            break
    if "datafile" in found and len(found) <= MOST_FIELDS:
        return found  # alone, a header may end with its file
    raise NotReadError("damaged", "its header does not end")


def _type_of(header: Mapping[str, str]) -> str:
    kind = TYPES.get(header["type"].lower())
    if kind is None:
        raise NotReadError("derived", f"values of type {header['type']}")
    order = {"little": "<", "big": ">"}.get(header.get("endian", "").lower())
    if order is None and kind[1] != "1":
        raise NotReadError("damaged", "it does not state the order of bytes")
    return f"{order or '='}{kind}"


def _affine_of(header: Mapping[str, str]) -> tuple[NDArray[np.float64], tuple[Remark, ...]]:
    """Return (column, row, slice, 1) → (left, posterior, superior, 1)."""
    signs = SPACES.get(header.get("space", "").lower())
    affine = np.eye(4)
    if signs is None or "spacedirections" not in header:
        raise NotReadError("geometry", "it states no space of a patient")
    found = [_numbers(each.group(1)) for each in _VECTOR.finditer(header["spacedirections"])]
    origin = _numbers(header.get("spaceorigin", "(0,0,0)").strip("() "))
    if len(found) != 3 or any(len(each) != 3 for each in (*found, origin)):
        raise NotReadError("geometry", f"its directions are {header['spacedirections']}")
    affine[:3, :3] = np.array(found).T
    affine[:3, 3] = origin
    remarks: list[Remark] = []
    if "spaceunits" in header:
        units = re.findall(r'"([^"]*)"', header["spaceunits"])
        stated = [UNITS.get(unit.strip().lower(), 1.0) for unit in units]
        if len(stated) == 3:
            named = ", ".join(sorted(set(units)))
            factors, remarks_on_units = to_millimetres(affine[:3, :3], stated, named)
            affine[:3] *= factors[:, None]
            remarks += remarks_on_units
    turned = np.diag([*signs, 1.0]) @ affine
    check_affine(turned)
    if "spaceorigin" not in header:
        remarks.append(Remark("no-orientation", "it states no origin"))
    return turned, tuple(remarks)


def _numbers(text: str | None) -> list[float]:
    return [float(part) for part in (text or "").split(",") if part.strip()]


@contextlib.contextmanager
def _values(
    path: str, file: io.BufferedIOBase, header: Mapping[str, str]
) -> Iterator[io.BufferedIOBase]:
    """Open the file from which values are read, at their beginning."""
    beside, encoding = header.get("datafile"), header["encoding"].lower()
    if {header.get("lineskip", "0"), header.get("byteskip", "0")} != {"0"}:
        raise NotReadError("transfer-syntax", "its values do not begin at the beginning")
    if encoding not in ENCODINGS:
        raise NotReadError("transfer-syntax", f"encoding {encoding}")
    with contextlib.ExitStack() as stack:
        if beside is not None:
            # One file in the same folder; lists and patterns are many, paths lead anywhere.
            if beside.upper().startswith("LIST") or "%" in beside or Path(beside).name != beside:
                raise NotReadError("transfer-syntax", f"its values lie in {beside}")
            other = Path(path).parent / beside
            check_there(other)
            file = stack.enter_context(other.open("rb"))
        yield ENCODINGS[encoding](file)


ENCODINGS: Mapping[str, Callable[[io.BufferedIOBase], io.BufferedIOBase]] = {
    "raw": lambda file: file,
    **dict.fromkeys(("gzip", "gz"), lambda file: gzip.GzipFile(fileobj=file)),
    **dict.fromkeys(("bzip2", "bz2"), bz2.BZ2File),
}
"""Encoding → what unpacks it."""
