"""A finding per series: by runs of slices, with key slices, whatever the file and the direction."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import RLELossless
from tests.fixtures.dicom_files import image, save, write_nifti, write_series

import tumorscope as ts
from tumorscope.common.errors import InputError, SurroundingsError, UsageError
from tumorscope.detection.key_slices import KEY_SLICES
from tumorscope.detection.looking import looking
from tumorscope.detection.series import detect_study
from tumorscope.detection.series_finding import SeriesFinding
from tumorscope.imaging.preprocess import Preprocessing, prepare
from tumorscope.imaging.slice import Slice
from tumorscope.scans import NotRead
from tumorscope.scans.in_flight import NO_MEMORY

pytest.importorskip("nibabel", reason="needs the dicom extra")

AFFINE = np.array([[0, 0, 4, -94], [0, 4, 0, -94], [5, 0, 0, -60], [0, 0, 0, 1]], dtype=float)


def volume(bright: tuple[int, ...], slices: int = 24) -> NDArray[np.int16]:
    """Slices of noise of which some are bright all over."""
    values = np.random.default_rng(0).integers(0, 60, (slices, 48, 48)).astype(np.int16)
    for index in bright:
        values[index] += 180
    values[:, :4, :4] = 255  # so that windows are alike
    return values


@pytest.fixture(scope="module")
def detector(series_model: Path) -> ts.Detector:
    return ts.Detector.load(series_model, threads=2)


def found_of(detector: ts.Detector, path: Path, **how: object) -> SeriesFinding:
    return detector.detect_series(path, **how)


def test_a_run_of_slices_is_a_tumour_and_lone_ones_are_not(
    detector: ts.Detector, tmp_path: Path
) -> None:
    run = found_of(detector, write_nifti(tmp_path / "run.nii.gz", volume((8, 9, 10, 11)), AFFINE))
    assert (run.decision, run.reasons, run.plane) == ("tumour", (), "axial")
    assert run.level is not None
    assert run.score is not None
    assert run.score >= run.level.tumour
    assert [each.finding.decision == "tumour" for each in run.slices].count(True) == 4
    assert len(run.slices) == 24
    assert -60 + 5 * 8 - 0.1 <= run.key_slices[0].position <= -60 + 5 * 11 + 0.1
    assert len(run.key_slices) == KEY_SLICES
    assert all(each.picture is not None for each in run.key_slices)
    assert all(each.picture is None for each in run.slices)
    assert run.key_slices[0].picture is not None
    assert run.key_slices[0].picture.pixels.mean() > 150
    assert "signs of a tumour, most at" in run.words
    lone = found_of(detector, write_nifti(tmp_path / "lone.nii", volume((3, 12, 20)), AFFINE))
    assert lone.decision == "no tumour"
    assert "not a clean bill of health" in lone.words


@pytest.mark.parametrize("flips", list(itertools.product((1, -1), repeat=3))[1:])
def test_the_direction_in_which_a_volume_is_stored_changes_nothing(
    detector: ts.Detector, tmp_path: Path, flips: tuple[int, int, int]
) -> None:
    values = volume((8, 9, 10, 11))
    turned = AFFINE @ np.diag([*flips, 1])
    corner = [0 if flip == 1 else n - 1 for flip, n in zip(flips, values.shape, strict=True)]
    turned[:3, 3] = (AFFINE @ [*corner, 1])[:3]
    one = found_of(detector, write_nifti(tmp_path / "a.nii", values, AFFINE))
    stored = np.ascontiguousarray(values[tuple(slice(None, None, flip) for flip in flips)])
    other = found_of(detector, write_nifti(tmp_path / "b.nii", stored, turned))
    assert other.score == pytest.approx(one.score)
    assert [each.position for each in other.slices] == [each.position for each in one.slices]
    assert [each.finding.logit for each in other.slices] == [
        each.finding.logit for each in one.slices
    ]


def test_dicom_and_nifti_of_one_volume_agree_and_uids_are_kept(
    detector: ts.Detector, tmp_path: Path
) -> None:
    values = volume((8, 9, 10, 11))
    write_series(tmp_path / "d", values, AFFINE, SeriesDescription="SECRET")
    of_dicom = found_of(detector, tmp_path / "d")
    of_nifti = found_of(detector, write_nifti(tmp_path / "a.nii", values, AFFINE))
    assert of_dicom.score == pytest.approx(of_nifti.score)
    assert of_dicom.study_uid
    assert of_dicom.series_uid
    assert [each.sop_instance_uid.rsplit(".", 1)[1] for each in of_dicom.slices] == [
        str(number + 1) for number in range(24)
    ]
    assert "SECRET" not in repr(of_dicom)


def test_distance_plane_and_window(detector: ts.Detector, tmp_path: Path) -> None:
    path = write_nifti(tmp_path / "a.nii", volume((8, 9, 10, 11)), AFFINE)
    sparse = found_of(detector, path, every=10.0)
    assert np.diff([each.position for each in sparse.slices]).min() >= 9.9
    coronal = found_of(detector, path, plane="coronal", window="0,500")
    assert (coronal.plane, coronal.window, len(coronal.slices)) == ("coronal", "0,500", 48)
    dark = write_nifti(tmp_path / "dark.nii", volume((), 30), AFFINE)
    sagittal = found_of(detector, dark, plane="sagittal", window="0,600")
    assert (sagittal.decision, sagittal.reasons) == ("abstain", ("plane-not-measured",))
    with pytest.raises(UsageError, match="plane"):
        looking(plane="oblique")
    with pytest.raises(UsageError, match="millimetres"):
        looking(every=-1.0)
    with pytest.raises(UsageError, match="window"):
        looking(window="bone")


def test_few_slices_and_refused_ones_have_no_answer(detector: ts.Detector, tmp_path: Path) -> None:
    few = found_of(detector, write_nifti(tmp_path / "a.nii", volume((0, 1, 2), 4), AFFINE))
    assert (few.decision, few.reasons) == ("abstain", ("few-slices",))
    mostly_flat = volume((), 24)
    mostly_flat[4:] = 7
    some = found_of(detector, write_nifti(tmp_path / "c.nii", mostly_flat, AFFINE))
    assert [each.finding.decision for each in some.slices].count("refused") == 20
    assert (some.decision, some.reasons) == ("abstain", ("few-slices",))
    flat = np.full((6, 48, 48), 7, np.int16)
    blank = found_of(detector, write_nifti(tmp_path / "b.nii", flat, AFFINE))
    assert (blank.decision, blank.reasons, blank.score) == ("refused", ("not-brain-mri",), None)
    assert blank.key_slices == ()
    assert "should not be asked" in blank.words


def test_a_model_without_the_rule_says_so(tiny_model: Path, tmp_path: Path) -> None:
    path = write_nifti(tmp_path / "a.nii", volume((8, 9, 10, 11)), AFFINE)
    found = ts.Detector.load(tiny_model).detect_series(path)
    assert (found.decision, found.reasons, found.score) == ("abstain", ("no-series-rule",), None)
    assert len(found.slices) == 24
    assert found.key_slices[0].finding.decision == "tumour"


def test_a_study_has_a_finding_for_each_series_and_a_record_for_the_rest(
    detector: ts.Detector, tmp_path: Path
) -> None:
    write_series(tmp_path / "1", volume((8, 9, 10, 11)), AFFINE, series=1)
    write_series(tmp_path / "2", volume(()), AFFINE, series=2)
    write_nifti(tmp_path / "mask.nii", (volume((8, 9)) > 100).astype(np.uint8), AFFINE)
    (tmp_path / "README.txt").write_text("x")
    found = list(ts.detect_study(detector, tmp_path))
    decisions = [each.decision for each in found if isinstance(each, SeriesFinding)]
    assert decisions == ["tumour", "no tumour"]
    assert {each.reason for each in found if isinstance(each, NotRead)} == {
        "segmentation",
        "not-dicom",
    }
    with pytest.raises(InputError, match="several volumes"):
        detector.detect_series(tmp_path)
    with pytest.raises(InputError, match="no volumes"):
        detector.detect_series(tmp_path / "mask.nii")
    [one] = list(ts.detect_study(detector, tmp_path / "2"))
    assert isinstance(one, SeriesFinding)
    first = next(iter(one.slices))
    assert first.finding.operating_point == "balanced"


def test_uneven_slices_are_looked_at_as_acquired(detector: ts.Detector, tmp_path: Path) -> None:
    for path in write_series(tmp_path / "d", volume((8, 9, 10, 11)), AFFINE)[15:17]:
        path.unlink()
    [found] = ts.detect_study(detector, tmp_path / "d", how=looking(plane="coronal"))
    assert isinstance(found, SeriesFinding)
    assert (found.plane, len(found.slices), found.decision) == ("axial", 22, "tumour")
    assert "gap" in [each.code for each in found.remarks]
    with pytest.raises(InputError, match="even distances"):
        detector.detect_series(tmp_path / "d", plane="coronal")


def test_slices_without_positions_have_no_answer(detector: ts.Detector, tmp_path: Path) -> None:
    for number, plane in enumerate(volume((8, 9, 10, 11))):
        save(image(plane, number=number + 1, spacing=(4.0, 4.0)), tmp_path / f"{number:03d}.dcm")
    found = detector.detect_series(tmp_path)
    assert (found.decision, found.reasons) == ("abstain", ("no-positions",))
    assert "do not say where its slices lie" in found.words


def undecodable(path: Path) -> None:
    """Compress the pixels, and cut them short."""
    dataset = dcmread(path)
    dataset.compress(RLELossless, generate_instance_uid=False)
    frame = next(generate_frames(dataset.PixelData, number_of_frames=1))
    dataset.PixelData = encapsulate([frame[: len(frame) // 4 * 2]])
    dataset.save_as(path)


@pytest.mark.parametrize("damaged", [False, True])
@pytest.mark.parametrize(
    ("lost", "decision"), [((12,), "no tumour"), ((12, 13), "abstain"), ((21, 22, 23), None)]
)
def test_a_series_in_part_is_not_free_of_tumours(
    detector: ts.Detector,
    tmp_path: Path,
    lost: tuple[int, ...],
    decision: str | None,
    damaged: bool,
) -> None:
    """The tumour may lie in the slices that are missing, or cannot be decoded."""
    for place, name in enumerate(("quiet", "loud")):
        write_series(tmp_path / name, volume((5, 6, 7, 8) if place else ()), AFFINE)
        files = sorted((tmp_path / name).iterdir())
        for index in lost:
            undecodable(files[index]) if damaged else files[index].unlink()
    found = found_of(detector, tmp_path / "quiet")
    # At the end of a stack nothing says that there was more.
    expected = decision or ("abstain" if damaged else "no tumour")
    assert found.decision == expected
    assert found.reasons == (("missing-slices",) if expected == "abstain" else ())
    assert found_of(detector, tmp_path / "loud").decision == "tumour"


@pytest.mark.parametrize(("lost", "decision"), [(2, "no tumour"), (3, "abstain")])
def test_a_series_that_was_delivered_in_part_is_not_free_of_tumours(
    detector: ts.Detector, tmp_path: Path, lost: int, decision: str
) -> None:
    """Nothing lies behind a missing end, but the headers may tell of it."""
    for place, name in enumerate(("quiet", "loud")):
        bright = volume((5, 6, 7, 8) if place else ())
        for path in write_series(tmp_path / name, bright, AFFINE, ImagesInAcquisition=24)[-lost:]:
            path.unlink()
    found = found_of(detector, tmp_path / "quiet")
    assert found.decision == decision
    assert found.reasons == (("missing-slices",) if decision == "abstain" else ())
    assert [each.code for each in found.remarks] == ["cut-off"]
    assert found_of(detector, tmp_path / "loud").decision == "tumour"


@pytest.mark.parametrize(("flat", "decision"), [((12, 13), "no tumour"), ((12, 13, 14), "abstain")])
def test_a_head_that_was_refused_within_is_not_free_of_tumours(
    detector: ts.Detector, tmp_path: Path, flat: tuple[int, ...], decision: str
) -> None:
    for name, bright in (("quiet", ()), ("loud", (5, 6, 7, 8))):
        values = volume(bright)
        values[list(flat)] = 7
        write_nifti(tmp_path / f"{name}.nii", values, AFFINE)
    found = found_of(detector, tmp_path / "quiet.nii")
    assert found.decision == decision
    assert found.reasons == (("refused-slices",) if decision == "abstain" else ())
    assert found_of(detector, tmp_path / "loud.nii").decision == "tumour"


def test_slices_for_which_memory_runs_out_are_not_taken_for_free_of_tumours(
    detector: ts.Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def scarce(scan: Slice, how: Preprocessing) -> NDArray[np.uint8]:
        if scan.pixels.mean() > 150:
            raise MemoryError
        return prepare(scan, how)

    path = write_nifti(tmp_path / "a.nii", volume((8, 9, 10, 11)), AFFINE)
    monkeypatch.setattr("tumorscope.detection.detector.prepare", scarce)
    [found] = detect_study(detector, path)
    assert isinstance(found, NotRead)
    assert (found.reason, found.detail) == ("too-large", NO_MEMORY)
    with pytest.raises(SurroundingsError, match=r"look at the volume .*a\.nii of 24 slices"):
        detector.detect_series(path)
