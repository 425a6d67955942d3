"""Just enough of the protobuf wire format to look into an ONNX file without the onnx package.

The base install has no onnx package. What must be known before an engine is let near a file is
the span of its graph (to hash), its metadata, its operator domains and whether tensors lie outside.
Field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

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
    external : bool
        Whether a tensor's data lies in another file.
    """

    graph: Span | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    domains: set[str] = field(default_factory=set)
    functions: bool = False
    external: bool = False


def fields(data: bytes, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield number, wire type, first byte and end of every field of a message.

    Raises
    ------
    WireError
        If the message is damaged.
    """
    at = start
    while at < end:
        key, at = _varint(data, at, end)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            begin, (_, at) = at, _varint(data, at, end)
        elif kind in (FIXED64, FIXED32):
            begin, at = at, at + (8 if kind == FIXED64 else 4)
        elif kind == BYTES:
            length, begin = _varint(data, at, end)
            at = begin + length
        else:
            raise WireError(f"a field of wire type {kind}")
        if at > end or number == 0:
            raise WireError("a field that reaches past the end")
        yield number, kind, begin, at


def parts_of(data: bytes) -> Parts:
    """Find the graph, metadata, operator domains and external tensors of an ONNX model.

    Raises
    ------
    WireError
        If it is not a protobuf message, or truncated.
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
            entry = _texts(data, begin, end)
            parts.metadata[entry.get(1, "")] = entry.get(2, "")
        elif number == 25:
            parts.functions = True
    if parts.graph is not None:
        parts.external = _external_in_graph(data, *parts.graph)
    return parts


def _external_in_graph(data: bytes, start: int, end: int) -> bool:
    found = False
    for number, kind, begin, stop in fields(data, start, end):
        if kind != BYTES:
            continue
        if number == 5:  # initializer
            found = found or _external_tensor(data, begin, stop)
        elif number == 15:  # sparse_initializer: two tensors each; no exporter of ours writes any
            found = True
        elif number == 1:  # node
            found = found or _external_in_node(data, begin, stop)
    return found


def _external_in_node(data: bytes, start: int, end: int) -> bool:
    for number, kind, begin, stop in fields(data, start, end):
        if number != 5 or kind != BYTES:  # attribute
            continue
        for inner, inner_kind, first, last in fields(data, begin, stop):
            if inner_kind != BYTES:
                continue
            if inner in (5, 10) and _external_tensor(data, first, last):  # t, tensors
                return True
            if inner in (6, 11) and _external_in_graph(data, first, last):  # g, graphs
                return True
    return False


def _external_tensor(data: bytes, start: int, end: int) -> bool:
    # 13 is external_data; 14 is data_location, whose 0 is the default.
    return any(
        number == 13 or (number == 14 and data[begin] != 0)
        for number, _, begin, _ in fields(data, start, end)
    )


def _texts(data: bytes, start: int, end: int) -> dict[int, str]:
    try:
        return {
            number: data[begin:stop].decode("utf-8")
            for number, kind, begin, stop in fields(data, start, end)
            if kind == BYTES
        }
    except UnicodeDecodeError as error:
        raise WireError("text that is not UTF-8") from error


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise WireError("a number that does not end")
