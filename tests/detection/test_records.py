"""A finding that was written down is the same finding again."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from tumorscope.detection.detector import Detector
from tumorscope.detection.records import finding_of, record_of, with_evidence, without_evidence
from tumorscope.detection.tables import FINDING_COLUMNS
from tumorscope.imaging import Slice


@pytest.mark.parametrize("grey", [9, 60, 100, 160])
def test_it_comes_back_to_the_bit(tiny_model: Path, grey: int) -> None:
    detector = Detector.load(tiny_model)
    noise = np.random.default_rng(grey).normal(grey, 0 if grey == 9 else 12, (64, 64))
    finding = detector.detect(Slice(np.clip(noise, 0, 255).astype(np.uint8), "drawn"))
    record = record_of(finding, path="drawn", sha256="00")
    assert list(record) == list(FINDING_COLUMNS)
    kept = json.loads(json.dumps(with_evidence(record, finding)))
    assert without_evidence(kept) == record
    again = finding_of(kept, zone=detector.zone)
    for field in dataclasses.fields(finding):
        one, other = getattr(finding, field.name), getattr(again, field.name)
        if field.name == "evidence" and one is not None:
            np.testing.assert_array_equal(one, other)
        elif field.name == "ms":
            assert other == round(one, 3)
        else:
            assert one == other, field.name
    assert again.words == finding.words
