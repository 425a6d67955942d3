"""The cuts that the input check learns from show brain, and are of nobody a result is taken of."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from tests.fixtures.volumes import AFFINE, head

from tumorscope.imaging import Preprocessing

nibabel = pytest.importorskip("nibabel", reason="needs the dicom extra")

from packaged_model import cuts as cut  # noqa: E402
from packaged_model.listed_volumes import ListedVolume, halves, listed_volumes  # noqa: E402

FINE = AFFINE @ np.diag([0.4, 1.0, 1.0, 1.0])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    from tests.fixtures.dicom_files import write_nifti

    rows = []
    for index, affine in enumerate((FINE, FINE, AFFINE)):
        write_nifti(tmp_path / "volumes" / f"{index}.nii.gz", head(index)[0], affine)
        row = {"path": f"volumes/{index}.nii.gz", "label": "0"}
        rows.append(row | {"subject": f"drawn:{index}", "sequence": "T1"})
    rows += [{**rows[0], "label": "mask"}, {**rows[0], "label": "1", "subject": "drawn:3"}]
    with (tmp_path / "volumes" / "volumes.csv").open("w", newline="") as stream:
        table = csv.DictWriter(stream, rows[0])
        table.writeheader()
        table.writerows(rows)
    return tmp_path


def test_cuts_show_brain(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = cut.read_cuts(data)
    # Of thick slices nothing is cut across, and of tumours nothing is learnt.
    assert {(each.volume.subject, each.plane) for each in found} == {
        (f"drawn:{index}", plane) for index in (0, 1) for plane in ("coronal", "sagittal")
    }
    shown = [np.count_nonzero(each.slice.pixels > 24) for each in found if each.plane == "coronal"]
    assert min(shown) >= 0.39 * max(shown)
    monkeypatch.setattr(cut, "MOST", 5)
    pixels, sources = cut.prepared(found, {"drawn_t1", "other"}, Preprocessing(size=32))
    assert pixels.shape == (10, 32, 32)
    assert set(sources) == {"drawn_t1"}
    np.testing.assert_array_equal(
        cut.prepared(found, {"drawn_t1"}, Preprocessing(size=32))[0], pixels
    )


def test_without_volumes_there_are_no_cuts(tmp_path: Path) -> None:
    assert cut.read_cuts(tmp_path) == []
    pixels, sources = cut.prepared([], set(), Preprocessing(size=32))
    assert len(pixels) == len(sources) == 0


def test_whoever_has_a_volume_of_a_source_left_out_is_left_out_whole(data: Path) -> None:
    found = cut.read_cuts(data)
    assert {each.volume.subject for each in cut.without(found, {"drawn:0"})} == {"drawn:1"}
    assert cut.without(found, {"drawn_t1"}) == []
    other = cut.Cut(ListedVolume("", "drawn:1", "T2", 0), "coronal", found[0].slice)
    kept = cut.without([*found, other], {"drawn_t2"})
    assert {each.volume.subject for each in kept} == {"drawn:0"}


def test_people_whom_no_training_left_out_are_halved(data: Path) -> None:
    volumes = listed_volumes(data)
    assert halves(volumes, ()) == [{"drawn:0", "drawn:2"}, {"drawn:1", "drawn:3"}]
    t2 = ListedVolume("", "drawn:0", "T2", 0)
    assert halves([*volumes, t2], {"drawn_t2"}) == [{"drawn:1", "drawn:3"}, {"drawn:2"}]
