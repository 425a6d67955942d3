"""Whose series it is, as a name that tells nobody who that is."""

from __future__ import annotations

import hashlib
from functools import cache

from tumorscope.scans.dicom_file import need, open_header
from tumorscope.scans.not_read import NotReadError
from tumorscope.scans.series import Series
from tumorscope.scans.values import text

_TAGS = ("PatientID", "IssuerOfPatientID", "PatientName", "PatientBirthDate")

_SALT = b"tumorscope patient"

_COST = {"n": 2**14, "r": 8, "p": 1}
"""Of scrypt, some 40 ms a patient: identifiers are short, and a fast hash of all is soon made."""


def patient_code(series: Series) -> str:
    """Return a code that all series of a patient share; empty where the header names nobody.

    It is a slow hash of the patient's identifier and who issued it, else of name and date of birth.
    Who knows the identifier can make the code, and so can who tries all of them at some length.

    Parameters
    ----------
    series : Series
        Of `index_study`; NIfTI names nobody.
    """
    if series.kind != "dicom":
        return ""
    need("read DICOM and NIfTI")
    try:
        dataset = open_header(series.path, _TAGS).dataset
    except NotReadError:
        return ""
    identifier, issuer, name, born = (text(dataset, tag).casefold() for tag in _TAGS)
    if identifier:
        return _hashed(f"id\n{issuer}\n{identifier}")
    return _hashed(f"name\n{name}\n{born}") if name else ""


@cache
def _hashed(said: str) -> str:
    digest = hashlib.scrypt(said.encode("utf-8", "replace"), salt=_SALT, dklen=6, **_COST)
    return f"p{digest.hex()}"
