"""Values of a source's header as results take them: checked, decoded, empty where they lack."""

from __future__ import annotations

import re
from copy import deepcopy
from typing import TYPE_CHECKING

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


def add_patient_and_study(made: Dataset, header: Dataset) -> None:
    """Copy what is known of patient and study; nothing is made up."""
    # Texts are decoded by the character set of the source, and written anew in UTF-8.
    made.SpecificCharacterSet = "ISO_IR 192"
    for name in EMPTY_WHERE_MISSING:
        setattr(made, name, _checked(name, header))
    for name in COPIED:
        if value := value_of(header, name):
            setattr(made, name, value)


def _checked(name: str, header: Dataset) -> object:
    value = value_of(header, name)
    said = str(value).strip()
    if name.endswith("Date") and not re.fullmatch(r"\d{8}", said):
        return ""
    if name.endswith("Time") and not re.fullmatch(r"\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?", said):
        return ""
    if name == "PatientSex" and said not in SEXES:
        return ""
    return value


def value_of(header: Dataset, name: str) -> object:
    """Return a copy of a value, texts without what made them: raw bytes in some character set."""
    try:
        element = header[name]
    except Exception:  # it is missing, or no value of its kind
        return ""
    if element.VR == "SQ":
        return deepcopy(element.value)
    if element.VR == "PN":
        return str(element.value or "")
    return "" if element.value is None else deepcopy(element.value)


def moment_of(header: Dataset) -> tuple[str, str]:
    """Return date and time of when the images were made, as far as the header says."""
    for name in MOMENTS:
        day, time = str(_checked(f"{name}Date", header)), str(_checked(f"{name}Time", header))
        if day:
            return day, time or UNKNOWN_MOMENT[1]
    return UNKNOWN_MOMENT
