"""Nested values as TOML, which Python reads and does not write."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping


def toml_text(document: Mapping[str, object]) -> str:
    """Return a mapping as TOML that ends with a line break.

    Mappings become tables, and mappings within these inline tables. What is None, which TOML does
    not know, is left out.

    Examples
    --------
    >>> print(toml_text({"name": "mine", "input": {"size": 224, "crop": None}}), end="")
    name = "mine"
    <BLANKLINE>
    [input]
    size = 224
    """
    lines = _pairs({key: each for key, each in document.items() if not isinstance(each, Mapping)})
    for key, table in document.items():
        if isinstance(table, Mapping):
            lines += ["", f"[{_key(key)}]", *_pairs(table)]
    return "\n".join(lines) + "\n"


def _pairs(table: Mapping[str, object]) -> list[str]:
    return [f"{_key(key)} = {_value(each)}" for key, each in table.items() if each is not None]


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _value(name)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        pairs = (f"{_value(key)} = {_value(each)}" for key, each in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, int | float):
        return repr(value)
    # Strings of JSON are strings of TOML, but for one character that only JSON takes as it is.
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
