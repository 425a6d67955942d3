"""The fields of ONNX messages, operators and types that model files have; nothing else is allowed.

Field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from __future__ import annotations

from dataclasses import dataclass

from tumorscope.model_file.protobuf import BYTES, FIXED32, FIXED64, VARINT

STANDARD_DOMAINS = frozenset({"", "ai.onnx"})

OPERATORS = frozenset(
    {
        *("Add", "AveragePool", "BatchNormalization", "Cast", "Clip", "Concat", "Conv"),
        *("DequantizeLinear", "Div", "Exp", "GlobalAveragePool", "Greater", "HardSwish"),
        *("Identity", "Log", "MatMul", "Max", "MaxPool", "Mul", "Pad", "QuantizeLinear"),
        *("ReduceMax", "ReduceMean", "ReduceSum", "Relu", "Reshape", "Resize", "Sigmoid"),
        *("Sqrt", "Squeeze", "Sub", "Sum", "Transpose", "Unsqueeze"),
    }
)
"""Those that tumorscope writes."""

LONGEST = 1_000
"""Bytes of a name or text."""

ELEMENTS = {1: 4, 2: 1, 3: 1, 6: 4, 7: 8, 9: 1, 10: 2}
"""Type of a tensor → bytes of a value: float32, uint8, int8, int32, int64, bool, float16."""

ATTRIBUTES = frozenset({1, 2, 3, 6, 7})
"""Types of attributes: a number, a text, numbers."""


@dataclass(frozen=True, slots=True)
class Field:
    """What a field may be: its wire types, whether it may come again, and what lies in it."""

    wires: frozenset[int]
    many: bool = False
    inside: str = ""
    longest: int | None = None


_WHOLE = Field(frozenset({VARINT}))
_TEXT = Field(frozenset({BYTES}), longest=LONGEST)
_TEXTS = Field(frozenset({BYTES}), many=True, longest=LONGEST)
_DATA = Field(frozenset({BYTES}))
_PACKED = Field(frozenset({BYTES, VARINT, FIXED32, FIXED64}), many=True)


def _one(inside: str) -> Field:
    return Field(frozenset({BYTES}), inside=inside)


def _many(inside: str) -> Field:
    return Field(frozenset({BYTES}), many=True, inside=inside)


ALLOWED: dict[str, dict[int, Field]] = {
    "model": {
        **{1: _WHOLE, 2: _TEXT, 3: _TEXT, 4: _TEXT, 5: _WHOLE, 6: _TEXT},
        **{7: _one("graph"), 8: _many("operator set"), 14: Field(frozenset({BYTES}), many=True)},
    },
    "operator set": {1: _TEXT, 2: _WHOLE},
    "graph": {
        **{1: _many("node"), 2: _TEXT, 5: _many("tensor"), 10: _TEXT},
        **{11: _many("value"), 12: _many("value"), 13: _many("value"), 16: _many("note")},
    },
    "node": {
        **{1: _TEXTS, 2: _TEXTS, 3: _TEXT, 4: _TEXT, 5: _many("attribute"), 6: _TEXT, 7: _TEXT},
        9: _many("note"),
    },
    "attribute": {
        **{1: _TEXT, 2: Field(frozenset({FIXED32})), 3: _WHOLE, 4: _TEXT},
        **{7: _PACKED, 8: _PACKED, 13: _TEXT, 20: _WHOLE},
    },
    "tensor": {
        **{1: _PACKED, 2: _WHOLE, 4: _PACKED, 5: _PACKED, 7: _PACKED, 8: _TEXT, 9: _DATA},
        **{12: _TEXT, 14: _WHOLE, 16: _many("note")},
    },
    "note": {1: _TEXT, 2: _TEXT},
    "value": {1: _TEXT, 2: _one("type"), 3: _TEXT, 4: _many("note")},
    "type": {1: _one("tensor type"), 6: _TEXT},
    "tensor type": {1: _WHOLE, 2: _one("shape")},
    "shape": {1: _many("dimension")},
    "dimension": {1: _WHOLE, 2: _TEXT, 3: _TEXT},
}

ELSEWHERE = {("tensor", 13), ("graph", 15), ("attribute", 5), ("attribute", 6)}
ELSEWHERE |= {("attribute", number) for number in (10, 11, 22, 23)}
"""Places where a tensor, or a graph with tensors, may say that its data lie in another file."""
