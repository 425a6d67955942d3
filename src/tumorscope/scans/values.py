"""Header values as plain numbers: absent, empty and odd ones are None, never an exception."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom import Dataset

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
    return "" if value is None else _text(value).strip(" \0")


def item(dataset: Dataset | None, key: Key) -> Dataset | None:
    """Return the first item of a sequence; None where there is none."""
    value = None if dataset is None else _raw(dataset, key)
    if value is None or isinstance(value, str | bytes) or not isinstance(value, Sequence):
        return None
    return value[0] if len(value) else None


def _raw(dataset: Dataset, key: Key) -> object:
    try:
        element = dataset[key] if key in dataset else None  # noqa: SIM401
        return None if element is None else element.value
    except Exception:  # pydicom converts values only now, and raises what it likes
        return None


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
