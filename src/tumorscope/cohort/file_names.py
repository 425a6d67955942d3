"""File names that look as if several files were of one patient."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.together import given_names

FEWEST = 3
"""Prefixes that several files share, below which chance is as likely as patients."""

COVERED = 0.25
"""Share of all files that such prefixes must cover."""

_PART = re.compile(r"[^_\-. ]+")
_ID_THEN_SLICE = re.compile(r"([A-Za-z]*[0-9]+)[A-Za-z]+[0-9]+")
_SEQUENCE = re.compile(r"(t[12]\w{0,3}|[0-9.]+t|flair[0-9]*|dwi[0-9]*|mp2rage)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SharedPrefixes:
    """Beginnings of file names that look like patients.

    Attributes
    ----------
    files : int
        Files whose name begins as another's does.
    prefixes : tuple of str
        The beginnings, sorted.
    pattern : str
        A regular expression whose first group is the beginning; "" where none was found.
    """

    files: int
    prefixes: tuple[str, ...]
    pattern: str

    def to_json(self) -> dict[str, object]:
        """Return plain values."""
        return {"files": self.files, "prefixes": list(self.prefixes), "pattern": self.pattern}


def patients_in_names(manifest: Manifest) -> SharedPrefixes | None:
    """Return what file names say about patients, where nobody has said yet who they are."""
    usable = manifest.usable.rows
    if given_names(usable):
        return None
    found = shared_prefixes([row.path for row in usable])
    if found is None:
        return None
    # Where the groups hold them together already there is nothing to say.
    groups = defaultdict(set)
    level = len(_PART.findall(found.prefixes[0]))  # all are of one
    for row in usable:
        groups[_beginning(PurePosixPath(row.path).stem, level)].add(row.group)
    apart = any(len(groups[prefix]) > 1 for prefix in found.prefixes)
    return found if apart else None


def shared_prefixes(paths: Sequence[str]) -> SharedPrefixes | None:
    """Return the beginnings of names that look like patients, None where names show none.

    A beginning ends before a separator, or before letters and digits that end the name, and its
    last part has a digit, because ``Tr-gl_0010`` and ``Y1`` number images, not patients. It is
    shared by several files, but not by most of them, because that is the name of a cohort.
    """
    stems = {path: PurePosixPath(path).stem for path in paths}
    for level in range(1, 6):
        files: dict[str, list[str]] = defaultdict(list)
        for path, stem in stems.items():
            if beginning := _beginning(stem, level):
                files[beginning].append(path)
        shared = {name: held for name, held in files.items() if len(held) > 1}
        count = sum(map(len, shared.values()))
        if (
            len(shared) >= FEWEST
            and count >= COVERED * len(paths)
            and max(map(len, shared.values())) <= len(paths) / 2
        ):
            return SharedPrefixes(count, tuple(sorted(shared)), _pattern(shared))
    return None


def _beginning(stem: str, level: int) -> str:
    """Return the first `level` parts of a name, if they may name a patient."""
    parts = list(_PART.finditer(stem))
    if len(parts) == 1 and level == 1 and (found := _ID_THEN_SLICE.fullmatch(stem)):
        return found[1]
    if len(parts) <= level:
        return ""
    last = parts[level - 1][0]
    named = any(map(str.isdigit, last)) and not _SEQUENCE.fullmatch(last)
    return stem[parts[0].start() : parts[level - 1].end()] if named else ""


def _pattern(shared: dict[str, list[str]]) -> str:
    """Return an expression that finds these beginnings in their paths."""
    shapes = {
        re.sub("[0-9]+", "[0-9]+", re.sub("[A-Za-z]+", "[A-Za-z]+", re.escape(name)))
        for name in shared
    }
    pattern = rf"({'|'.join(sorted(shapes, key=len, reverse=True)[:2])})[^/]*$"
    pattern = pattern.replace(r"\-", "-").replace(r"\ ", " ")
    right = all(
        (found := re.search(pattern, path)) and found[1] == name
        for name, held in shared.items()
        for path in held
    )
    return pattern if right else ""
