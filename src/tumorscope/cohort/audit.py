"""A folder of scans → what is wrong with it, and which images must stay together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tumorscope.cohort.copies import alike, copies_of, with_pictures
from tumorscope.cohort.duplicates import in_threads
from tumorscope.cohort.edits import protect_edits
from tumorscope.cohort.file_names import SharedPrefixes, patients_in_names
from tumorscope.cohort.fingerprint import Portrait, portrait
from tumorscope.cohort.group_from import Grouping, group_by
from tumorscope.cohort.input_check import Checked, InputCheck, InputChecks
from tumorscope.cohort.lying_there import refuse_others
from tumorscope.cohort.manifest import FLAGS, Manifest, Row
from tumorscope.cohort.overlap import Looked, Overlap, as_listed, named_in_full, overlap_of
from tumorscope.cohort.scan import TINY, scan_folder
from tumorscope.cohort.sets import Sets
from tumorscope.cohort.shortcuts import Shortcut, measure, traces_of
from tumorscope.cohort.together import given_names, joins, regrouped
from tumorscope.common.errors import InputError, UnreadableImageError
from tumorscope.common.extras import require
from tumorscope.common.files import output_folder, sha256_of, write_json
from tumorscope.common.locks import one_writer, until_done
from tumorscope.imaging.passed_over import PassedOver
from tumorscope.imaging.read import ImageInfo, coloured_fraction, read_with_info

COLOURED = 0.001
"""Share of coloured pixels from which an image is flagged: one banner, mark or colour map."""


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit found. Paths are as in the manifest.

    Attributes
    ----------
    manifest : Manifest
        Every file, readable or not, with groups and flags.
    unreadable : dict of str to str
        Path → why it cannot be read.
    exact_duplicates : tuple of tuple of str
        Sets of files with the same bytes.
    copies : tuple of tuple of str
        Sets of images that show one picture, byte for byte or not.
    groups : dict of str to tuple of str
        Group → its readable images. Copies of one picture share a group, and so do images that
        the manifest given had in one group already.
    label_conflicts : dict of str to tuple of str
        Group → copies of one picture that carry both labels. A patient with images of both labels
        is no conflict.
    tumour_type_conflicts : dict of str to tuple of str
        Group → copies of one picture that are filed under several tumour types.
    overlap : dict of str to list of str
        Path → files of other cohorts that show the same picture.
    shortcuts : tuple of Shortcut
        Empty where probes were not asked for.
    classes : dict of str to dict of str to int
        "tumour" and "no tumour" → numbers of readable ``images`` and of ``groups``.
    against : dict of str to PassedOver
        Other cohort → what of its folder was not looked at, and so not compared.
    input_checks : InputChecks or None
        Which images are perhaps no brain MRI; None where no model was asked.
    compared_by_bytes : tuple of str
        Images of other cohorts that are gone, changed or broken, but whose hash is known: a copy
        that was saved anew is not found.
    not_compared : tuple of str
        Images of other cohorts of which not even the hash is known.
    grouping : Grouping or None
        What the rule for groups did, where one was given.
    shared_prefixes : SharedPrefixes or None
        File names that look like patients, where nobody said who they are.
    """

    manifest: Manifest
    unreadable: dict[str, str]
    exact_duplicates: tuple[tuple[str, ...], ...]
    copies: tuple[tuple[str, ...], ...]
    groups: dict[str, tuple[str, ...]]
    label_conflicts: dict[str, tuple[str, ...]]
    tumour_type_conflicts: dict[str, tuple[str, ...]]
    overlap: dict[str, list[str]]
    shortcuts: tuple[Shortcut, ...]
    classes: dict[str, dict[str, int]]
    against: dict[str, PassedOver] = field(default_factory=dict)
    input_checks: InputChecks | None = None
    compared_by_bytes: tuple[str, ...] = ()
    not_compared: tuple[str, ...] = ()
    grouping: Grouping | None = None
    shared_prefixes: SharedPrefixes | None = None

    @property
    def incomplete(self) -> bool:
        """Whether files that look like scans were not looked at, of this cohort or of others."""
        others = sum(passed.scans for passed in self.against.values())
        blind = self.compared_by_bytes or self.not_compared
        return bool(self.unreadable or self.manifest.notes.passed_over.scans or others or blind)

    def blind_words(self) -> list[str]:
        """Return which images of other cohorts were not looked at, in sentences."""
        words = []
        for paths, how in (
            (self.compared_by_bytes, "compared by the hashes in the manifest alone"),
            (self.not_compared, "not compared at all"),
        ):
            if paths:
                words.append(
                    f"{len(paths)} images of other cohorts are gone, changed or unreadable and "
                    f"were {how}, so a copy that was saved anew is not found: "
                    f"{', '.join(paths[:3])}{' …' if len(paths) > 3 else ''}. Put the files back "
                    "and audit again to be sure."
                )
        return words

    def words(self) -> list[str]:
        """Return what was left out, taken for patients, or is to be looked at, in sentences."""
        return [
            *(self.input_checks.words() if self.input_checks else ()),
            *self.words_on_groups(),
            *self.manifest.notes.words(),
            *(
                f"{name}: {line}"
                for name, passed in self.against.items()
                for line in passed.words()
            ),
            *self.blind_words(),
        ]

    def words_on_groups(self) -> list[str]:
        """Return what was said of groups, and what file names tell of them, in sentences."""
        lines = [one.in_words() for one in (self.grouping, self.shared_prefixes) if one]
        parted = self.manifest.parted_groups()
        if parted:
            lines.append(
                f"{len(parted)} groups lie in more than one split ({', '.join(parted[:3])}"
                f"{' …' if len(parted) > 3 else ''}): these splits cannot be trained or tested on. "
                "`tumorscope split` makes others."
            )
        return lines

    @property
    def flags(self) -> dict[str, int]:
        """Number of images with each flag, in the order of `FLAGS`; those of no image included."""
        counts = Counter(flag for row in self.manifest.rows for flag in row.flags)
        return {flag: counts[flag] for flag in FLAGS}

    def to_json(self) -> dict[str, object]:
        """Return plain values: the content of ``audit.json``."""
        return {
            "images": len(self.manifest),
            "readable": len(self.manifest.usable),
            "group_count": len(self.groups),
            "classes": self.classes,
            "groups_parted": self.manifest.parted_groups(),
            "groups_joined": [list(names) for names in self.manifest.joined],
            "group_from": self.grouping.to_json() if self.grouping else None,
            "shared_prefixes": self.shared_prefixes.to_json() if self.shared_prefixes else None,
            "flags": self.flags,
            "label_conflicts": {name: list(paths) for name, paths in self.label_conflicts.items()},
            "tumour_type_conflicts": {
                name: list(paths) for name, paths in self.tumour_type_conflicts.items()
            },
            "overlap": self.overlap,
            "compared_by_bytes": list(self.compared_by_bytes),
            "not_compared": list(self.not_compared),
            "shortcuts": [shortcut.to_json() for shortcut in self.shortcuts],
            "unreadable": self.unreadable,
            "input_check": self.input_checks.to_json() if self.input_checks else None,
            **self.manifest.notes.to_json(),
            "passed_over_against": {
                name: passed.to_json() for name, passed in self.against.items()
            },
            "exact_duplicates": [list(paths) for paths in self.exact_duplicates],
            "copies": [list(paths) for paths in self.copies],
            "groups": {name: list(paths) for name, paths in self.groups.items()},
        }


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
        needed = ("sklearn",) * probes + ("matplotlib", "jinja2") * (output is not None)
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
        from tumorscope.cohort.audit_report import write_report

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
