"""What the graph of a model file may hold: a list of what is allowed, asked before an engine is.

A list of what is forbidden would have to know every place of the ONNX schema, of today and of later
versions, where data may lie in other files or operators come from elsewhere. So every field of
every message is looked up here, and what is not listed is refused: subgraphs, functions, sparse and
external tensors, training, devices, and whatever comes to be.
"""

from __future__ import annotations

from dataclasses import dataclass

from tumorscope.model_file.onnx_fields import (
    ALLOWED,
    ATTRIBUTES,
    ELEMENTS,
    ELSEWHERE,
    OPERATORS,
    STANDARD_DOMAINS,
)
from tumorscope.model_file.protobuf import Span, WireError, fields, varint

MOST_MESSAGES = 200_000
"""Nodes, tensors and all their parts; the largest network here has some 10,000."""


class NotAllowedError(ValueError):
    """A graph holds what no model file of tumorscope does; the message says what, after "it"."""


def check_allowed(data: bytes) -> None:
    """Refuse a serialised ONNX model that holds anything but what tumorscope writes.

    Nothing is allocated that the model asks for.

    Raises
    ------
    NotAllowedError
        If it does.
    WireError
        If it is not a protobuf message, or truncated.
    """
    _Walk(data).message("model", (0, len(data)))


@dataclass(slots=True)
class _Walk:
    data: bytes
    messages: int = 0

    def message(self, name: str, span: Span) -> None:
        """Look at every field of a message, and at those within it."""
        self.messages += 1
        if self.messages > MOST_MESSAGES:
            raise NotAllowedError(f"holds more than {MOST_MESSAGES:,} parts")
        allowed, found = ALLOWED[name], dict[int, list[tuple[int, Span]]]()
        for number, wire, begin, end in fields(self.data, *span):
            rule = allowed.get(number)
            if rule is None:
                raise _not_allowed(name, number)
            places = found.setdefault(number, [])
            places.append((wire, (begin, end)))
            # Readers of protobuf merge what comes twice, and would see what is not checked here.
            if wire not in rule.wires or (len(places) > 1 and not rule.many):
                raise WireError(f"a {name} with a field that does not belong there")
            if rule.longest is not None and end - begin > rule.longest:
                raise NotAllowedError(f"holds a text of {end - begin:,} bytes in a {name}")
            if rule.inside:
                self.message(rule.inside, (begin, end))
        if name in _CHECKS:
            _CHECKS[name](self.data, found)


_Found = dict[int, list[tuple[int, Span]]]


def _not_allowed(name: str, number: int) -> NotAllowedError:
    if (name, number) in ELSEWHERE:
        return NotAllowedError(
            "holds a tensor or graph within its graph, whose weights may lie in another file"
        )
    return NotAllowedError(f"holds a field of its {name} (number {number}) that is not known here")


def _number(data: bytes, found: _Found, number: int) -> int:
    places = found.get(number)
    return varint(data, *places[0][1])[0] if places else 0


def _word(data: bytes, found: _Found, number: int) -> str:
    places = found.get(number)
    return data[slice(*places[0][1])].decode("utf-8", "replace") if places else ""


def _check_operator_set(data: bytes, found: _Found) -> None:
    if (domain := _word(data, found, 1)) not in STANDARD_DOMAINS:
        raise NotAllowedError(f"asks for operators beyond the standard ones ({domain})")


def _check_node(data: bytes, found: _Found) -> None:
    operator, domain = _word(data, found, 4), _word(data, found, 7)
    if domain not in STANDARD_DOMAINS or operator not in OPERATORS:
        named = f"{domain}.{operator}" if domain else operator
        raise NotAllowedError(f"asks for an operator that no model file has ({named})")


def _check_attribute(data: bytes, found: _Found) -> None:
    if (kind := _number(data, found, 20)) not in ATTRIBUTES:
        raise NotAllowedError(f"holds an attribute of type {kind}")


def _check_tensor(data: bytes, found: _Found) -> None:
    """Refuse a tensor that says that it is larger than its data are."""
    if _number(data, found, 14):
        raise NotAllowedError("says that its weights lie in another file")
    kind = _number(data, found, 2)
    if kind not in ELEMENTS:
        raise NotAllowedError(f"holds a tensor of type {kind}")
    count = 1
    for each in _numbers(data, found.get(1, [])):
        count *= each
        if count > len(data):
            break
    stored = sum(
        end - begin for number in (4, 5, 7, 9) for _, (begin, end) in found.get(number, ())
    )
    # Raw data have all bytes of each value, numbers of another kind at least one.
    if count * (ELEMENTS[kind] if 9 in found else 1) > stored:
        raise NotAllowedError("holds a tensor that says that it is larger than its data are")


def _numbers(data: bytes, places: list[tuple[int, Span]]) -> list[int]:
    found = []
    for _, (at, end) in places:
        while at < end:
            value, at = varint(data, at, end)
            found.append(value)
    return found


_CHECKS = {
    "operator set": _check_operator_set,
    "node": _check_node,
    "attribute": _check_attribute,
    "tensor": _check_tensor,
}
