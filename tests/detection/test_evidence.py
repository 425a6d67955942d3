"""Surfaces over slices: they lie where the network looked, add up, and invent nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from tumorscope.detection.evidence import evidence_field, temperature_of
from tumorscope.imaging import SHORTCUT_FREE, Preprocessing, Slice
from tumorscope.imaging.preprocess import placement
from tumorscope.model_file.onnx_file import read_model

STRETCH = Preprocessing(size=64)
BLACK = Slice(np.zeros((64, 64), np.uint8), "black")
HEADS = pytest.mark.parametrize("temperature", [None, 3.0], ids=["pooled", "dense"])

MAPS = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 12), st.integers(1, 12)),
    elements=st.floats(-4, 4, width=32),
)
LOGITS = arrays.arrays(np.float64, (6, 5), elements=st.floats(-4, 4))


def head(height: int = 200, width: int = 260) -> Slice:
    """A textured disc off the centre of a dark image."""
    rows, columns = np.mgrid[:height, :width]
    inside = np.hypot(rows - 110, columns - 160) < 70
    texture = 120 + 40 * np.sin(rows / 6) * np.cos(columns / 5)
    return Slice(np.where(inside, texture, 2).astype(np.uint8), "head.png")


def shares(logits: NDArray[np.float64], temperature: float = 3.0) -> NDArray[np.float32]:
    """What a dense head makes of local logits, where it says yes with 4 logits."""
    powers = np.exp(temperature * (logits - logits.max()))
    return (4 * powers / powers.sum()).astype(np.float32)


@HEADS
@pytest.mark.parametrize("crop", ["none", "head"])
@pytest.mark.parametrize("fit", ["stretch", "pad"])
def test_each_cell_lies_where_the_network_saw_it(
    crop: str, fit: str, temperature: float | None
) -> None:
    scan = head()
    how = Preprocessing(size=70, crop=crop, fit=fit)
    place = placement(scan, how)
    top, bottom, left, right = place.box
    for row, column in ((2, 2), (3, 4), (4, 3)):
        evidence = np.zeros((7, 7), np.float32)
        evidence[row, column] = 1.0
        shape = scan.pixels.shape
        field = evidence_field(evidence, scan, how, shape=shape, temperature=temperature)
        y, x = np.unravel_index(field.argmax(), field.shape)
        # Centre of the cell, from the input back to the slice.
        wanted_y = top + ((row + 0.5) * 10 - place.top) * (bottom - top) / place.height
        wanted_x = left + ((column + 0.5) * 10 - place.left) * (right - left) / place.width
        assert abs(y + 0.5 - wanted_y) <= 1
        assert abs(x + 0.5 - wanted_x) <= 1


def test_what_the_network_never_saw_stays_bare() -> None:
    scan = head()
    top, bottom, left, right = placement(scan, SHORTCUT_FREE).box
    field = evidence_field(np.ones((7, 7), np.float32), scan, SHORTCUT_FREE, shape=(200, 260))
    assert field[top:bottom, left:right].min() == pytest.approx(1.0, abs=1e-5)
    field[top:bottom, left:right] = 0
    assert not field.any()


@HEADS
@given(
    value=st.floats(-3, 3),
    cells=st.tuples(st.integers(1, 14), st.integers(1, 14)),
    shape=st.tuples(st.integers(1, 90), st.integers(1, 90)),
)
def test_an_even_map_stays_even(
    temperature: float | None, value: float, cells: tuple[int, int], shape: tuple[int, int]
) -> None:
    scan = Slice(np.full(shape, 50, np.uint8), "even")
    even = np.full(cells, value, np.float32)
    field = evidence_field(even, scan, STRETCH, shape=(77, 31), temperature=temperature)
    np.testing.assert_allclose(field, value, rtol=1e-4, atol=1e-4)


@given(evidence=MAPS)
def test_a_spline_leaves_no_value_of_the_cells_and_keeps_their_sum(
    evidence: NDArray[np.float32],
) -> None:
    """A cubic that overshoots would draw a blue ring around a red place."""
    height, width = evidence.shape
    shape = (24 * height, 24 * width)
    field = evidence_field(evidence, BLACK, STRETCH, shape=shape)
    assert field.min() >= evidence.min() - 1e-4
    assert field.max() <= evidence.max() + 1e-4
    assert field.sum(dtype=float) / 24**2 == pytest.approx(evidence.sum(dtype=float), abs=0.02)


@given(logits=LOGITS)
def test_shares_of_a_dense_head_keep_their_sum_and_exaggerate_no_contrast(
    logits: NDArray[np.float64],
) -> None:
    evidence = shares(logits)
    field = evidence_field(evidence, BLACK, STRETCH, shape=(6 * 32, 5 * 32), temperature=3.0)
    assert field.sum(dtype=float) / 32**2 == pytest.approx(4.0, rel=0.02)
    faintest = max(float(evidence.min()), 4e-6)
    assert field.max() / field.min() <= float(evidence.max()) / faintest * (1 + 1e-3)


@given(logits=LOGITS)
def test_shares_are_enlarged_by_the_formula_of_the_head(logits: NDArray[np.float64]) -> None:
    """Enlarging the local logits first, and sharing out after, is the same, up to a constant."""
    moderate = np.clip(logits, -1.5, 1.5)  # so that no share is one of the faintest
    evidence, local = shares(moderate), moderate.astype(np.float32)
    field = evidence_field(evidence, BLACK, STRETCH, shape=(60, 50), temperature=3.0)
    finer = np.exp(3.0 * evidence_field(local, BLACK, STRETCH, shape=(60, 50)).astype(float))
    np.testing.assert_allclose(field / field.sum(), finer / finer.sum(), rtol=2e-3)


@HEADS
@given(logits=LOGITS)
def test_a_mirrored_map_makes_a_mirrored_surface(
    temperature: float | None, logits: NDArray[np.float64]
) -> None:
    evidence = shares(logits)
    plain, mirrored = (
        evidence_field(each, BLACK, STRETCH, shape=(60, 50), temperature=temperature)
        for each in (evidence, np.ascontiguousarray(evidence[:, ::-1]))
    )
    np.testing.assert_allclose(plain[:, ::-1], mirrored, rtol=1e-3, atol=1e-5)


@HEADS
def test_what_several_cells_share_is_strongest_between_them(temperature: float | None) -> None:
    evidence = np.full((8, 8), 1e-4, np.float32)
    evidence[3:5, 3:5] = 1.0
    field = evidence_field(evidence, BLACK, STRETCH, shape=(64, 64), temperature=temperature)
    y, x = np.unravel_index(field.argmax(), field.shape)
    assert {int(y), int(x)} <= {31, 32}


def test_a_dense_head_that_says_no_points_nowhere() -> None:
    evidence = np.full((10, 10), -0.02, np.float32)
    field = evidence_field(evidence, BLACK, STRETCH, shape=(64, 64), temperature=3.0)
    np.testing.assert_allclose(field, -0.02, rtol=1e-5)


def test_shares_too_small_for_16_bits_are_drawn_as_those_that_fit() -> None:
    evidence = np.full((10, 10), 1e-20, np.float32)
    evidence[4, 6] = 3.0
    rounded = evidence.astype(np.float16).astype(np.float32)
    assert rounded.min() == 0
    fields = [
        evidence_field(each, BLACK, STRETCH, shape=(64, 64), temperature=3.0)
        for each in (evidence, rounded)
    ]
    np.testing.assert_array_equal(*fields)


def test_the_map_is_enlarged_smoothly() -> None:
    evidence = np.random.default_rng(0).normal(0, 1, (7, 7)).astype(np.float32)
    scan = Slice(np.zeros((490, 490), np.uint8), "black")
    field = evidence_field(evidence, scan, STRETCH, shape=(490, 490))
    assert np.abs(np.diff(field, axis=0)).max() < 0.1
    assert np.abs(np.diff(field, axis=1)).max() < 0.1


def test_the_temperature_is_that_of_a_dense_head(tiny_model: Path) -> None:
    metadata = read_model(tiny_model).metadata
    assert temperature_of(metadata) is None
    for network, expected in (
        ({"head": "dense", "temperature": 3}, 3.0),
        ({"head": "dense"}, 1.0),
        ({"head": "pooled", "temperature": 3.0}, None),
    ):
        changed = metadata.model_copy(update={"recipe": {"network": network}})
        assert temperature_of(changed) == expected
    assert temperature_of(metadata.model_copy(update={"recipe": {}})) is None
