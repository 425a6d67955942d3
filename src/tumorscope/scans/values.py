"""Header values as plain numbers: absent, empty and odd ones are None, never an exception."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.tag import BaseTag

Key = str | int


def numbers(dataset: Dataset, key: Key) -> tuple[float, ...]:
    """Return the finite numbers of an element; none at all where one of them is no number."""
    value = _raw(dataset, key)
    if value is None or isinstance(value, str | bytes):
        value = [] if value is None else [_text(value)]
    parts = value if isinstance(value, Sequence) else [value]
    if len(parts) == 1 and isinstance(parts[0], str):
        parts = [part for part in parts[0].split("\\") if part.strip(" \0")]
    found = []
    for part in parts:
        try:
            found.append(float(part))  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            return ()
    return tuple(found) if all(map(math.isfinite, found)) else ()


def number(dataset: Dataset, key: Key) -> float | None:
    """Return the first number of an element."""
    found = numbers(dataset, key)
    return found[0] if found else None


def whole(dataset: Dataset, key: Key) -> int | None:
    """Return the first number of an element, if it is a whole one."""
    found = number(dataset, key)
    return int(found) if found is not None and found == int(found) else None


def words(dataset: Dataset, key: Key) -> tuple[str, ...]:
    """Return the texts of an element in upper case, without blanks around them."""
    value = _raw(dataset, key)
    if value is None:
        return ()
    parts = [value] if isinstance(value, str | bytes) or not isinstance(value, Sequence) else value
    return tuple(_text(part).strip(" \0").upper() for part in parts)


def text(dataset: Dataset, key: Key) -> str:
    """Return the text of an element as it is, without blanks around it."""
    value = _raw(dataset, key)
    if value is None:
        return ""
    joined = "\\".join(map(_text, value)) if isinstance(value, list) else _text(value)
    return joined.strip(" \0")


def items(dataset: Dataset, key: Key) -> Sequence[Dataset]:
    """Return the items of a sequence; none where it is absent, or none."""
    from pydicom import Sequence as Items

    value = _raw(dataset, key)
    return value if isinstance(value, Items) else ()


def item(dataset: Dataset | None, key: Key) -> Dataset | None:
    """Return the first item of a sequence; None where there is none."""
    found = () if dataset is None else items(dataset, key)
    return found[0] if found else None


def has(dataset: Dataset, key: Key) -> bool:
    """Return whether an element is there, even if it is empty."""
    return _tag(key) in dataset


def _raw(dataset: Dataset, key: Key) -> object:
    """Return the value of an element, converted here where that is simple.

    pydicom converts and validates each value when it is first asked for, which would take longer
    than all the rest of the reading of a header.
    """
    tag = _tag(key)
    try:
        element = dataset.get_item(tag)
        if element is None:
            return None
        if not hasattr(element, "is_raw") or not element.is_raw or element.VR == "SQ":
            return dataset[tag].value
        kind = element.VR if element.VR not in (None, "UN") else _kind(tag)
        data: bytes = element.value or b""
        if kind in _FORMS:
            form, size = _FORMS[kind]
            order = "<" if element.is_little_endian else ">"
            count = len(data) // size
            return list(struct.unpack(f"{order}{count}{form}", data[: count * size]))
        if kind in _CODED:  # in one of many character sets
            return dataset[tag].value
        return data.decode("latin-1").split("\\")
    except Exception:  # what does not follow the standard is as good as absent
        return None


_FORMS = {"US": ("H", 2), "SS": ("h", 2), "UL": ("L", 4), "SL": ("l", 4)}
_FORMS |= {"US or SS": ("H", 2), "FL": ("f", 4), "FD": ("d", 8)}
_CODED = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT", "SQ"})
_PRIVATE = {0x0019100A: "US", 0x0043102F: "SS"}
"""What private elements hold where the file does not say: Siemens' tiles, GE's component."""


@cache
def _tag(key: Key) -> BaseTag:
    from pydicom.tag import Tag

    return Tag(key)


@cache
def _kind(tag: BaseTag) -> str:
    from pydicom.datadict import dictionary_VR

    return _PRIVATE[tag] if tag in _PRIVATE else "" if tag.is_private else dictionary_VR(tag)


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
