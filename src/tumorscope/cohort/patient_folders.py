"""Folders below class folders: which of them are patients, whose images must stay together.

With images of one patient in training and in testing every result looks too good; but a folder
called ``axial`` or ``batch1`` is not a patient, and taking it for one would put half a cohort into
one group. So folders are taken for patients where their names look like identifiers, or where the
same uncommon name lies below both classes; the others are named, so that a person can say more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_PERSON = re.compile(
    r"(?:.*[^a-z])?(?:patients?|pat|pt|subjects?|subj?|cases?|person|participant|"
    r"tcga|brats|ucsf|upenn|utsw|oasis|adni|ixi|mrn|p|s|id)[ _.-]*(?:no|nr|id)?[ _.-]*\d.*",
    re.IGNORECASE,
)
"""A word for a person, or the name of a set of them, and then a number: sub-01, P07, TCGA-02."""

_NAMED_PERSON = re.compile(r"(?:patient|subject|person|participant)[ _.-]+\w.*", re.IGNORECASE)

_COMMON = frozenset(
    """
    unknown unclear classified unclassified suspicious typical atypical easy hard reviewed checked
    subset section level stage phase step type class category source vendor country rgb gray grey
    color colour batch part fold set split chunk volume vol run round group version v copy new old
    folder dir
    directory data dataset images image imgs img pictures pics photos photo slices slice scans mri
    mr ct pet frames frame jpg jpeg jpe jfif png tif tiff bmp gif webp dicom axial ax coronal cor
    sagittal sag transverse tra plane view flair dwi adc swi pd gre tse contrast c ce gd post pre
    native enhanced train training test testing val valid validation tuning holdout internal
    external raw orig original originals processed preprocessed cropped resized augmented aug
    normalized normalised stripped unpacked extracted export exported archive backup misc other
    others rest extra more kaggle figshare radiopaedia web internet public private local site
    hospital clinic center centre institute scanner siemens philips ge year week day month
    male female men women adult adults child children age grade low high good bad final clean
    dirty size px x t tesla brain brains head heads skull left right and of the with without no
    """.split()  # noqa: SIM905 (as a list it would be a page)
)
"""Words of folders that say what images are, not whose."""

_NUMBERS_ALONE = 3
"""How many different names made of digits there must be, for them to be patients."""

_NUMBER = re.compile(r"\d[\d._-]*")
_SET_AND_YEAR = re.compile(r"(?!pat|sub|case|person|part)[a-z]{3,}[ _.-]*(?:19|20)\d\d", re.I)
_YEAR = re.compile(r"(?:19|20)\d\d(?:\D.*|\d{4})?")


def patient_of(
    folders: Mapping[str, Sequence[str]], labels: Mapping[str, int]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return whose image each is, where its folders say.

    Parameters
    ----------
    folders : mapping of str to sequence of str
        Path → names of the folders that it lies in, without that of its class, the outer first.
    labels : mapping of str to int
        Path → label.

    Returns
    -------
    dict
        Path → name of the patient, for images in a folder that is taken for a patient's.
    tuple of str
        Names of folders that are not, of images without a patient; uncommon names first.
    """
    sides: dict[str, set[int]] = {}
    for path, names in folders.items():
        for name in names:
            sides.setdefault(name.casefold(), set()).add(labels[path])
    people = _people(sides)
    found: dict[str, str] = {}
    spelling: dict[str, str] = {}
    others: set[str] = set()
    for path, names in folders.items():
        # The outermost: a patient's folder may hold one for each sequence or date.
        patient = next((name for name in names if name.casefold() in people), None)
        if patient is None:
            others |= set(names)
        else:
            # Sites may number their patients alike, and joining two is the safe side.
            found[path] = spelling.setdefault(patient.casefold(), patient)
    return found, tuple(sorted(others, key=lambda name: (_is_common(name), name)))


def _people(sides: Mapping[str, set[int]]) -> frozenset[str]:
    """Return the names (case-folded) that are taken for patients'."""
    certain = {name for name in sides if _is_identifier(name)}
    numbers = {name for name in sides if _NUMBER.fullmatch(name)}
    # Names of people, which hold no digit.
    uncommon = {name for name, labels in sides.items() if len(labels) > 1 and _may_be_name(name)}
    dates = all(_YEAR.fullmatch(name) for name in numbers)
    return frozenset(
        certain
        | (numbers if len(numbers) >= _NUMBERS_ALONE and not dates else set())
        | (uncommon - numbers if len(uncommon - numbers) > 1 else set())
    )


def _is_identifier(name: str) -> bool:
    if _NUMBER.fullmatch(name) or _SET_AND_YEAR.fullmatch(name) or _is_common(name):
        return False
    if _PERSON.fullmatch(name) or _NAMED_PERSON.fullmatch(name):
        return True
    # W39, HGG_012, a1b2c3d4: digits that no common word explains.
    return any(letter.isdigit() for letter in name) and not _has_common_word(name)


def _may_be_name(name: str) -> bool:
    return len(_words(name)) <= 2 and not _is_common(name) and not _has_common_word(name)


def _has_common_word(name: str) -> bool:
    return any(len(word) > 2 and word in _COMMON for word in _words(name))


def _is_common(name: str) -> bool:
    """Return whether every word of a name is a common one; digits aside."""
    words = _words(name)
    return bool(words) and all(word in _COMMON for word in words)


def _words(name: str) -> list[str]:
    """Return the words of a name without digits; T1 and T2, which are sequences, go as well."""
    plain = re.sub(r"(?<![a-z])t[12](?:w|c|ce|gd|fl)?(?![a-z])", " mri ", name.casefold())
    return re.findall(r"[^\W\d_]+", plain)
