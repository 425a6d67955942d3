"""Findings: in words for people, in plain values for machines."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from tumorscope.detection.finding import REASONS, Finding

TUMOUR = Finding(
    source="a.jpg",
    decision="tumour",
    probability=0.91,
    prediction_set=("tumour",),
    reasons=(),
    seen=False,
    model="tiny@000000000000",
    operating_point="balanced",
    threshold=0.5,
    distance=1.5,
    logit=2.0,
    bias=-1.0,
    evidence=np.full((2, 2), 0.75, np.float32),
    ms=3.14159,
)


def test_plain_values_survive_json() -> None:
    document = json.loads(json.dumps(TUMOUR.to_dict(), allow_nan=False))
    assert document["evidence"] == [[0.75, 0.75], [0.75, 0.75]]
    assert document["prediction_set"] == ["tumour"]
    assert document["ms"] == 3.142
    # What is wrong with an unreadable file is among the reasons; `final` is for logs of batches.
    fields = {field.name for field in dataclasses.fields(Finding)} - {"unreadable", "final"}
    assert set(document) == fields | {"words"}
    assert set(TUMOUR.to_dict(evidence=False)) == fields - {"evidence"} | {"words"}


def test_what_was_not_computed_is_null() -> None:
    refused = dataclasses.replace(
        TUMOUR, decision="refused", probability=None, evidence=None, logit=None, bias=None
    )
    document = json.loads(json.dumps(refused.to_dict()))
    assert document["probability"] is document["evidence"] is document["logit"] is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {},
            (
                "finds signs of a tumour",
                "probability is 0.910",
                "“balanced” says “tumour” at 0.500 and above",
            ),
        ),
        (
            {"decision": "no tumour", "probability": 0.1},
            ("no signs of a tumour", "0.100", "below 0.500", "not a clean bill of health"),
        ),
        (
            {"decision": "abstain", "reasons": ("uncertain",), "probability": 0.5},
            ("cannot tell", "0.500", "no answer between", "Both answers are plausible"),
        ),
        (
            {"decision": "abstain", "reasons": ("unlike-training",)},
            ("cannot tell", "Neither answer is plausible"),
        ),
        (
            {"decision": "refused", "reasons": ("not-brain-mri", "blank"), "probability": None},
            ("should not be asked", "does not look like a slice of a brain MRI", "blank"),
        ),
        ({"reasons": ("seen",), "seen": True}, ("finds signs", "trained on this image")),
        (
            {"decision": "unreadable", "unreadable": "it is empty"},
            ("cannot be read: it is empty",),
        ),
        ({"decision": "unreadable", "reasons": ()}, ("The file cannot be read.",)),
    ],
)
def test_the_words_say_what_was_decided_and_why(
    changes: dict[str, Any], said: tuple[str, ...]
) -> None:
    words = dataclasses.replace(TUMOUR, **changes).words
    for part in said:
        assert part in words
    assert words.endswith(".") or "empty" in words


@pytest.mark.parametrize("code", REASONS)
def test_every_reason_has_words(code: str) -> None:
    plain = dataclasses.replace(TUMOUR, decision="refused", reasons=())
    given = dataclasses.replace(TUMOUR, decision="refused", reasons=(code,))
    assert len(given.words) > len(plain.words) + 20
