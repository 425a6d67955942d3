"""Rules: what is refused, which labels stay, what is decided."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tumorscope.common.errors import UsageError
from tumorscope.detection.rules import (
    abstention_reasons,
    decide,
    input_reasons,
    operating_point,
    prediction_set,
)
from tumorscope.imaging import Slice
from tumorscope.model_file.container import read_model
from tumorscope.model_file.schema import Conformal, InputCheck

SHARES = st.floats(0.0, 1.0)


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


@given(probability=SHARES, no_tumour=SHARES, tumour=SHARES)
def test_a_label_stays_where_it_is_plausible(
    probability: float, no_tumour: float, tumour: float
) -> None:
    labels = prediction_set(probability, Conformal(no_tumour=no_tumour, tumour=tumour))
    assert ("no tumour" in labels) == (probability <= no_tumour)
    assert ("tumour" in labels) == (1.0 - probability <= tumour)
    assert labels in ((), ("no tumour",), ("tumour",), ("no tumour", "tumour"))


@given(probability=SHARES, threshold=SHARES)
def test_one_label_is_answered_and_all_else_abstained(probability: float, threshold: float) -> None:
    answered = decide(probability, threshold, ("tumour",))
    assert answered == ("tumour" if probability >= threshold else "no tumour")
    for labels, reasons in (((), ("unlike-training",)), (("no tumour", "tumour"), ("uncertain",))):
        assert decide(probability, threshold, labels) == "abstain"
        assert abstention_reasons(labels) == reasons
    assert abstention_reasons(("tumour",)) == ()


def test_wider_sets_never_lose_a_label() -> None:
    for probability in np.linspace(0, 1, 41):
        narrow = prediction_set(float(probability), Conformal(no_tumour=0.3, tumour=0.3))
        wide = prediction_set(float(probability), Conformal(no_tumour=0.7, tumour=0.7))
        assert set(narrow) <= set(wide)


def test_an_unknown_operating_point_names_the_known(tiny_model: Path) -> None:
    metadata = read_model(tiny_model).metadata
    assert operating_point(metadata, "screening").threshold == 0.2
    with pytest.raises(UsageError, match="balanced, screening, specific"):
        operating_point(metadata, "fastest")
