"""Images that a manifest knows to be one picture are one group, whatever its groups say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from tumorscope.common.sets import Sets

if TYPE_CHECKING:
    from tumorscope.cohort.row import Row

GIVEN = "group_given"
"""Column of what a group was called before it was joined with another."""

Joined = tuple[str, ...]
"""Names of groups that became one; the first is the name that it has now."""


def kept_together(rows: tuple[Row, ...]) -> tuple[tuple[Row, ...], tuple[Joined, ...]]:
    """Join the groups of rows that show one picture: the same bytes, or the same `picture`.

    A joined group has the name of the first of its groups that was not made by an audit, so that
    names of patients stay.

    Returns
    -------
    tuple
        The rows, the same where nothing was joined; and which groups became one.
    """
    bearer: dict[tuple[str, str], str] = {}
    apart = [
        (first, row.group)
        for row in rows
        for key in pictures_of(row)
        if (first := bearer.setdefault(key, row.group)) != row.group
    ]
    if not apart:
        return rows, ()
    groups: Sets[str] = Sets()
    for first, other in apart:
        groups.join(first, other)
    given = given_names(rows)
    members: dict[str, list[str]] = {}
    for name in dict.fromkeys(row.group for row in rows):
        members.setdefault(groups.find(name), []).append(name)
    # A stable sort: names that people gave come first, each kind in the order of the rows.
    joined = [
        tuple(sorted(names, key=lambda name: name not in given)) for names in members.values()
    ]
    new = {name: names[0] for names in joined for name in names}
    return (
        tuple(regrouped(row, new[row.group]) for row in rows),
        tuple(names for names in joined if len(names) > 1),
    )


def regrouped(row: Row, group: str) -> Row:
    """Return the row in another group; a name that somebody gave stays in the column `GIVEN`."""
    if group == row.group:
        return row
    kept = {} if is_of_audit(row.group) or GIVEN in row.extra else {GIVEN: row.group}
    return replace(row, group=group, extra={**row.extra, **kept})


def pictures_of(row: Row) -> list[tuple[str, str]]:
    """Return the names of the picture that an image shows: by its bytes, and by its column."""
    keys = (("sha256", row.sha256), ("picture", row.picture))
    return [(kind, name) for kind, name in keys if name]


def given_names(rows: Iterable[Row]) -> set[str]:
    """Return the group names that somebody chose, which do not look like those of an audit."""
    # An audit names a group by the hash of one of its images, which need not be among the rows.
    return {row.group for row in rows if not is_of_audit(row.group)}


def is_of_audit(name: str) -> bool:
    """Return whether a group's name looks like one that an audit gave."""
    digits = name.removeprefix("u") if len(name) == 13 else name
    return len(digits) == 12 and set(digits) <= set("0123456789abcdef")


def both_labels(rows: Iterable[Row]) -> list[tuple[str, ...]]:
    """Return the paths of each picture that is filed as tumour and as no tumour."""
    pictures: Sets[tuple[str, str]] = Sets()
    keyed = [(row, pictures_of(row)) for row in rows]
    for _, keys in keyed:
        for key in keys[1:]:
            pictures.join(keys[0], key)
    shown: dict[tuple[str, str], list[Row]] = {}
    for row, keys in keyed:
        if keys:
            shown.setdefault(pictures.find(keys[0]), []).append(row)
    return [
        tuple(row.path for row in members)
        for members in shown.values()
        if len(Counter(row.label for row in members)) > 1
    ]
