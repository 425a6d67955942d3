"""The counts that a report shows of a cohort, taken from the manifest alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tumorscope.cohort.copies import NEAR
from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.row import SPLITS, Row
from tumorscope.cohort.sentences import on_joins
from tumorscope.cohort.together import both_labels
from tumorscope.common.words import counted, some_of
from tumorscope.imaging.passed_over import REASONS

WITHOUT_SPLIT = "without split"
"""Images that lie in no split, where others do: they are used for nothing."""


def cohort_facts(
    manifest: Manifest,
    *,
    splits: bool = True,
    unreadable: int = 0,
) -> dict[str, str]:
    """Return the counts that a report shows of a cohort, each under its name.

    Parameters
    ----------
    manifest : Manifest
        The cohort.
    splits : bool
        Whether its splits were used.
    unreadable : int
        How many files of it `manifest` does not list.
    """
    readable = manifest.usable
    usable = readable.rows
    sizes = Counter(row.group for row in usable)
    tumours = sum(row.label for row in usable)
    facts = {
        "images": f"{len(usable)} ({tumours} tumour, {len(usable) - tumours} no tumour)",
        "groups (distinct pictures or patients)": str(len(sizes)),
        "images that share a group with another": str(
            sum(count for count in sizes.values() if count > 1)
        ),
        "exact duplicates": f"{exact_duplicates(usable)} files repeat another byte for byte",
        "near-duplicates": near_duplicates(readable),
    }
    conflicts = both_labels(usable)
    if conflicts:
        first = some_of(conflicts[0], len(conflicts[0]), total=sum(map(len, conflicts)))
        facts["pictures with both labels"] = f"{len(conflicts)} ({first})"
    if manifest.joined:
        facts["groups joined"] = on_joins(manifest.joined)
    facts["unreadable"] = str(len(manifest) - len(usable) + unreadable)
    left_out = manifest.notes.passed_over
    for reason, count in left_out.counts.items():
        facts[f"left out: {REASONS[reason][1]}"] = f"{count} ({left_out.some(reason)})"
    return facts | (split_facts(usable) if splits else {})


def split_counts(rows: Sequence[Row]) -> dict[str, int]:
    """Return how many images each split has, those without one under `WITHOUT_SPLIT`."""
    counts = Counter(row.split or WITHOUT_SPLIT for row in rows)
    return {name: counts[name] for name in (*SPLITS, WITHOUT_SPLIT) if counts[name]}


def split_facts(rows: Sequence[Row]) -> dict[str, str]:
    """Return what each split holds, in words; nothing where there are no splits."""
    if not any(row.split for row in rows):
        return {}
    facts = {}
    for name in split_counts(rows):
        held = [row for row in rows if (row.split or WITHOUT_SPLIT) == name]
        facts[name] = (
            f"{len(held)} images, {len({row.group for row in held})} groups, "
            f"{sum(row.label for row in held)} tumour"
            + (", used for nothing" if name == WITHOUT_SPLIT else "")
        )
    return facts


def exact_duplicates(rows: Sequence[Row]) -> int:
    """Return how many files repeat another byte for byte."""
    return len(rows) - len({row.sha256 for row in rows})


def near_duplicates(manifest: Manifest) -> str:
    """Return how many usable images have a copy in another file, or that nobody looked."""
    near = [row for row in manifest.rows if NEAR in row.flags]
    shown: dict[str, set[str]] = {}
    for row in near:
        # Without the column picture only the group shows the sets.
        shown.setdefault(row.picture or row.group, set()).add(row.sha256)
    if near:
        return f"{len(near)} images show {counted(len(shown), 'picture')} with other bytes as well"
    if manifest.audited:
        return "0 images"
    return "not looked for (no audit wrote this manifest)"
