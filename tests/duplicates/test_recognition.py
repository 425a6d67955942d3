"""Copies of a known picture are found however they were saved; other pictures are not taken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.fixtures.copies import COPIES

from tumorscope.duplicates.recognition import Recogniser
from tumorscope.duplicates.thumbprint import thumbprint
from tumorscope.imaging import Slice, read_slice
from tumorscope.synthetic.phantom import write_phantom_cohort


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> list[Slice]:
    folder = tmp_path_factory.mktemp("phantoms")
    write_phantom_cohort(folder, n=40, seed=3)
    return [read_slice(path) for path in sorted(folder.rglob("*.png"))]


@pytest.fixture(scope="module")
def known(phantoms: list[Slice]) -> Recogniser:
    return Recogniser(np.stack([thumbprint(scan) for scan in phantoms[::2]]))


@pytest.mark.parametrize("how", COPIES)
def test_copies_are_known(phantoms: list[Slice], known: Recogniser, how: str) -> None:
    for index, scan in enumerate(phantoms[::2]):
        copy = Slice(np.ascontiguousarray(COPIES[how](scan.pixels)), "copy")
        found = known.best(copy)
        assert (found.index, known.is_copy(copy)) == (index, True)


def test_other_pictures_are_not_taken_for_copies(phantoms: list[Slice], known: Recogniser) -> None:
    assert not any(known.is_copy(scan) for scan in phantoms[1::2])


@pytest.fixture(scope="module")
def real_scans(real_data: Path) -> list[Slice]:
    paths = sorted((real_data / "navoneel_253" / "no").iterdir())[:10]
    return [read_slice(path) for path in paths]


@pytest.fixture(scope="module")
def known_scans(real_scans: list[Slice]) -> Recogniser:
    return Recogniser(np.stack([thumbprint(scan) for scan in real_scans]))


@pytest.mark.parametrize("how", COPIES)
def test_real_copies_are_known(real_scans: list[Slice], known_scans: Recogniser, how: str) -> None:
    missed = [
        scan.source
        for scan in real_scans
        if not known_scans.is_copy(Slice(np.ascontiguousarray(COPIES[how](scan.pixels)), "copy"))
    ]
    assert len(missed) <= 1


def test_other_real_scans_are_not_taken_for_copies(
    real_data: Path, known_scans: Recogniser
) -> None:
    tumours = sorted((real_data / "navoneel_253" / "yes").iterdir())[:10]
    assert not any(known_scans.is_copy(read_slice(path)) for path in tumours)
