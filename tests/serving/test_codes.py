"""Codes of reports: short enough for their elements, and one for every reason."""

from __future__ import annotations

import pytest

from tumorscope.detection.finding import REASONS
from tumorscope.detection.series_finding import SERIES_REASONS

highdicom = pytest.importorskip("highdicom", reason="needs the dicom extra")

from tumorscope.serving import codes  # noqa: E402


def test_codes_fit_their_elements() -> None:
    concepts = [
        each for each in vars(codes).values() if isinstance(each, highdicom.sr.CodedConcept)
    ]
    concepts += [each for pair in (*codes.DECIDED.values(), codes.ZONE) for each in pair]
    concepts += [codes.reason_of(code) for code in codes.REASONS]
    for each in concepts:
        assert len(each.meaning) <= 64
        assert len(each.scheme_designator) <= 16  # highdicom takes longer ones
    for reason in (*SERIES_REASONS, *REASONS):
        assert codes.REASONS[reason]
