"""The codes of structured reports: of SNOMED CT, DICOM and UCUM where they exist, else our own."""

from __future__ import annotations

from collections.abc import Mapping

from highdicom.sr import CodedConcept, NumContentItem

OWN = "99TUMORSCOPE"
"""Designator of our own codes; 16 characters at most, which highdicom does not check."""


def own(value: str, meaning: str) -> CodedConcept:
    """Return a code of our own; meanings have 64 characters at most."""
    return CodedConcept(value, OWN, meaning)


NEOPLASM = CodedConcept("108369006", "SCT", "Neoplasm")
BRAIN = CodedConcept("12738006", "SCT", "Brain")
MR = CodedConcept("113091000", "SCT", "Magnetic resonance imaging")
SOURCE = CodedConcept("260753009", "SCT", "Source")

DECIDED: Mapping[str, tuple[CodedConcept, CodedConcept]] = {
    "tumour": (
        CodedConcept("10828004", "SCT", "Positive"),
        own("tumour", "Signs of a tumour"),
    ),
    "no tumour": (
        CodedConcept("260385009", "SCT", "Negative"),
        own("no-tumour", "No signs of a tumour"),
    ),
    "abstain": (
        CodedConcept("82334004", "SCT", "Indeterminate"),
        own("abstain", "No answer: the model cannot tell"),
    ),
    "refused": (
        CodedConcept("373121007", "SCT", "Not Evaluated"),
        own("refused", "No answer: the model should not be asked"),
    ),
}
"""Decision → what SNOMED CT says, and what the model said exactly."""

DECISION = own("decision", "Decision of the model")
REASON = own("reason", "Reason of the decision")

REASONS: Mapping[str, str] = {
    "not-brain-mri": "Does not look like brain MRI",
    "few-slices": "Too few slices to confirm each other",
    "no-positions": "Headers do not say where slices lie",
    "missing-slices": "Slices are missing or cannot be read",
    "refused-slices": "Slices within the head were refused",
    "no-series-rule": "The model file holds no rule for series",
    "plane-not-measured": "The rule for series was not measured on this plane",
    "uncertain": "Both answers are plausible",
    "seen": "The model was trained on these images or copies of them",
    "blank": "Grey values hardly differ",
    "too-small": "Too small to show anatomy",
    "damaged": "The picture is damaged",
    "unlike-training": "Unlike what the model was trained on",
}

SCORE = own("series-score", "Score of the series in log-odds, no probability")
NO_TUMOUR_BELOW = own("no-tumour-below", "Score below which series are called no tumour")
TUMOUR_FROM = own("tumour-from", "Score from which series are called tumour")
LOOKED_AT = own("looked-at", "Slices that were looked at")
RECEIVED = own("received", "Images of the volume that were received")

PROBABILITY = own("probability", "Calibrated probability of a tumour in this slice")
THRESHOLD = own("threshold", "Threshold of the operating point")
ZONE = (
    own("zone-low", "Probability below which slices are called no tumour"),
    own("zone-high", "Probability from which slices are called tumour"),
)
POSITION = own("position", "Position of the slice along the normal")

INTENDED_USE = own("intended-use", "Intended use")
COMMENT = CodedConcept("121106", "DCM", "Comment")
EVALUATIONS = CodedConcept("C0034375", "UMLS", "Qualitative Evaluations")
INTELLIGENCE = CodedConcept("123110", "DCM", "Artificial Intelligence")

NO_UNITS = CodedConcept("1", "UCUM", "no units")
MILLIMETRE = CodedConcept("mm", "UCUM", "mm")
PIXELS = CodedConcept("{pixels}", "UCUM", "Pixels")
IMAGES = CodedConcept("{images}", "UCUM", "images")
COSINE = CodedConcept("{-1:1}", "UCUM", "{-1:1}")


def plainly(item: NumContentItem, value: float) -> NumContentItem:
    """Return a number whose text has no ".0" where it counts something, as viewers show that."""
    if isinstance(value, int):
        item.MeasuredValueSequence[0].NumericValue = str(value)
    return item


def reason_of(code: str) -> CodedConcept:
    """Return the code of a reason."""
    return own(code, REASONS.get(code, code)[:64])
