"""Values of a source's header as results take them: checked, decoded, empty where they lack."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from copy import deepcopy
from typing import TYPE_CHECKING

from tumorscope.scans.values import items, numbers

if TYPE_CHECKING:
    from pydicom import Dataset

EMPTY_WHERE_MISSING = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
    *("StudyDate", "StudyTime", "AccessionNumber", "StudyID", "ReferringPhysicianName"),
)
"""Of patient and study, what every object has, though perhaps empty (type 2)."""

COPIED = (
    *("IssuerOfPatientID", "OtherPatientIDs", "PatientAge", "PatientSize", "PatientWeight"),
    *("PatientIdentityRemoved", "DeidentificationMethod", "DeidentificationMethodCodeSequence"),
    *("LongitudinalTemporalInformationModified", "StudyDescription", "PatientSpeciesDescription"),
    *("ClinicalTrialSponsorName", "ClinicalTrialProtocolID", "ClinicalTrialProtocolName"),
    *("ClinicalTrialSiteID", "ClinicalTrialSiteName", "ClinicalTrialSubjectID"),
    *("ClinicalTrialSubjectReadingID", "ClinicalTrialTimePointID"),
)
"""Of patient and study, what is copied where it is there."""

MOMENTS = ("Acquisition", "Content", "Series", "Study")
"""Whose date and time stand for when the images were made, the first that is there."""

UNKNOWN_MOMENT = ("19000101", "000000")

SEXES = ("M", "F", "O", "")

PATTERNS: Mapping[str, str] = {
    "AS": r"\d{3}[DWMY]",
    "CS": r"[A-Z0-9_ ]{1,16}(\\[A-Z0-9_ ]{1,16})*",
    "UI": r"[0-9.]{1,64}",
}
"""Kind of value → what it looks like; others are as good as absent. Texts may be of any length, as
archives find patients by them."""


def add_patient_and_study(made: Dataset, header: Dataset) -> None:
    """Copy what is known of patient and study; nothing is made up."""
    # Texts are decoded by the character set of the source, and written anew in UTF-8.
    made.SpecificCharacterSet = "ISO_IR 192"
    for name in EMPTY_WHERE_MISSING:
        value = value_of(header, name)
        setattr(made, name, "" if name == "PatientSex" and value not in SEXES else value)
    for name in COPIED:
        if (value := value_of(header, name)) != "":
            setattr(made, name, value)


def moment_of(header: Dataset) -> tuple[str, str]:
    """Return date and time of when the images were made, as far as the header says."""
    for name in MOMENTS:
        day, time = str(value_of(header, f"{name}Date")), str(value_of(header, f"{name}Time"))
        if day:
            return day, time or UNKNOWN_MOMENT[1]
    return UNKNOWN_MOMENT


def value_of(header: Dataset, name: str) -> object:
    """Return a copy of a value that may stand in another object; empty where it is none.

    Numbers are finite, dates and times are some, and texts hold no control characters.

    Examples
    --------
    >>> from pydicom import Dataset
    >>> header = Dataset()
    >>> header.PatientID = "A1"
    >>> value_of(header, "PatientID"), value_of(header, "PatientName")
    ('A1', '')
    """
    from pydicom.datadict import dictionary_VR

    kind = dictionary_VR(name)
    if kind == "SQ":
        return deepcopy(items(header, name)) or ""
    if kind in ("DS", "IS", "US"):
        found = [f"{value:.10g}" if kind == "DS" else int(value) for value in numbers(header, name)]
        return "" if not found else found[0] if len(found) == 1 else found
    said = _text(header, name)
    if kind in ("DA", "TM"):
        return said if _is_moment(said, kind) else ""
    if kind == "PN":  # of which there is one
        return said.partition("\\")[0]
    return said if re.fullmatch(PATTERNS.get(kind, ".*"), said) else ""


def _text(header: Dataset, name: str) -> str:
    """Return what an element says, several values joined as in a file, without what controls."""
    from pydicom.multival import MultiValue

    try:
        value = header[name].value
    except Exception:  # it is missing, or no value of its kind
        return ""
    parts = value if isinstance(value, MultiValue) else ["" if value is None else value]
    said = "\\".join(map(str, parts))
    return "".join(each for each in said if unicodedata.category(each)[0] != "C").strip()


def _is_moment(said: str, kind: str) -> bool:
    from pydicom.valuerep import DA, TM

    if kind == "DA" and not re.fullmatch(r"\d{8}", said):  # 2026.03.01 was right until 1993
        return False
    try:
        return bool((DA if kind == "DA" else TM)(said))
    except ValueError:
        return False
