"""Few slices are asked about first, then all near places that may decide; the answer stays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.detection.test_series import volume
from tests.fixtures.dicom_files import write_nifti

import tumorscope as ts
from tumorscope.detection.asking import FEWEST, FIRST, REACH, asked_closely, first_asked
from tumorscope.detection.looking import looking
from tumorscope.detection.series import series_finding
from tumorscope.detection.series_finding import SeriesFinding
from tumorscope.model_file.series_rule import SeriesLevel

pytest.importorskip("nibabel", reason="needs the dicom extra")

AFFINE = np.array([[0, 0, 4, -94], [0, 4, 0, -94], [3, 0, 0, -90], [0, 0, 0, 1]], dtype=float)
LEVEL = SeriesLevel(no_tumour=-0.5, tumour=0.5)


@pytest.fixture(scope="module")
def detector(series_model: Path) -> ts.Detector:
    return ts.Detector.load(series_model, threads=2)


def both(detector: ts.Detector, path: Path) -> tuple[SeriesFinding, SeriesFinding]:
    every, few = (looking(sparing=each) for each in (False, True))
    return series_finding(detector, path, how=every), series_finding(detector, path, how=few)


@pytest.mark.parametrize("bright", [(), (30,), range(20, 27), range(58, 60), (*range(9, 15), 40)])
def test_the_answer_is_that_of_all_slices(
    detector: ts.Detector, tmp_path: Path, bright: tuple[int, ...]
) -> None:
    values = volume(tuple(bright), slices=60)
    full, sparing = both(detector, write_nifti(tmp_path / "a.nii", values, AFFINE))
    assert len(full.slices) == 60
    assert len(sparing.slices) < 45
    assert sparing.decision == full.decision
    if full.decision == "tumour":
        assert sparing.score == pytest.approx(full.score, abs=0.05)
        assert sparing.key_slices[0].index == full.key_slices[0].index
    places = [each.index for each in sparing.slices]
    assert places == sorted(set(places))
    positions = [each.position for each in sparing.slices]
    assert max(np.diff(positions)) <= FIRST + 1e-6


def test_all_are_asked_where_the_first_say_too_little(
    detector: ts.Detector, tmp_path: Path
) -> None:
    values = volume((31, 32), slices=60)
    values[:] = np.where(np.isin(np.arange(60), (31, 32))[:, None, None], values, 7)
    full, sparing = both(detector, write_nifti(tmp_path / "a.nii", values, AFFINE))
    assert len(sparing.slices) == len(full.slices) == 60
    assert sparing.decision == full.decision
    few = write_nifti(tmp_path / "b.nii", volume((), slices=20), AFFINE)
    assert len(detector.detect_series(few).slices) == 20
    without_level = detector.detect_series(tmp_path / "b.nii", plane="sagittal", every=4.0)
    assert len(without_level.slices) == 48


def test_a_volume_at_hand_is_answered_as_its_file_is(detector: ts.Detector, tmp_path: Path) -> None:
    from tumorscope.scans import read_nifti

    path = write_nifti(tmp_path / "a.nii", volume(tuple(range(20, 27)), slices=60), AFFINE)
    [read] = read_nifti(path)
    one, other = detector.detect_series(read), detector.detect_series(path)
    assert replace(one.slices[3].finding, ms=0).logit == other.slices[3].finding.logit
    assert (one.score, one.decision) == (other.score, other.decision)


@given(
    st.lists(st.floats(0.2, 12.0), min_size=1, max_size=120),
    st.lists(st.floats(-4.0, 4.0), min_size=120, max_size=120),
)
def test_slices_are_asked_once_and_close_ones_where_it_matters(
    steps: list[float], heights: list[float]
) -> None:
    positions = np.cumsum(steps)
    first = first_asked(positions)
    assert len(first) >= min(len(positions), FEWEST)
    curve = np.array(heights[: len(first)])
    more = asked_closely(positions, first, curve, LEVEL)
    assert len(np.intersect1d(first, more)) == 0
    close = positions[first][curve >= LEVEL.no_tumour]
    rest = np.setdiff1d(np.arange(len(positions)), first)
    needed = [
        each for each in rest if len(close) and np.abs(close - positions[each]).min() <= REACH
    ]
    assert set(needed) <= set(more)
    assert len(asked_closely(positions, first, None, LEVEL)) == len(rest)
