"""Two cohorts → the pictures that both hold, and the images for which that could not be checked.

Files of a cohort that were moved, changed or broken since its manifest was written are still
known by their bytes' hash. That finds the same file but no copy that was saved again, so what could
only be compared so is named: "not found" and "not looked at" are different answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tumorscope.auditing.look import Look, look_at_listed
from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.row import Row
from tumorscope.duplicates.normalised_head import NormalisedHead
from tumorscope.duplicates.pairs import matching


@dataclass(frozen=True, slots=True)
class Overlap:
    """What two cohorts have in common.

    Attributes
    ----------
    matches : dict of str to list of str
        Path in the cohort in question → matching paths in the known one, in their order.
    by_bytes : tuple of str
        Images of the known cohort whose picture could not be looked at: they were compared by
        their hash alone.
    not_at_all : tuple of str
        Images of the known cohort about which nothing is known.
    """

    matches: dict[str, list[str]]
    by_bytes: tuple[str, ...] = ()
    not_at_all: tuple[str, ...] = ()


def overlap(known: Manifest, other: Manifest) -> Overlap:
    """Find the images of one cohort that another holds as well, as copies or near-duplicates.

    Parameters
    ----------
    known : Manifest
        The cohort that is known, such as the one that a model was trained on.
    other : Manifest
        The cohort in question.
    """
    return overlap_of(look_at_listed(known), look_at_listed(other))


def as_listed(rows: Sequence[Row], looks: Sequence[Look]) -> list[Look]:
    """Return what was looked at, with the hashes that a manifest lists where the files differ.

    Parameters
    ----------
    rows : sequence of Row
        As in the manifest.
    looks : sequence of Look
        The same images as they are now, in the same order.
    """
    listed: list[Look] = []
    for row, look in zip(rows, looks, strict=True):
        if look.head is not None:
            listed.append(look)
        # Of a folder that was listed no hash is claimed.
        if look.head is None or (row.sha256 and row.sha256 != look.row.sha256):
            listed.append(Look(row))
    return listed


def overlap_of(known: Sequence[Look], other: Sequence[Look]) -> Overlap:
    """Do what `overlap` does, with images that were looked at already."""
    bearers: dict[str, set[int]] = {}
    for index, look in enumerate(known):
        if look.row.sha256:
            bearers.setdefault(look.row.sha256, set()).add(index)
    hits = {
        index: set(bearers[look.row.sha256])
        for index, look in enumerate(other)
        if look.row.sha256 in bearers
    }
    # One of each file is looked at, and those with the same bytes are known to match without it.
    known_seen, other_seen = _distinct(known), _distinct(other)
    matches = matching(list(other_seen.values()), list(known_seen.values()))
    known_digests, other_digests = list(known_seen), list(other_seen)
    similar = {
        other_digests[one]: {index for two in twos for index in bearers[known_digests[two]]}
        for one, twos in matches.items()
    }
    for index, look in enumerate(other):
        if look.row.sha256 in similar:
            hits.setdefault(index, set()).update(similar[look.row.sha256])
    blind = [look.row for look in known if look.row.sha256 not in known_seen]
    return Overlap(
        matches={
            other[index].row.path: list(
                dict.fromkeys(known[match].row.path for match in sorted(hits[index]))
            )
            for index in sorted(hits)
        },
        by_bytes=tuple(dict.fromkeys(row.path for row in blind if row.sha256)),
        not_at_all=tuple(dict.fromkeys(row.path for row in blind if not row.sha256)),
    )


def named_in_full(manifest: Manifest, looks: Sequence[Look]) -> list[Look]:
    """Return the same with full paths: those of another cohort, relative, would not be clear."""
    return [
        replace(look, row=replace(look.row, path=manifest.file(look.row).as_posix()))
        for look in looks
    ]


def _distinct(looks: Sequence[Look]) -> dict[str, NormalisedHead]:
    distinct: dict[str, NormalisedHead] = {}
    for look in looks:
        if look.head is not None:
            distinct.setdefault(look.row.sha256, look.head)
    return distinct
