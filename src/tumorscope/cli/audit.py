"""``tumorscope audit``: what is wrong with a cohort, and which images must stay together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tumorscope.cli.app import SHOWN_FAILURES, SOME_FAILED, check_there, emit
from tumorscope.cli.options import Common, Output, Paths
from tumorscope.common.columns import aligned
from tumorscope.common.progress import say

if TYPE_CHECKING:
    from tumorscope.auditing.result import Audit


def audit(
    data: Path,
    /,
    *,
    output: Output,
    against: Paths = (),
    group_from: str | None = None,
    common: Common | None = None,
) -> int:
    """Look for what makes results too good: copies, label conflicts, overlap, shortcuts.

    Copies are found even if they were re-encoded, resized, cropped, framed, mirrored, turned or
    had their contrast changed; they share a `group` in the manifest, which `tumorscope split`
    never divides. Nothing in DATA is changed.

    Example:

        tumorscope audit scans/ -o audit/
        tumorscope audit scans/ --against other-scans/ -o audit/
        tumorscope audit scans/ --group-from '(P[0-9]+)_' -o audit/
        tumorscope split audit/manifest.csv

    Parameters
    ----------
    data
        Folder with class folders (yes/ and no/, or glioma/ and notumor/ …), or a manifest, whose
        splits, sources, groups and further columns are kept.
    output
        Folder for manifest.csv, audit.json and report.html. A manifest there that you edited is
        never overwritten by an audit of something else.
    against
        Another cohort (folder or manifest) in which the same pictures are looked for; may be
        given several times.
    group_from
        Which images are of one patient: a regular expression, searched for in each path below
        DATA, whose first group (or whole match) is the patient's name; or a CSV file with the
        columns path and group, patient or subject.
    """
    check_there(data, *against)
    from tumorscope.auditing.audit import audit as audit_cohort
    from tumorscope.auditing.sentences import on_audit
    from tumorscope.cohort.sentences import on_joins

    common = common or Common()
    found = audit_cohort(data, against=against, output=output, group_from=group_from)
    emit(common, found.to_json(), _table(found, compared=bool(against)))
    if found.manifest.joined:
        say(on_joins(found.manifest.joined))
    for line in on_audit(found):
        say(line)
    for path, reason in list(found.unreadable.items())[:SHOWN_FAILURES]:
        say(f"Unreadable: {path}: {reason}")
    say(f"Wrote {output / 'manifest.csv'}, {output / 'audit.json'}")
    say(f"Open {output / 'report.html'}")
    return SOME_FAILED if found.incomplete else 0


def _scanned(found: Audit) -> list[tuple[str, str]]:
    """Return what was made of the folder, where that is worth a line."""
    notes = found.manifest.notes
    lines = []
    if notes.patients:
        lines.append(
            ("Patients", f"{len(notes.patients)} folders with {notes.patient_images} images")
        )
    if notes.passed_over:
        total, scans = len(notes.passed_over), notes.passed_over.scans
        what = "1 file or folder" if total == 1 else f"{total} files or folders"
        lines.append(("Passed over", f"{what}, {scans} of them may be scans"))
    return lines


def _table(found: Audit, *, compared: bool) -> str:
    redundant = sum(len(paths) - 1 for paths in found.exact_duplicates)
    lines = [
        ("Images", f"{len(found.manifest)}, of which {len(found.unreadable)} unreadable"),
        (
            "Classes",
            ", ".join(
                f"{counts['images']} {name} in {counts['groups']} groups"
                for name, counts in found.classes.items()
            ),
        ),
        ("Groups", f"{len(found.groups)}"),
        *_scanned(found),
        ("Same bytes", f"{len(found.exact_duplicates)} sets, {redundant} redundant files"),
        ("Near copies", f"{found.flags['near-duplicate']} images"),
        ("Label conflicts", f"{len(found.label_conflicts)}"),
    ]
    if found.tumour_type_conflicts:
        lines.append(("Type conflicts", f"{len(found.tumour_type_conflicts)}"))
    if compared:
        blind = len(found.compared_by_bytes) + len(found.not_compared)
        but = f"; {blind} of the other images could not be looked at" if blind else ""
        lines.append(("Overlap", f"{len(found.overlap)} images also lie in another cohort{but}"))
    for flag, name in (
        ("not-brain-mri", "Not brain MRI?"),
        ("unusual", "Unusual"),
        ("disguised", "Disguised"),
        ("colour", "Coloured"),
        ("tiny", "Tiny"),
    ):
        if found.flags[flag]:
            lines.append((name, f"{found.flags[flag]} images"))
    for shortcut in found.shortcuts:
        auc = shortcut.auc
        value = f"{auc.value:.2f} ({auc.low:.2f}–{auc.high:.2f})" if auc else "too few groups"
        lines.append((f"AUC {shortcut.probe}", value))
    return aligned(lines)
