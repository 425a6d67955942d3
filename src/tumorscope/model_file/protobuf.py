"""Just enough of the protobuf wire format to look into an ONNX file without the onnx package.

The base install has no onnx package. What must be known before an engine is let near a file is
the span of its graph, its metadata and its operator domains; what the graph may hold is listed in
`tumorscope.model_file.allowed`.
Field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

MAX_METADATA_BYTES = 1 << 26
"""Of one entry."""

Span = tuple[int, int]


class WireError(ValueError):
    """The bytes are not a protobuf message, or end too early."""


@dataclass(slots=True)
class Parts:
    """What `parts_of` finds in a serialised ONNX model.

    Attributes
    ----------
    graph : tuple of int or None
        First byte and end of the graph.
    metadata : dict
        Key → value of ``metadata_props``.
    domains : set of str
        Operator sets that the model asks for.
    functions : bool
        Whether it defines functions of its own.
    """

    graph: Span | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    domains: set[str] = field(default_factory=set)
    functions: bool = False


def fields(data: bytes, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield number, wire type, first byte and end of every field of a message.

    Raises
    ------
    WireError
        If the message is damaged.
    """
    at = start
    while at < end:
        key, at = varint(data, at, end)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            begin, (_, at) = at, varint(data, at, end)
        elif kind in (FIXED64, FIXED32):
            begin, at = at, at + (8 if kind == FIXED64 else 4)
        elif kind == BYTES:
            length, begin = varint(data, at, end)
            at = begin + length
        else:
            raise WireError(f"a field of wire type {kind}")
        if at > end or number == 0:
            raise WireError("a field that reaches past the end")
        yield number, kind, begin, at


def parts_of(data: bytes) -> Parts:
    """Find the graph, metadata and operator domains of an ONNX model.

    Raises
    ------
    WireError
        If it is not a protobuf message, truncated, or holds more metadata than are read.
    """
    parts = Parts()
    for number, kind, begin, end in fields(data, 0, len(data)):
        if number == 7 and kind == BYTES:
            if parts.graph is not None:
                raise WireError("two graphs")
            parts.graph = (begin, end)
        elif number == 8 and kind == BYTES:
            parts.domains.add(_texts(data, begin, end).get(1, ""))
        elif number == 14 and kind == BYTES:
            if end - begin > MAX_METADATA_BYTES:
                raise WireError(f"{end - begin:,} bytes of metadata")
            entry = _texts(data, begin, end)
            parts.metadata[entry.get(1, "")] = entry.get(2, "")
        elif number == 25:
            parts.functions = True
    return parts


def _texts(data: bytes, start: int, end: int) -> dict[int, str]:
    try:
        return {
            number: data[begin:stop].decode("utf-8")
            for number, kind, begin, stop in fields(data, start, end)
            if kind == BYTES
        }
    except UnicodeDecodeError as error:
        raise WireError("text that is not UTF-8") from error


def varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Return a number and what follows it.

    Raises
    ------
    WireError
        If it does not end.
    """
    value = shift = 0
    while at < end and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise WireError("a number that does not end")
