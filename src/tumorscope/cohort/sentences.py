"""What people are told about a cohort: data become sentences here, nowhere else in this room."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tumorscope.cohort.file_names import SharedPrefixes
from tumorscope.cohort.group_from import Grouping
from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.row import Row
from tumorscope.cohort.scan_notes import ScanNotes
from tumorscope.cohort.together import Joined, both_labels
from tumorscope.cohort.tumour_type import types_missing
from tumorscope.common.words import counted, some_of

CONSEQUENCE = {
    "training": "a network is not taught it",
    "tuning": "it does not steer the training",
    "testing": "how well it is recognised cannot be measured there",
}
"""What follows where a split lacks a tumour type."""


def on_use(manifest: Manifest) -> list[str]:
    """Return what a person must know of a cohort before it is split or trained on."""
    lines = [on_joins(manifest.joined), on_conflicts(manifest.usable.rows)]
    if not manifest.audited:
        lines.insert(
            0,
            "No audit wrote this manifest: files with the same bytes are kept together, and other "
            "copies of one picture were not looked for. `tumorscope audit` looks for them.",
        )
    return [line for line in lines if line]


def on_scan(notes: ScanNotes) -> list[str]:
    """Return what was left out of a folder, and what became of the folders in it."""
    return [*notes.passed_over.words(), *on_folders(notes)]


def on_folders(notes: ScanNotes) -> list[str]:
    """Return which folders became groups, which did not, and whether a class is missing."""
    lines = []
    if notes.patients:
        lines.append(
            f"Groups: {notes.patient_images} images lie in {len(notes.patients)} folders that "
            f"were taken for patients, each one group: {some_of(notes.patients)}."
        )
    if notes.other_folders:
        lines.append(
            f"Groups: folders that were not taken for patients: {some_of(notes.other_folders)}. "
            "If they are, or file names show patients, say so with tumorscope audit --group-from."
        )
    if notes.only_class:
        lines.append(
            f"All images are of one class ({notes.only_class}): they can be audited and tested on, "
            "but not trained on."
        )
    return lines


def on_masks(rows: Sequence[Row]) -> str:
    """Return how many of the lesions somebody outlined; "" where there are none.

    Examples
    --------
    >>> outlined = Row("a.png", sha256="a", label=1, group="a", mask="a_mask.png")
    >>> on_masks([outlined, Row("b.png", sha256="b", label=1, group="b")])
    'Masks: 1 of 2 images with a tumour have one, which says where the lesion is.'
    """
    tumours = [row for row in rows if row.label]
    if not tumours:
        return ""
    known = sum(bool(row.mask) for row in tumours)
    return (
        f"Masks: {known or 'none'} of {counted(len(tumours), 'image')} with a tumour have one, "
        "which says where the lesion is."
    )


def on_joins(joined: Sequence[Joined]) -> str:
    """Return which groups became one; "" where none did."""
    if not joined:
        return ""
    shown = some_of([" + ".join(names) for names in joined], between="; ")
    return (
        f"{sum(map(len, joined))} groups were joined into {len(joined)}, because they share "
        "pictures (the same bytes, or copies that an audit found; the column picture names them): "
        f"{shown}. Each takes its first name; other names that somebody gave stay in the column "
        "group_given."
    )


def on_conflicts(rows: Iterable[Row]) -> str:
    """Return which pictures are filed as tumour and as no tumour; "" for none."""
    found = both_labels(rows)
    if not found:
        return ""
    return (
        f"{counted(len(found), 'picture is', 'pictures are')} filed as tumour and as no tumour "
        f"({some_of(found[0], len(found[0]), total=sum(map(len, found)))}): at least one label is "
        "wrong, and both are trained and tested on. Correct the labels, or leave the copies out."
    )


def on_rule(rule: Grouping) -> str:
    """Return what a rule for groups did."""
    words = f"{rule.rule} puts {rule.images} images into {rule.groups} groups."
    if rule.unmatched:
        words += (
            f" It says nothing of {len(rule.unmatched)} images, which stay in the groups that "
            f"they had: {some_of(rule.unmatched)}."
        )
    if rule.unused:
        words += f" {len(rule.unused)} of its lines name no image: {some_of(rule.unused)}."
    return words


def on_prefixes(found: SharedPrefixes) -> str:
    """Return which file names look like patients, and what to do about it."""
    example = f"--group-from '{found.pattern}'" if found.pattern else "--group-from REGEX"
    return (
        f"The names of {found.files} files begin alike ({some_of(found.prefixes)}), as slices of "
        "one patient do, and they are in different groups, so a split may separate images of one "
        f"patient. If these are patients, give `tumorscope audit` the option {example}, or a CSV "
        "file with the columns path and patient."
    )


def on_divided_groups(manifest: Manifest) -> str:
    """Return which groups lie in more than one split; "" for none."""
    divided = manifest.divided_groups()
    if not divided:
        return ""
    return (
        f"{len(divided)} groups lie in more than one split ({some_of(divided)}): these splits "
        "cannot be trained or tested on. `tumorscope split` makes others."
    )


def on_missing_types(manifest: Manifest) -> str:
    """Return which splits lack a tumour type, and why; "" where none does."""
    sentences = []
    for split, kinds in types_missing(manifest).items():
        for kind in kinds:
            rows = [row for row in manifest.usable.rows if row.tumour_type == kind]
            groups = counted(len({row.group for row in rows}), "group")
            sentences.append(
                f"No {kind} lies in {split} ({len(rows)} images in {groups} in all): "
                f"{CONSEQUENCE[split]}."
            )
    return " ".join(sentences)
