"""The ring lies on the cell that speaks most for a tumour, wherever the network saw it."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tumorscope.detection.evidence import evidence_field
from tumorscope.detection.peak import mark, peak_of
from tumorscope.imaging import SHORTCUT_FREE, Preprocessing, Slice


def head(height: int = 200, width: int = 260) -> Slice:
    rows, columns = np.mgrid[:height, :width]
    inside = np.hypot(rows - 110, columns - 160) < 70
    return Slice(np.where(inside, 150, 2).astype(np.uint8), "head.png")


@pytest.mark.parametrize("how", [SHORTCUT_FREE, Preprocessing(size=70), Preprocessing(fit="pad")])
@pytest.mark.parametrize("cell", [(2, 2), (3, 5), (4, 1)])
def test_it_lies_where_the_map_is_reddest(how: Preprocessing, cell: tuple[int, int]) -> None:
    scan, evidence = head(), np.full((7, 7), -0.1, np.float32)
    evidence[cell] = 0.8
    peak = peak_of(evidence, scan, how)
    assert peak is not None
    assert peak.value == pytest.approx(0.8)
    field = evidence_field(evidence, scan, how, shape=(200, 260))
    y, x = np.unravel_index(field.argmax(), field.shape)
    assert abs(peak.y * 200 - y) <= 1.5
    assert abs(peak.x * 260 - x) <= 1.5


def test_a_cell_in_the_padding_is_marked_at_the_rim() -> None:
    scan = Slice(np.full((40, 160), 90, np.uint8), "wide")
    evidence = np.zeros((7, 7), np.float32)
    evidence[0, 0] = 1.0  # above the slice, which lies in the middle rows
    peak = peak_of(evidence, scan, Preprocessing(fit="pad"))
    assert peak is not None
    assert peak.y == 0.0


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
