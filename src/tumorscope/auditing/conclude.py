"""Images that were looked at → everything that an audit says of their cohort."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tumorscope.auditing.input_check import InputCheck, InputChecks
from tumorscope.auditing.look import Look, look_at_all
from tumorscope.auditing.overlap import Overlap, as_listed, named_in_full, overlap_of
from tumorscope.auditing.result import Audit
from tumorscope.auditing.shortcuts import measure_shortcuts
from tumorscope.cohort.copies import alike, copies_of, with_pictures
from tumorscope.cohort.file_names import patients_in_names
from tumorscope.cohort.group_from import Grouping
from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.row import FLAGS, Row
from tumorscope.cohort.together import given_names
from tumorscope.common.classes import CLASSES
from tumorscope.common.errors import InputError


def conclude(
    cohort: Manifest,
    looks: Sequence[Look],
    others: Sequence[Manifest],
    check: InputCheck | None,
    grouping: Grouping | None,
) -> Audit:
    """Return what is wrong with a cohort.

    Parameters
    ----------
    cohort : Manifest
        With its rows as the files are.
    looks : sequence of Look
        One for each row.
    others : sequence of Manifest
        Cohorts in which the same pictures are looked for; their images are read here.
    check : InputCheck or None
        That was asked of each image.
    grouping : Grouping or None
        What a rule for groups did.
    """
    sets = _Sets.of(cohort, looks)
    common = _overlap(cohort, looks, others)
    checked = {look.row.path: look.checked for look in looks if look.checked is not None}
    checks = None if check is None else InputChecks.of(check, checked)
    manifest = _flagged(sets, common, checks)
    usable = manifest.usable.rows
    return Audit(
        manifest=manifest,
        unreadable={look.row.path: look.reason for look in looks if look.reason},
        exact_duplicates=sets.paths(sets.exact),
        copies=sets.paths(sets.copies),
        groups=_paths_by_group(usable),
        label_conflicts=sets.label_conflicts,
        tumour_type_conflicts=sets.type_conflicts,
        overlap=common.matches,
        shortcuts=measure_shortcuts(
            [look.traces for look in looks if look.traces is not None],
            [row.label for row in usable],
            [row.group for row in usable],
        ),
        classes={
            CLASSES[label]: {
                "images": sum(row.label == label for row in usable),
                "groups": len({row.group for row in usable if row.label == label}),
            }
            for label in (1, 0)
        },
        against={
            other.root.as_posix(): other.notes.passed_over
            for other in others
            if other.notes.passed_over
        },
        input_checks=checks,
        compared_by_bytes=common.by_bytes,
        not_compared=common.not_at_all,
        grouping=grouping,
        shared_prefixes=None if grouping else patients_in_names(manifest),
    )


@dataclass(frozen=True, slots=True)
class _Sets:
    """Which images of a cohort belong together.

    Attributes
    ----------
    manifest : Manifest
        With the column ``picture``, by which groups are joined.
    exact, copies : list of list of int
        Positions of files with the same bytes, and of images that show one picture.
    label_conflicts, type_conflicts : dict of str to tuple of str
        Group → copies of one picture about which the rows disagree.
    """

    manifest: Manifest
    exact: list[list[int]]
    copies: list[list[int]]
    label_conflicts: dict[str, tuple[str, ...]]
    type_conflicts: dict[str, tuple[str, ...]]

    @classmethod
    def of(cls, cohort: Manifest, looks: Sequence[Look]) -> _Sets:
        copies = copies_of(cohort.rows, [look.head for look in looks])
        named = cohort.having(with_pictures(cohort.rows, copies))
        # Groups that an audit makes of single images are named only where one that somebody
        # chose is among them.
        given = given_names(cohort.rows)
        new = named.joined[len(cohort.joined) :]
        shown = (names for names in new if given.intersection(names))
        named = replace(named, joined=(*cohort.joined, *shown))
        return cls(
            manifest=named,
            exact=alike(None if look.reason else look.row.sha256 for look in looks),
            copies=copies,
            label_conflicts=_conflicts(named.rows, copies, lambda row: row.label),
            # Which type of two labels is right is asked only once there is a tumour.
            type_conflicts=_conflicts(
                named.rows, copies, lambda row: row.tumour_type if row.label else ""
            ),
        )

    def paths(self, sets: Sequence[Sequence[int]]) -> tuple[tuple[str, ...], ...]:
        """Return sets of positions as sets of paths."""
        return tuple(tuple(self.manifest.rows[index].path for index in each) for each in sets)


def _conflicts(
    rows: Sequence[Row], copies: Sequence[Sequence[int]], said: Callable[[Row], object]
) -> dict[str, tuple[str, ...]]:
    """Return the copies about which the rows disagree, by group; "" says nothing."""
    conflicts: dict[str, tuple[str, ...]] = {}
    for members in copies:
        held = [rows[index] for index in members if said(rows[index]) != ""]
        if len({said(row) for row in held}) > 1:
            # Two conflicts may lie in one group, where a manifest holds them together.
            name = rows[members[0]].group
            conflicts[name] = (*conflicts.get(name, ()), *(row.path for row in held))
    return conflicts


def _flagged(sets: _Sets, common: Overlap, checks: InputChecks | None) -> Manifest:
    """Return the cohort with the flags that only the whole of it can decide."""
    exact = {path for paths in sets.paths(sets.exact) for path in paths}
    flagged = {
        "exact-duplicate": exact,
        "label-conflict": {path for paths in sets.label_conflicts.values() for path in paths},
        "type-conflict": {path for paths in sets.type_conflicts.values() for path in paths},
        "overlap": set(common.matches),
        "not-brain-mri": set(checks.refused) if checks else set(),
        "unusual": set(checks.unusual) if checks else set(),
    }

    def flags_of(row: Row) -> tuple[str, ...]:
        held = {*row.flags, *(flag for flag, paths in flagged.items() if row.path in paths)}
        return tuple(flag for flag in FLAGS if flag in held)

    return sets.manifest.having(replace(row, flags=flags_of(row)) for row in sets.manifest.rows)


def _overlap(cohort: Manifest, looks: Sequence[Look], others: Sequence[Manifest]) -> Overlap:
    found: dict[str, list[str]] = {}
    by_bytes: list[str] = []
    not_at_all: list[str] = []
    for other in others:
        theirs = look_at_all(other, "Reading the other cohort")[1]
        one = overlap_of(named_in_full(other, as_listed(other.rows, theirs)), looks)
        if len(one.not_at_all) == len(other.rows):
            raise InputError(
                f"None of the {len(other.rows)} images of the other cohort {other.root} can be "
                f"read, nor are their hashes known; the first is {one.not_at_all[0]}. Expected "
                "images to compare with. Put them back, or give the folder where they lie now."
            )
        for path, paths in one.matches.items():
            found.setdefault(path, []).extend(paths)
        by_bytes += one.by_bytes
        not_at_all += one.not_at_all
    order = {row.path: index for index, row in enumerate(cohort.rows)}
    return Overlap(
        {path: found[path] for path in sorted(found, key=order.__getitem__)},
        tuple(by_bytes),
        tuple(not_at_all),
    )


def _paths_by_group(rows: Sequence[Row]) -> dict[str, tuple[str, ...]]:
    groups: dict[str, list[str]] = {}
    for row in rows:
        groups.setdefault(row.group, []).append(row.path)
    return {name: tuple(paths) for name, paths in groups.items()}
