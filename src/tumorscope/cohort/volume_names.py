"""What the path of a volume says: its sequence, its patient, and the mask that belongs to it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from tumorscope.cohort.patient_folders import patient_of
from tumorscope.common.errors import UsageError
from tumorscope.imaging.find import image_of_mask, is_mask_folder
from tumorscope.imaging.kinds import NIFTI_ENDINGS

_SEQUENCES = (
    ("FLAIR", r"flair|fla|fl"),
    ("T1c", r"t1w?[_-]?(?:ce|gd|c|post|contrast)|ce[_-]?t1w?"),
    ("T1", r"t1w?n?"),
    ("T2", r"t2w?"),
    ("DWI", r"dwi"),
)
"""Sequence → its names as words of a file's name; the first that fits counts."""

_BIDS = re.compile(r"(?:^|[/_])(sub-[A-Za-z0-9]+)")

_MASK_WORD = re.compile(r"(?:masks?|seg(?:s|mentations?)?|labels?|lesions?|annotations?)(?:tr|ts)?")
"""Folders, in lower case, that hold masks beside folders of scans, as in imagesTr and labelsTr."""

_OF_SCANS = ("images", "imagestr", "imagests", "volumes", "scans", "nifti", "anat")


def stem_of(path: str) -> str:
    """Return the name of a volume's file without its ending.

    Examples
    --------
    >>> stem_of("a/P1.flair.nii.gz")
    'P1.flair'
    """
    name = PurePosixPath(path).name
    ending = next((each for each in NIFTI_ENDINGS[::-1] if name.lower().endswith(each)), "")
    return name[: len(name) - len(ending)] or name


def sequence_of_name(path: str) -> str:
    """Return FLAIR, T1c, T1, T2 or DWI where the file's name has a word for it, else "".

    Examples
    --------
    >>> [sequence_of_name(name) for name in ("P1_t1ce.nii", "sub-01_T2w.nii.gz", "brain.nii")]
    ['T1c', 'T2', '']
    """
    stem = stem_of(path).lower()
    for sequence, words in _SEQUENCES:
        if re.search(rf"(?:^|[^a-z0-9])(?:{words})(?:[^a-z0-9]|$)", stem):
            return sequence
    return ""


def patients_of(paths: Sequence[str], keys: Mapping[str, str]) -> dict[str, str]:
    """Return whose volume each is, as far as paths say; else the name of its file alone.

    In this order: the subject in a name as BIDS has it (``sub-01``), a folder that is a patient's
    (see `tumorscope.cohort.patient_folders`), the name of the mask, and the file's name without the
    word for its sequence. So two sequences of one patient are one group also where they lie side
    by side.

    Parameters
    ----------
    paths : sequence of str
        Relative to the folder of volumes, with forward slashes.
    keys : mapping of str to str
        Path → the part of the name that it shares with its mask, where it has one.

    Examples
    --------
    >>> patients_of(["P1/t1.nii", "P2/t1.nii", "sub-3_T1w.nii", "x_flair.nii"], {})
    {'P1/t1.nii': 'P1', 'P2/t1.nii': 'P2', 'sub-3_T1w.nii': 'sub-3', 'x_flair.nii': 'x'}
    """
    folders = {path: PurePosixPath(path).parts[:-1] for path in paths}
    of_folder, _ = patient_of(folders, dict.fromkeys(paths, 0))
    found = {}
    for path in paths:
        bids = _BIDS.search(path)
        named = bids[1] if bids else of_folder.get(path) or keys.get(path)
        found[path] = named or _without_sequence(stem_of(path))
    return found


def _without_sequence(stem: str) -> str:
    for _, words in _SEQUENCES:
        bare = re.sub(rf"[^A-Za-z0-9](?:{words})(?=[^A-Za-z0-9]|$)", "", stem, flags=re.IGNORECASE)
        if bare != stem:
            return bare or stem
    return stem


def keys_of_masks(paths: Iterable[str], pattern: str | None) -> dict[str, str]:
    """Return the masks among volumes, each with the name of what it belongs to.

    Parameters
    ----------
    paths : iterable of str
        Relative to the folder of volumes.
    pattern : str, optional
        Name of masks' files, or folder and name, with ``*`` for what is also in the name of the
        volume: ``*_seg.nii.gz``, ``labels/*.nii.gz``. By default files that end in ``_mask`` or
        ``_seg``, and what lies in a folder ``masks``.

    Raises
    ------
    UsageError
        If no file fits the pattern.

    Examples
    --------
    >>> keys_of_masks(["P1/P1_t1.nii", "P1/P1_seg.nii", "P1/mask.nii"], None)
    {'P1/P1_seg.nii': 'P1', 'P1/mask.nii': ''}
    >>> keys_of_masks(["imagesTr/a_0000.nii.gz", "labelsTr/a.nii.gz"], "labelsTr/*.nii.gz")
    {'labelsTr/a.nii.gz': 'a'}
    """
    listed = list(paths)
    if pattern is None:
        keys = {path: _usual_key(path) for path in listed}
        return {path: key for path, key in keys.items() if key is not None}
    name = PurePosixPath(pattern).name
    parts = [re.escape(part).replace(r"\?", ".") for part in name.split("*")]
    expression = re.compile("(.*)".join(parts), re.IGNORECASE)
    found = {}
    for path in listed:
        fits = expression.fullmatch(PurePosixPath(path).name)
        if fits and PurePosixPath(path.lower()).match(pattern.lower()):
            found[path] = "".join(fits.groups()).strip("_.- ")
    if not found:
        raise UsageError(
            f"Received --masks {pattern}, which fits none of the {len(listed)} files that may be "
            "masks (NIfTI, DICOM segmentations). Expected a name with * for what masks share with "
            "their volumes, such as '*_seg.nii.gz' or 'labels/*.nii.gz'."
        )
    return found


def _usual_key(path: str) -> str | None:
    place, stem = PurePosixPath(path), stem_of(path)
    if stem.lower() in ("mask", "seg", "segmentation"):
        return ""
    of = image_of_mask(stem)
    if of is not None:
        return of
    return stem if any(is_mask_folder(name) for name in place.parts[:-1]) else None


def mask_of(path: str, keys: Mapping[str, str], *, named: Collection[str] = ()) -> list[str]:
    """Return the masks that a volume may have: one, none, or several that fit equally.

    A mask fits where the volume's name is its key, or begins with it; one without a key fits all
    volumes beside or below it. Masks in other folders fit where the folders are the same but for
    one that is called as folders of masks are.

    Parameters
    ----------
    path : str
        Of the volume.
    keys : mapping of str to str
        Of `keys_of_masks`.
    named : collection of str
        Folders that the person's pattern names.

    Examples
    --------
    >>> mask_of("P1/P1_t1.nii", {"P1/P1_seg.nii": "P1", "P2/P2_seg.nii": "P2"})
    ['P1/P1_seg.nii']
    >>> mask_of("imagesTr/a_0000.nii.gz", {"labelsTr/a.nii.gz": "a"})
    ['labelsTr/a.nii.gz']
    """
    scores = {
        mask: score
        for mask, key in keys.items()
        if (score := _fit(path, mask, key, named)) is not None
    }
    best = max(scores.values(), default=None)
    return [mask for mask, score in scores.items() if score == best]


def _fit(path: str, mask: str, key: str, named: Collection[str]) -> tuple[int, bool, int] | None:
    above, beside = PurePosixPath(path).parts[:-1], PurePosixPath(mask).parts[:-1]
    if not key:
        return (0, True, len(beside)) if above[: len(beside)] == beside else None
    stem = stem_of(path)
    if not stem.startswith(key) or (stem != key and stem[len(key)].isalnum()):
        return None
    same = above == beside
    if not same and not _same_but_masks(above, beside, named):
        return None
    return len(key), same, len(beside)


def _same_but_masks(
    above: tuple[str, ...], beside: tuple[str, ...], named: Collection[str]
) -> bool:
    """Return whether folders differ by nothing but one of masks, in place of one of scans."""

    def plain(parts: tuple[str, ...], of_masks: bool) -> tuple[str, ...]:
        return tuple(
            part
            for part in parts
            if part.lower() not in _OF_SCANS
            and not (of_masks and (part in named or _MASK_WORD.fullmatch(part.lower())))
        )

    return plain(above, False) == plain(beside, True)
