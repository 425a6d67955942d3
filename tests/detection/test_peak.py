"""The ring lies where the drawn evidence is greatest, and names a cell that can be looked up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tumorscope.detection.evidence import evidence_field
from tumorscope.detection.peak import mark, peak_of
from tumorscope.imaging import SHORTCUT_FREE, Preprocessing, Slice

HEADS = pytest.mark.parametrize("temperature", [None, 3.0], ids=["pooled", "dense"])


def head(height: int = 200, width: int = 260) -> Slice:
    rows, columns = np.mgrid[:height, :width]
    inside = np.hypot(rows - 110, columns - 160) < 70
    return Slice(np.where(inside, 150, 2).astype(np.uint8), "head.png")


@HEADS
@pytest.mark.parametrize("how", [SHORTCUT_FREE, Preprocessing(size=70), Preprocessing(fit="pad")])
@given(seed=st.integers(0, 999))
def test_it_lies_where_the_slice_is_drawn_reddest(
    how: Preprocessing, temperature: float | None, seed: int
) -> None:
    scan = head()
    evidence = np.random.default_rng(seed).normal(0, 1, (7, 7)).astype(np.float32)
    if temperature is not None:
        evidence = np.exp(3 * evidence)
    peak = peak_of(evidence, scan, how, temperature=temperature)
    field = evidence_field(evidence, scan, how, shape=(200, 260), temperature=temperature)
    assert peak is not None
    assert peak.value == pytest.approx(field.max(), rel=0.05)
    y, x = int(peak.y * 200), int(peak.x * 260)
    assert field[y, x] == pytest.approx(field.max(), rel=0.1)


@pytest.mark.parametrize("how", [SHORTCUT_FREE, Preprocessing(size=70), Preprocessing(fit="pad")])
@pytest.mark.parametrize("cell", [(2, 2), (3, 5), (4, 1)])
def test_the_cell_in_which_it_lies_can_be_looked_up(
    how: Preprocessing, cell: tuple[int, int]
) -> None:
    evidence = np.full((7, 7), -0.1, np.float32)
    evidence[cell] = 0.8
    peak = peak_of(evidence, head(), how)
    assert peak is not None
    assert peak.cell == cell
    assert peak.held == pytest.approx(0.8)


def test_the_padding_is_no_part_of_the_slice() -> None:
    scan = Slice(np.full((40, 160), 90, np.uint8), "wide")
    evidence = np.zeros((7, 7), np.float32)
    evidence[0, 0] = 1.0  # above the slice, which lies in the middle rows
    assert peak_of(evidence, scan, Preprocessing(fit="pad")) is None
    evidence[2, 3] = 0.5
    peak = peak_of(evidence, scan, Preprocessing(fit="pad"))
    assert peak is not None
    assert peak.cell == (2, 3)
    assert peak.y < 0.1


def test_where_nothing_speaks_for_a_tumour_nothing_is_marked() -> None:
    assert peak_of(np.full((7, 7), -0.2, np.float32), head(), SHORTCUT_FREE) is None


def test_the_ring_shows_on_white_and_on_black() -> None:
    for grey in (0, 255):
        picture = Image.new("RGB", (60, 60), (grey, grey, grey))
        evidence = np.zeros((3, 3), np.float32)
        evidence[1, 1] = 1.0
        peak = peak_of(evidence, Slice(np.full((60, 60), grey, np.uint8), "even"), Preprocessing())
        assert peak is not None
        mark(picture, peak, radius=12)
        assert (np.asarray(picture) != grey).any()
        assert np.asarray(picture)[30, 30, 0] == grey  # the place itself stays visible
