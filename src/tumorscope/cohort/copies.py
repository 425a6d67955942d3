"""Which images of a cohort are copies of one picture: found by looking, kept in a column."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace

from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.row import FLAGS, Row
from tumorscope.cohort.together import pictures_of
from tumorscope.common.cores import in_threads
from tumorscope.common.errors import InputError, UnreadableImageError
from tumorscope.common.progress import say
from tumorscope.common.sets import Sets
from tumorscope.common.words import some_of
from tumorscope.duplicates.normalised_head import NormalisedHead, normalised_head
from tumorscope.duplicates.pairs import near_pairs
from tumorscope.imaging.read import read_slice

NEAR = "near-duplicate"


def copies_of(rows: Sequence[Row], heads: Sequence[NormalisedHead | None]) -> list[list[int]]:
    """Return the positions of images that show one picture, set by set.

    What the rows say already, by their hashes and their column ``picture``, is taken as given;
    images that nobody looked at are in no set.
    """
    pictures: Sets[int] = Sets()
    bearer: dict[tuple[str, str], int] = {}
    distinct: list[tuple[int, NormalisedHead]] = []
    for index, (row, seen) in enumerate(zip(rows, heads, strict=True)):
        if seen is None:
            continue
        if not row.sha256 or ("sha256", row.sha256) not in bearer:
            distinct.append((index, seen))
        for key in pictures_of(row):
            pictures.join(bearer.setdefault(key, index), index)
    for pair in near_pairs([seen for _, seen in distinct]):
        pictures.join(distinct[pair.first][0], distinct[pair.second][0])
    return alike(None if seen is None else pictures.find(index) for index, seen in enumerate(heads))


def alike(keys: Iterable[Hashable | None]) -> list[list[int]]:
    """Return the positions that share a key with others, set by set; None is nobody's key."""
    sets: dict[Hashable, list[int]] = {}
    for index, key in enumerate(keys):
        if key is not None:
            sets.setdefault(key, []).append(index)
    return [members for members in sets.values() if len(members) > 1]


def with_pictures(rows: Sequence[Row], copies: Sequence[Sequence[int]]) -> list[Row]:
    """Return the rows with the column ``picture``, and with a flag where copies differ in bytes.

    A set keeps the name that one of its rows has; else it is named by the first one's hash.
    """
    named = list(rows)
    for members in copies:
        held = [rows[index] for index in members]
        name = next((row.picture for row in held if row.picture), held[0].sha256[:12])
        near = len({row.sha256 for row in held}) > 1
        for index in members:
            flags = {*named[index].flags, *((NEAR,) if near else ())}
            named[index] = replace(
                named[index], picture=name, flags=tuple(flag for flag in FLAGS if flag in flags)
            )
    return named


def unattributed(manifest: Manifest) -> list[str]:
    """Return the paths of near-duplicates for which the manifest does not say what they repeat.

    Manifests of earlier versions say it by the group alone. That is trusted where the group is
    named as an audit names it and still holds several such images; in a group that somebody
    named, they may repeat images of other groups.
    """
    flagged = [row for row in manifest.usable.rows if NEAR in row.flags and not row.picture]
    members: dict[str, list[Row]] = {}
    for row in flagged:
        members.setdefault(row.group, []).append(row)
    return [
        row.path
        for group, rows in members.items()
        for row in rows
        if len({each.sha256 for each in rows}) < 2
        or not any(each.sha256.startswith(group) for each in rows)
        or len(group) != 12
    ]


def settle_copies(manifest: Manifest) -> Manifest:
    """Make sure that copies of one picture share a group, looking at the images if need be.

    Rows that name their picture, or have the same bytes, share one already. Where flags
    mark near-duplicates that nothing attributes, the images are compared, as an audit does.

    Raises
    ------
    InputError
        If images would have to be compared and cannot be read.
    """
    unknown = unattributed(manifest)
    if not unknown:
        return manifest
    say(
        f"{len(unknown)} images are flagged as near-duplicates, and the manifest does not say of "
        "which (it has no column picture); looking at the images."
    )
    usable = manifest.usable
    heads = in_threads(lambda row: _head(usable, row), usable.rows, "Reading")
    lost = [row.path for row, seen in zip(usable.rows, heads, strict=True) if seen is None]
    if lost:
        raise InputError(
            f"{len(unknown)} images of the manifest are flagged as near-duplicates ("
            f"{some_of(unknown, 1)}), and nothing in it says of which images, so "
            f"their groups cannot be checked: {len(lost)} of {len(usable)} images cannot be read "
            f"({some_of(lost, 1)}). Expected the column picture, or the "
            "images. Put the images back, or run `tumorscope audit` on them again."
        )
    rows = with_pictures(usable.rows, copies_of(usable.rows, heads))
    # One whose copy is not among the rows is a picture of its own: it is not looked for again.
    rows = [
        replace(row, picture=row.sha256[:12]) if NEAR in row.flags and not row.picture else row
        for row in rows
    ]
    found = iter(rows)
    return manifest.having(next(found) if row.usable else row for row in manifest.rows)


def _head(manifest: Manifest, row: Row) -> NormalisedHead | None:
    try:
        return normalised_head(read_slice(manifest.file(row)))
    except (UnreadableImageError, OSError):
        return None
