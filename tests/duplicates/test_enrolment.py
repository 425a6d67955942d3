"""Copies of a remembered picture have its marks, however they were saved; other pictures do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.fixtures.copies import COPIES

from tumorscope.duplicates.enrolment import USUAL, remembered
from tumorscope.duplicates.frequencies import frequencies
from tumorscope.duplicates.mark_sets import MarkSets
from tumorscope.imaging import Preprocessing, Slice, prepare, read_slice
from tumorscope.synthetic.phantom import write_phantom_cohort


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> list[Slice]:
    folder = tmp_path_factory.mktemp("phantoms")
    write_phantom_cohort(folder, n=20, seed=3)
    return [read_slice(path) for path in sorted(folder.rglob("*.png"))]


@pytest.fixture(scope="module")
def known(phantoms: list[Slice]) -> MarkSets:
    return MarkSets.of(np.concatenate([remembered(scan) for scan in phantoms[::2]]))


def found(known: MarkSets, pixels: np.ndarray, how: Preprocessing = USUAL) -> bool:
    asked = prepare(Slice(np.ascontiguousarray(pixels), "copy"), how)
    return known.holds(frequencies(asked))


@pytest.mark.parametrize("how", COPIES)
def test_copies_are_known(phantoms: list[Slice], known: MarkSets, how: str) -> None:
    missed = [scan for scan in phantoms[::2] if not found(known, COPIES[how](scan.pixels))]
    # What is turned needs one mark more, and a crop has fewer to give.
    assert len(missed) <= ("turned" in how)


def test_other_pictures_are_not_taken_for_copies(phantoms: list[Slice], known: MarkSets) -> None:
    assert not any(found(known, scan.pixels) for scan in phantoms[1::2])


def test_any_preprocessing_will_do(phantoms: list[Slice], known: MarkSets) -> None:
    for how in (Preprocessing(), Preprocessing(128, "head", "stretch", "none")):
        assert all(found(known, scan.pixels, how) for scan in phantoms[::2])
        assert not any(found(known, scan.pixels, how) for scan in phantoms[1::2])


def test_a_picture_without_structure_is_not_remembered() -> None:
    flat = Slice(np.full((40, 40), 9, np.uint8), "flat")
    marks = remembered(flat)
    assert not marks.any()
    assert not found(MarkSets.of(marks), flat.pixels)


@pytest.fixture(scope="module")
def real_scans(real_data: Path) -> list[Slice]:
    paths = sorted((real_data / "navoneel_253" / "no").iterdir())[:20]
    return [read_slice(path) for path in paths]


def test_real_copies_are_known(real_scans: list[Slice], real_data: Path) -> None:
    known = MarkSets.of(np.concatenate([remembered(scan) for scan in real_scans]))
    missed = [
        sum(not found(known, change(scan.pixels)) for scan in real_scans)
        for change in COPIES.values()
    ]
    # Of 20 each; most where a crop to the brain lies on a border and is darker too.
    assert max(missed) <= 6
    assert sum(missed) <= 20
    others = sorted((real_data / "navoneel_253" / "yes").iterdir())[:20]
    assert not any(found(known, read_slice(path).pixels) for path in others)
