"""What differs between two records of what was asked for, in words."""

from __future__ import annotations

from collections.abc import Collection, Mapping

SHOWN = 6
"""Differences that are listed one by one."""


def differences(
    then: Mapping[str, object],
    now: Mapping[str, object],
    *,
    passing: Collection[str] = (),
    names: tuple[str, str] = ("then", "now"),
) -> list[str]:
    """Return one phrase for each value that is not the same; nothing where all are.

    Parameters
    ----------
    then, now : mapping
        Plain values, as JSON has them; what is nested is named with dots: ``frozen.epochs``.
    passing : collection of str
        Names, with dots, of what may differ.
    names : tuple of str
        What the two are called.

    Examples
    --------
    >>> differences({"seed": 0, "frozen": {"epochs": 4}}, {"seed": 1, "frozen": {"epochs": 4}})
    ['seed: 0 then, 1 now']
    """
    old, new = dict(_leaves(then)), dict(_leaves(now))
    found = [
        f"{name}: {_shown(old.get(name))} {names[0]}, {_shown(new.get(name))} {names[1]}"
        for name in dict.fromkeys((*old, *new))
        if name not in passing and old.get(name) != new.get(name)
    ]
    if len(found) > SHOWN:
        return [*found[:SHOWN], f"and {len(found) - SHOWN} more"]
    return found


def _leaves(values: Mapping[str, object], before: str = "") -> list[tuple[str, object]]:
    leaves: list[tuple[str, object]] = []
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            leaves += _leaves(value, f"{before}{name}.")
        else:
            leaves.append((before + name, value))
    return leaves


def _shown(value: object) -> str:
    if value is None or value == "" or value == [] or value == {}:
        return "none"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)
