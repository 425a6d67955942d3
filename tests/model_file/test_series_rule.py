"""The rule for series: neighbours confirm each other, and the number of slices does not matter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tumorscope.model_file.series_rule import SeriesLevel, SeriesRule

RULE = SeriesRule(levels={"axial": SeriesLevel(no_tumour=-0.5, tumour=0.5)})


def top(
    positions: np.ndarray, probabilities: np.ndarray, depths: np.ndarray | None = None
) -> float:
    return float(RULE.curve(positions, probabilities, depths).max())


def stack(
    step: float, *, centre: float = 80.0, length: float = 30.0
) -> tuple[np.ndarray, np.ndarray]:
    """160 mm of slices of which those within `length` around a place are sure of a tumour."""
    positions = np.arange(0.0, 160.1, step)
    inside = np.abs(positions - centre) <= length / 2.0
    return positions, np.where(inside, 0.99, 0.01)


@pytest.mark.parametrize("step", [1.0, 2.0, 3.0, 5.0])
def test_the_same_run_has_the_same_score_however_thin_the_slices(step: float) -> None:
    assert top(*stack(step)) == pytest.approx(top(*stack(0.5)), abs=0.35)


def test_a_lone_slice_is_no_tumour_and_a_run_is() -> None:
    level = RULE.levels["axial"]
    assert level.decide(top(*stack(5.0, length=4.0))) == "no tumour"
    assert level.decide(top(*stack(1.0, length=4.0))) == "no tumour"
    assert level.decide(top(*stack(5.0, length=24.0))) == "tumour"
    assert level.decide(0.0) == "abstain"


def test_ends_gaps_and_refused_slices_count_as_far_below() -> None:
    positions, sure = stack(5.0)
    refused = sure.copy()
    refused[14:19:2] = np.nan
    assert top(positions, refused) < top(positions, sure)
    three = np.array([0.0, 5.0, 10.0])
    assert top(three, np.full(3, 0.999)) < top(*stack(5.0, length=60.0))
    assert top(np.array([0.0]), np.array([0.999])) < 4.0
    far = np.array([0.0, 50.0, 100.0, 150.0])
    assert top(far, np.array([0.01, 0.99, 0.01, 0.01])) < 4.0


def test_more_is_asked_deep_below_the_vertex() -> None:
    positions, sure = stack(2.0, centre=10.0)
    depths = 160.0 - positions
    assert top(positions, sure, depths) < top(positions, sure) - 2.0
    shallow = 60.0 - positions
    assert top(positions, sure, shallow) == pytest.approx(top(positions, sure))


@given(
    st.lists(st.floats(0.001, 0.999), min_size=2, max_size=40),
    st.floats(0.5, 20.0),
    st.integers(0, 39),
)
def test_the_curve_is_bounded_and_rises_with_each_probability(
    values: list[float], step: float, index: int
) -> None:
    positions, probabilities = np.arange(len(values)) * step, np.array(values)
    before = RULE.curve(positions, probabilities)
    assert np.abs(before).max() <= RULE.limit + 1e-9
    raised = probabilities.copy()
    raised[index % len(values)] = 0.9995
    assert (RULE.curve(positions, raised) >= before - 1e-12).all()


def test_what_contradicts_itself_is_refused() -> None:
    with pytest.raises(ValidationError, match="lies above"):
        SeriesLevel(no_tumour=1.0, tumour=0.0)
    with pytest.raises(ValidationError, match="does not ascend"):
        SeriesRule(depth=(140.0, 110.0))
    with pytest.raises(ValidationError):
        SeriesRule(levels={"oblique": SeriesLevel(no_tumour=0.0, tumour=0.0)})  # type: ignore[dict-item]


def test_stacks_of_any_length_are_smoothed_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    positions, sure = stack(1.0)
    whole = RULE.curve(positions, sure)
    monkeypatch.setattr("tumorscope.model_file.series_rule.BLOCK", 7)
    assert RULE.curve(positions, sure) == pytest.approx(whole)
