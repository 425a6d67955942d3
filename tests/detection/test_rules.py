"""Rules: what is refused, and by which operating point is decided."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tumorscope.common.errors import UsageError
from tumorscope.detection.rules import Verdict, input_reasons, judge, rule_of
from tumorscope.imaging import Slice
from tumorscope.model_file.decision import DecisionRule
from tumorscope.model_file.onnx_file import read_model
from tumorscope.model_file.schema import InputCheck


def noise(height: int, width: int) -> Slice:
    values = np.random.default_rng(0).integers(0, 256, (height, width))
    return Slice(values.astype(np.uint8), "noise")


@pytest.mark.parametrize(
    ("scan", "coloured", "reasons"),
    [
        (noise(64, 64), 0.0, ()),
        (noise(64, 64), 0.10, ()),
        (noise(64, 64), 0.11, ("not-brain-mri",)),
        (noise(192, 64), 0.0, ()),
        (noise(193, 64), 0.0, ("not-brain-mri",)),
        (noise(64, 193), 0.0, ("not-brain-mri",)),
        (noise(32, 40), 0.0, ()),
        (noise(31, 40), 0.0, ("too-small",)),
        (noise(1, 1), 0.0, ("blank", "too-small")),
        (Slice(np.full((500, 400), 77, np.uint8), "flat"), 0.0, ("blank",)),
        (
            Slice(np.full((9, 40), 0, np.uint8), "flat"),
            0.5,
            ("not-brain-mri", "blank", "too-small"),
        ),
    ],
)
def test_images_that_are_no_slice_are_refused_with_every_reason(
    scan: Slice, coloured: float, reasons: tuple[str, ...]
) -> None:
    assert input_reasons(scan, InputCheck(), coloured=coloured) == reasons


def test_a_faint_image_is_blank_only_below_the_limit() -> None:
    pixels = np.full((300, 300), 100, np.uint8)
    pixels[:, ::2] += 6  # a standard deviation of 3
    scan = Slice(pixels.repeat(8, axis=1), "faint")
    assert "blank" in input_reasons(scan, InputCheck(aspect=10))
    assert input_reasons(scan, InputCheck(aspect=10, spread=2.9)) == ()


def test_a_verdict_is_an_answer_or_says_why_there_is_none() -> None:
    check = InputCheck(distance=2.0)
    wide = DecisionRule(threshold=0.5, no_tumour=0.6, tumour=0.6)
    both = ("no tumour", "tumour")
    assert judge(wide, check, 0.9, 1.0) == Verdict("tumour", ("tumour",), ())
    assert judge(wide, check, 0.5, 1.0) == Verdict("abstain", both, ("uncertain",))
    narrow = DecisionRule(threshold=0.5, no_tumour=0.2, tumour=0.2)
    assert judge(narrow, check, 0.5, 1.0) == Verdict("abstain", (), ("unlike-training",))
    # At the limit an image passes, and what was refused before is refused for that alone.
    assert judge(wide, check, 0.9, 2.0).decision == "tumour"
    assert judge(wide, check, 0.9, 2.1) == Verdict("refused", (), ("not-brain-mri",))
    assert judge(wide, check, 0.9, 2.1, ("blank",)) == Verdict("refused", (), ("blank",))
    assert judge(wide, InputCheck(), 0.9, 1e9).decision == "tumour"


def test_an_unknown_operating_point_names_the_known(tiny_model: Path) -> None:
    metadata = read_model(tiny_model).metadata
    assert rule_of(metadata, "screening").threshold == 0.2
    with pytest.raises(UsageError, match="balanced, screening, specific"):
        rule_of(metadata, "fastest")


def test_a_distance_that_is_no_number_is_beyond_every_limit() -> None:
    rule = DecisionRule(threshold=0.5, no_tumour=0.6, tumour=0.6)
    limited = InputCheck(distance=2.0)
    assert judge(rule, limited, 0.9, 2.0).decision == "tumour"
    assert judge(rule, limited, 0.9, float("nan")).reasons == ("not-brain-mri",)
    assert judge(rule, InputCheck(), 0.9, float("nan")).decision == "tumour"
