"""A folder of class folders → its images, each with the class that the folders above it name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tumorscope.cohort.tumour_type import type_of_folder
from tumorscope.common.classes import TUMOUR_TYPES
from tumorscope.common.errors import InputError
from tumorscope.common.names import printable
from tumorscope.common.words import counted
from tumorscope.imaging.find import cannot_list, count_link, images_below, list_folder
from tumorscope.imaging.passed_over import PassedOver, Reason

POSITIVE = frozenset({"yes", "tumour", "tumor", "positive", *TUMOUR_TYPES})
NEGATIVE = frozenset({"no", "notumour", "notumor", "negative", "healthy", "normal", "control"})

_TUMOUR = frozenset({"tumour", "tumor", *TUMOUR_TYPES})
_FREE = frozenset({"nontumour", "nontumor", "tumourfree", "tumorfree", "tumourless", "tumorless"})
_DENIABLE = _TUMOUR | {"lesion", "cancer"}
_DENIED_BEFORE = frozenset({"no", "non", "not", "without"})
_DENIED_AFTER = frozenset({"free", "negative"})

VOLUMES = frozenset(
    {".nii", ".nii.gz", ".hdr", ".nrrd", ".nhdr", ".dcm", ".dicom", ".ima"}
    | {"DICOM without an ending"}
)
"""Kinds of files that are passed over as images, and that `tumorscope slices` reads."""

SHOWN = 5
"""Folders that are named in one message."""


@dataclass(frozen=True, slots=True)
class Filed:
    """An image and what its place says.

    Attributes
    ----------
    path : Path
        Where it lies.
    label : int
        1 tumour, 0 no tumour.
    tumour_type : str
        One of `TUMOUR_TYPES`, or "" where no folder names one.
    folders : tuple of str
        Names of the folders between the cohort's and the image that name no class.
    """

    path: Path
    label: int
    tumour_type: str
    folders: tuple[str, ...]


def label_of_folder(name: str) -> int | None:
    """Return 1 or 0 for a class folder's name (``yes``, ``no_tumor``, ``Glioma`` …), else None.

    Examples
    --------
    >>> [label_of_folder(name) for name in ("yes", "no", "glioma", "notumor", "misc")]
    [1, 0, 1, 0, None]
    """
    plain = "".join(letter for letter in name.lower() if letter.isalpha())
    label = _label_of_word(plain)
    if label == 0 or _is_denied(name):
        return 0
    return 1 if label or type_of_folder(name) else None


def label_spoken_of(name: str) -> int | None:
    """Return the label that a word of a folder's name speaks of, else None.

    More than `label_of_folder`: ``yes-extra`` and ``P3_normal`` do not name class folders, but
    should not lie below the other class. ``No_contrast`` speaks of none.
    """
    whole = label_of_folder(name)
    if whole is not None:
        return whole
    words = _words(name)
    said = {_label_of_word(word) for word in words if word != "no"}
    if 0 in said or words[-1:] == ["no"] or _denies_tumour(words):
        return 0
    return 1 if 1 in said else None


def find_classes(root: Path, passed: PassedOver) -> tuple[list[str], list[Filed]]:
    """Return the names of the class folders and their images, in the order of names.

    Class folders lie in `root`; where none does, they may lie one folder deeper, as in
    ``Training/yes``, and such parts are joined, because they were seldom made by group. What lies
    beside class folders is counted by reason in `passed`.

    Raises
    ------
    InputError
        If there are no class folders, a folder cannot be listed, or the folders above an image
        name both classes, or two tumour types.
    """
    loose, subfolders = _list(root, root, passed)
    found = _classes(root, subfolders)
    if found:
        _leave_out(root, loose, [name for name in subfolders if name not in found], root, passed)
    else:
        # As public sets come: Training/glioma … and Testing/glioma …; their split is not grouped.
        for part in subfolders:
            # What lies in it is counted once its kind is known.
            classes = _classes(root / part, _list(root / part, root, None)[1])
            found |= {f"{part}/{name}": folder for name, folder in classes.items()}
            if classes:
                beside, inner = _list(root / part, root, passed)
                rest = [name for name in inner if name not in classes]
                _leave_out(root / part, beside, rest, root, passed)
            else:
                _leave_out(root, [], [part], root, passed)
        _leave_out(root, loose, [], root, passed)
    if not found:
        deeper = passed.paths("nested-classes")
        raise InputError(
            f"{root} has no class folders; found {', '.join(subfolders) or 'no folders'}. Expected "
            f"tumour images in one of {', '.join(sorted(POSITIVE))} and the others in one of "
            f"{', '.join(sorted(NEGATIVE))} (upper case, spaces and underscores do not matter)."
            + _is_one_itself(root)
            + (f" {deeper[0]} lies deeper: give the folder that holds its class." if deeper else "")
            + _of_volumes(root, passed)
        )
    disputed: Counter[str] = Counter()
    images = []
    for folder in found.values():
        for path in images_below(folder, passed=passed):
            filed, against = _filed(path, folder, root)
            images.append(filed)
            if against is not None:
                disputed[against.relative_to(root).as_posix()] += 1
    if disputed:
        raise _dispute(root, disputed)
    return list(found), images


def _of_volumes(root: Path, passed: PassedOver) -> str:
    """Return what to do with volumes, where they were found."""
    volumes = sum(passed.kinds("format-not-read")[kind] for kind in VOLUMES)
    if not volumes:
        return ""
    command = f"tumorscope slices {printable(root)} -o DIR"
    return (
        f" It holds {counted(volumes, 'file')} of DICOM or NIfTI volumes: cut them into "
        f"slices with {command}, and go on with DIR/manifest.csv."
    )


def _list(folder: Path, root: Path, passed: PassedOver | None) -> tuple[list[str], list[str]]:
    try:
        # A class folder may be a link: it stands where it was put to be found.
        return list_folder(folder, root=root, passed=passed, follow=True)
    except OSError as error:
        raise cannot_list(folder, error) from error


def _classes(folder: Path, subfolders: Sequence[str]) -> dict[str, Path]:
    return {name: folder / name for name in subfolders if label_of_folder(name) is not None}


def _filed(path: Path, folder: Path, root: Path) -> tuple[Filed, Path | None]:
    """Return an image with its class, and the first folder above it that disputes that class."""
    label = label_of_folder(folder.name)
    assert label is not None
    kind = type_of_folder(folder.name)
    against: Path | None = None
    others = list(folder.relative_to(root).parts[:-1])
    place = folder
    for name in path.relative_to(folder).parts[:-1]:
        place /= name
        spoken, inner = label_spoken_of(name), type_of_folder(name)
        disputes = spoken not in (None, label) or bool(kind and inner and inner != kind)
        against = against or (place if disputes else None)
        kind = kind or inner
        # tumor01 and tumor02 say more than the class: perhaps whose images they are.
        if label_of_folder(name) is None or any(letter.isdigit() for letter in name):
            others.append(name)
    return Filed(path, label, kind if label else "", tuple(others)), against


def _dispute(root: Path, disputed: Counter[str]) -> InputError:
    named = [
        f"{printable(name)} ({counted(count, 'image')})"
        for name, count in disputed.most_common(SHOWN)
    ]
    more = f" and {len(disputed) - SHOWN} more" if len(disputed) > SHOWN else ""
    return InputError(
        f"In {root} images lie below folders that name two classes, so their label would be a "
        f"guess: {', '.join(named)}{more}. Expected that all folders above an "
        "image agree. Move these folders into the class that they belong to, or give them "
        "names that tell no class."
    )


def _leave_out(
    folder: Path, loose: Sequence[str], others: Sequence[str], root: Path, passed: PassedOver
) -> None:
    """Count what lies beside the class folders of `folder`."""
    for name in loose:
        passed.add("outside-classes", folder / name, scan=True)
    for name in others:
        if (folder / name).is_symlink():
            count_link(folder / name, root, passed)
        else:
            _count_unknown(folder / name, root, passed)


def _count_unknown(folder: Path, root: Path, passed: PassedOver) -> None:
    name = folder.relative_to(root).as_posix() + "/"
    try:
        for path in images_below(folder, passed=passed):
            inner = path.relative_to(folder.parent).parts[:-1]
            nested = any(label_of_folder(each) is not None for each in inner)
            reason: Reason = "nested-classes" if nested else "unknown-class"
            passed.add(reason, path, kind=name, scan=True)
    except InputError:  # it cannot be listed, so nobody knows what is in it
        passed.add("unknown-class", folder, kind=name, scan=True)


def _is_one_itself(root: Path) -> str:
    if label_of_folder(root.absolute().name) is None:
        return ""
    return f" {root} is such a folder itself: give the one above it, which holds both classes."


def _label_of_word(word: str) -> int | None:
    """Return the label that a word is a name of, in the singular or the plural, else None."""
    forms = {word, word.removesuffix("s")}
    if forms & (NEGATIVE | _FREE):
        return 0
    return 1 if forms & POSITIVE else None


def _is_denied(name: str) -> bool:
    """Return whether a name says "no tumour" and nothing else: non-tumor, tumour_free."""
    words = [word for word in _words(name) if word not in ("brain", "mri")]
    return len(words) == 2 and _denies_tumour(words) and not set(words) & set(TUMOUR_TYPES)


def _denies_tumour(words: Sequence[str]) -> bool:
    return any(
        (first in _DENIED_BEFORE and second.removesuffix("s") in _DENIABLE)
        or (first.removesuffix("s") in _DENIABLE and second in _DENIED_AFTER)
        for first, second in pairwise(words)
    )


def _words(name: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", name.lower())
