"""A folder of scans → what is wrong with it, and which images must stay together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tumorscope.auditing.input_check import Checked, InputCheck, InputChecks
from tumorscope.auditing.overlap import Looked, Overlap, as_listed, named_in_full, overlap_of
from tumorscope.auditing.result import Audit
from tumorscope.auditing.shortcuts import measure, traces_of
from tumorscope.cohort.copies import alike, copies_of, with_pictures
from tumorscope.cohort.edits import protect_edits
from tumorscope.cohort.file_names import patients_in_names
from tumorscope.cohort.group_from import group_by
from tumorscope.cohort.lying_there import refuse_others
from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.row import FLAGS, Row
from tumorscope.cohort.scan import TINY, scan_folder
from tumorscope.cohort.together import given_names, joins, regrouped
from tumorscope.common.errors import InputError, UnreadableImageError
from tumorscope.common.extras import require
from tumorscope.common.files import output_folder, sha256_of, write_json
from tumorscope.common.locks import one_writer, until_done
from tumorscope.common.sets import Sets
from tumorscope.duplicates.pairs import in_threads
from tumorscope.duplicates.portrait import Portrait, portrait
from tumorscope.imaging.read import ImageInfo, coloured_fraction, read_with_info

COLOURED = 0.001
"""Share of coloured pixels from which an image is flagged: one banner, mark or colour map."""


@dataclass(frozen=True, slots=True)
class _Look:
    """One file, decoded once: all that is kept of it."""

    row: Row
    portrait: Portrait | None = None
    traces: dict[str, dict[str, float]] | None = None
    reason: str = ""
    checked: Checked | None = None


@one_writer
def audit(
    data: str | Path | Manifest,
    *,
    against: Sequence[str | Path | Manifest] = (),
    output: str | Path | None = None,
    probes: bool = True,
    check: InputCheck | None = None,
    group_from: str | Path | None = None,
) -> Audit:
    """Audit a cohort: unreadable files, copies, label conflicts, overlap, shortcuts, balance.

    Parameters
    ----------
    data : path or Manifest
        A folder of class folders, or a manifest (CSV). Splits, sources and groups of a manifest
        are kept; its groups are joined where their images show one picture, never parted.
    against : sequence of path or Manifest
        Other cohorts in which the same pictures are looked for.
    output : path, optional
        Folder for ``manifest.csv``, ``audit.json`` and ``report.html``.
    probes : bool
        Whether shortcuts are measured (needs scikit-learn).
    check : InputCheck, optional
        What says which images are no brain MRI; `tumorscope.audit` asks the packaged model.
    group_from : str or path, optional
        What says which images belong together: a regular expression that is searched for in each
        path, as seen from the folder, and whose first group (or whole match) is the patient; or a
        CSV file with the columns ``path`` and ``group``, ``patient`` or ``subject``. Groups of a
        manifest are joined by it, never parted.

    Raises
    ------
    InputError
        If there is nothing to audit: no folder, no classes, nothing readable, a bad manifest.
    UsageError
        If `output` holds a manifest that somebody edited, which would be lost; or `group_from`
        is no rule, or tells no patients apart.
    OutputError
        If `output` cannot be written to.
    MissingExtraError
        If probes or a report are asked for, and the extra “train” is not installed.

    Examples
    --------
    >>> found = audit("scans/", output="audit/")  # doctest: +SKIP
    >>> found.manifest.groups  # doctest: +SKIP
    """
    if probes or output is not None:
        needed = ("sklearn",) * probes + ("matplotlib",) * (output is not None)
        require("train", to="audit a cohort", only=needed)
    cohort = _cohort(data)
    others = [_cohort(other) for other in against]
    grouping = None
    if group_from is not None:
        cohort, grouping = group_by(cohort, group_from)
    folder = None
    if output is not None:
        refuse_others(
            Path(output),
            {"audit.json": lambda _: _audited(Path(output) / "manifest.csv", cohort)},
            reading=None if isinstance(data, Manifest) else data,
        )
        protect_edits(cohort, Path(output) / "manifest.csv")
        folder = output_folder(Path(output))
        until_done(folder / "manifest.csv")  # which `tumorscope split` changes by itself

    looks = _look_at_all(cohort, "Reading", probes=probes, check=check)
    if all(look.reason for look in looks):
        raise InputError(
            f"None of the {len(looks)} image files can be read. First of them: {looks[0].reason}"
        )
    copies = copies_of([look.row for look in looks], [look.portrait for look in looks])
    groups = _groups(looks, copies)
    common = _overlap(cohort, looks, others)
    exact = alike(None if look.reason else look.row.sha256 for look in looks)
    conflicts = _conflicts(looks, copies, groups, lambda row: row.label)
    # Which type of two labels is right is asked only once there is a tumour.
    types = _conflicts(looks, copies, groups, lambda row: row.tumour_type if row.label else "")
    checks = None
    if check is not None:
        checked = {look.row.path: look.checked for look in looks if look.checked is not None}
        checks = InputChecks.of(check, checked)
    rows = _flagged(looks, exact, groups, common.matches, conflicts, types, checks)
    manifest = replace(
        cohort.having(with_pictures(rows, copies)),
        joined=(*cohort.joined, *joins([look.row for look in looks], groups)),
    )
    usable = manifest.usable.rows
    found = Audit(
        manifest=manifest,
        unreadable={look.row.path: look.reason for look in looks if look.reason},
        exact_duplicates=_named(exact, looks),
        copies=_named(copies, looks),
        groups=_paths_by_group(usable),
        label_conflicts=conflicts,
        tumour_type_conflicts=types,
        overlap=common.matches,
        shortcuts=measure(
            [look.traces for look in looks if look.traces is not None],
            [row.label for row in usable],
            [row.group for row in usable],
        )
        if probes
        else (),
        classes={
            name: {
                "images": sum(row.label == label for row in usable),
                "groups": len({row.group for row in usable if row.label == label}),
            }
            for name, label in (("tumour", 1), ("no tumour", 0))
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
    if folder is not None:
        from tumorscope.auditing.report import write_report

        manifest.save(folder / "manifest.csv")
        write_json(folder / "audit.json", found.to_json())
        write_report(found, folder / "report.html")
    return found


def _cohort(data: str | Path | Manifest) -> Manifest:
    if isinstance(data, Manifest):
        return data
    path = Path(data)
    return Manifest.load(path) if path.is_file() else scan_folder(path)


def _audited(path: Path, cohort: Manifest) -> bool:
    """Whether the manifest of an audit is of this cohort, though files may have come or gone."""
    if not path.is_file() or cohort.form.is_of(path):
        return True
    try:
        there = Manifest.load(path)
    except InputError:
        return True  # `protect_edits` says more of it
    files = {cohort.file(row).absolute() for row in cohort.rows}
    kept = sum(there.file(row).absolute() in files for row in there.rows)
    return 2 * kept >= min(len(there), len(cohort))


def _look_at_all(
    cohort: Manifest, label: str, *, probes: bool, check: InputCheck | None = None
) -> list[_Look]:
    return in_threads(
        lambda row: _look(cohort.file(row), row, probes=probes, check=check), cohort.rows, label
    )


def _look(file: Path, row: Row, *, probes: bool, check: InputCheck | None) -> _Look:
    try:
        scan, info = read_with_info(file)
        digest = sha256_of(file)
        coloured = coloured_fraction(file)
        traces = traces_of(file, info, scan) if probes else None
    except (UnreadableImageError, OSError) as error:
        # What the header said is dropped with the rest: half a file has no content to trust.
        lost = replace(row, width=0, height=0, mode="", flags=("unreadable",))
        return _Look(replace(lost, sha256=_hash_before(file, row)), reason=str(error))
    kept = replace(
        row,
        sha256=digest,
        width=info.width,
        height=info.height,
        mode=info.mode,
        flags=_own_flags(info, coloured >= COLOURED),
    )
    checked = check(scan, coloured) if check is not None else None
    return _Look(kept, portrait(scan), traces, checked=checked)


def _hash_before(file: Path, row: Row) -> str:
    """Return the hash of the image that a file held before it was lost; "" where none is known.

    By it alone the image of a manifest is known until somebody puts it back.
    """
    try:
        return "" if sha256_of(file) == row.sha256 else row.sha256
    except OSError:
        return row.sha256


def _own_flags(info: ImageInfo, coloured: bool) -> tuple[str, ...]:
    held = {
        "disguised": info.disguised,
        "colour": coloured,
        "tiny": min(info.width, info.height) < TINY,
    }
    return tuple(flag for flag in FLAGS if held.get(flag))


def _groups(looks: Sequence[_Look], copies: Sequence[Sequence[int]]) -> list[str]:
    """Name the group of every image: that of the first image it must stay with."""
    together: Sets[int] = Sets()
    bearer: dict[str, int] = {}
    for index, look in enumerate(looks):
        together.join(bearer.setdefault(look.row.group, index), index)
    for members in copies:
        for index in members:
            together.join(members[0], index)
    names: dict[int, str] = {}
    given = given_names(look.row for look in looks)
    for index, look in sorted(enumerate(looks), key=lambda item: item[1].row.group not in given):
        names.setdefault(together.find(index), look.row.group)
    return [names[together.find(index)] for index in range(len(looks))]


def _overlap(cohort: Manifest, looks: Sequence[_Look], others: Sequence[Manifest]) -> Overlap:
    mine = [Looked(look.row, look.portrait) for look in looks]
    found: dict[str, list[str]] = {}
    by_bytes: list[str] = []
    not_at_all: list[str] = []
    for other in others:
        theirs = [
            Looked(look.row, look.portrait)
            for look in _look_at_all(other, "Reading the other cohort", probes=False)
        ]
        one = overlap_of(named_in_full(other, as_listed(other.rows, theirs)), mine)
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


def _named(sets: Sequence[Sequence[int]], looks: Sequence[_Look]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(looks[index].row.path for index in members) for members in sets)


def _conflicts(
    looks: Sequence[_Look],
    copies: Sequence[Sequence[int]],
    groups: Sequence[str],
    said: Callable[[Row], object],
) -> dict[str, tuple[str, ...]]:
    """Return the copies of which several things are said, by group; "" says nothing."""
    conflicts: dict[str, tuple[str, ...]] = {}
    for members in copies:
        rows = [looks[index].row for index in members if said(looks[index].row) != ""]
        if len({said(row) for row in rows}) > 1:
            # Two conflicts may lie in one group, where a manifest holds them together.
            name = groups[members[0]]
            conflicts[name] = (*conflicts.get(name, ()), *(row.path for row in rows))
    return conflicts


def _flagged(
    looks: Sequence[_Look],
    exact: Sequence[Sequence[int]],
    groups: Sequence[str],
    overlap: dict[str, list[str]],
    conflicts: dict[str, tuple[str, ...]],
    types: dict[str, tuple[str, ...]],
    checks: InputChecks | None,
) -> list[Row]:
    """Return the rows with group and flags."""
    held = [set(look.row.flags) for look in looks]
    flagged = {
        "label-conflict": {path for paths in conflicts.values() for path in paths},
        "type-conflict": {path for paths in types.values() for path in paths},
        "overlap": set(overlap),
        "not-brain-mri": set(checks.refused) if checks else set(),
        "unusual": set(checks.unusual) if checks else set(),
    }
    for members in exact:
        for index in members:
            held[index].add("exact-duplicate")
    rows = []
    for index, look in enumerate(looks):
        held[index] |= {flag for flag, paths in flagged.items() if look.row.path in paths}
        flags = tuple(flag for flag in FLAGS if flag in held[index])
        rows.append(replace(regrouped(look.row, groups[index]), flags=flags))
    return rows


def _paths_by_group(rows: Sequence[Row]) -> dict[str, tuple[str, ...]]:
    groups: dict[str, list[str]] = {}
    for row in rows:
        groups.setdefault(row.group, []).append(row.path)
    return {name: tuple(paths) for name, paths in groups.items()}
