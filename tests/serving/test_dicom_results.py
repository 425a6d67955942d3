"""Results as DICOM objects: valid by other programs, stable, honest, and the sources untouched."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.fixtures.dicom_files import (
    STUDY,
    decimal,
    enhanced,
    image,
    save,
    write_nifti,
    write_series,
)
from tests.fixtures.orthanc import Orthanc, running_orthanc

import tumorscope as ts
from tumorscope.common.errors import InputError
from tumorscope.common.notice import RESEARCH_USE_ONLY
from tumorscope.detection.series_finding import SeriesFinding

pydicom = pytest.importorskip("pydicom", reason="needs the dicom extra")
highdicom = pytest.importorskip("highdicom", reason="needs the dicom extra")

from pydicom import Dataset  # noqa: E402

from tumorscope.serving import codes  # noqa: E402
from tumorscope.serving.dicom_results import results_of, write_results  # noqa: E402
from tumorscope.serving.identity import identity_of  # noqa: E402

AFFINE = np.array([[0, 0, 4, -94], [0, 4, 0, -94], [5, 0, 0, -60], [0, 0, 0, 1]], dtype=float)

WHOLE = {
    "SpecificCharacterSet": "ISO_IR 192",
    "PatientName": "Müller^Žofia=山田^花子",
    "PatientID": "P 17",
    "PatientBirthDate": "19700102",
    "PatientSex": "F",
    "PatientAge": "056Y",
    "AccessionNumber": "A1",
    "StudyID": "S1",
    "StudyDate": "20260301",
    "StudyTime": "101112",
    "ReferringPhysicianName": "",
    "InstitutionName": "A hospital",
    "AcquisitionDate": "20260301",
    "AcquisitionTime": "101500.5",
    "FrameOfReferenceUID": f"{STUDY}.9",
    "SliceThickness": "5",
}


def voxels(bright: tuple[int, ...] = (8, 9, 10, 11), slices: int = 24) -> NDArray[np.int16]:
    values = np.random.default_rng(0).integers(0, 60, (slices, 48, 48)).astype(np.int16)
    for index in bright:
        values[index] += 180
    values[:, :4, :4] = 255
    return values


@pytest.fixture(scope="module")
def detector(series_model: Path) -> ts.Detector:
    return ts.Detector.load(series_model, threads=2)


@pytest.fixture(scope="module")
def classic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("classic")
    write_series(folder, voxels(), AFFINE, **WHOLE)
    return folder


@pytest.fixture(scope="module")
def found(detector: ts.Detector, classic: Path) -> SeriesFinding:
    return detector.detect_series(classic)


@pytest.fixture(scope="module")
def made(found: SeriesFinding, detector: ts.Detector) -> tuple[Dataset, ...]:
    """Report and capture of `found`; not to be changed."""
    return results_of(found, detector.metadata)


@pytest.fixture(scope="module")
def multiframe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("enhanced")
    places = [(-94.0, -94.0, -60.0 + 5 * index) for index in range(24)]
    made = enhanced(voxels(), places, spacing=(4.0, 4.0), **WHOLE)
    save(made, folder / "a.dcm")
    return folder


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with running_orthanc(tmp_path_factory.mktemp("orthanc")) as running:
        yield running


def complaints(path: Path) -> list[str]:
    """What dciodvfy calls an error; that it knows no codes but its own is none."""
    if shutil.which("dciodvfy") is None:
        pytest.skip("needs Debian's dicom3tools")
    said = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False)
    return [line for line in said.stderr.splitlines() if line.startswith("Error")]


def dumped(path: Path) -> str:
    """A report as dcmtk prints it."""
    if shutil.which("dsrdump") is None:
        pytest.skip("needs Debian's dcmtk")
    said = subprocess.run(["dsrdump", "+Pl", path], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    return said.stdout


def bytes_of(made: Dataset) -> bytes:
    stream = io.BytesIO()
    made.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def numbers(made: Dataset) -> dict[str, list[float]]:
    """Meaning → values, of all numbers in the measurement groups of a report."""
    said: dict[str, list[float]] = {}
    report = highdicom.sr.Comprehensive3DSR.from_dataset(made).content
    for group in report.get_image_measurement_groups():
        for one in group.get_measurements():
            said.setdefault(one.name.meaning, []).append(one.value)
    return said


@pytest.mark.parametrize("kind", ["classic", "multiframe"])
def test_other_programs_take_them_and_say_what_was_found(
    detector: ts.Detector, kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    folder = request.getfixturevalue(kind)
    before = {path: hashlib.sha256(path.read_bytes()).digest() for path in folder.iterdir()}
    answer = detector.detect_series(folder)
    report, capture = write_results(answer, detector.metadata, tmp_path / "new" / "folder")
    assert {path: hashlib.sha256(path.read_bytes()).digest() for path in folder.iterdir()} == before
    assert complaints(report) == complaints(capture) == []
    said = dumped(report)
    for words in (
        "PRELIMINARY",
        "UNVERIFIED",
        "Müller^Žofia=山田^花子",
        RESEARCH_USE_ONLY,
        '"Algorithm Name")="tumorscope"',
        f'"Algorithm Version")="{ts.__version__}"',
        f"model: {detector.model_id}",
        "operating point: balanced",
        '"Neoplasm")=(10828004,SCT,"Positive")',
        "The model finds signs of a tumour, most at",
        '"Image Library Group"',
        '"Vertical Pixel Spacing")="4.0"',
        '"Images of the volume that were received")="24"',
        '"Image Orientation (Patient) Row X")="1.0"',
    ):
        assert words in said
    assert said.count('IMAGE:(,,"Source")=') == len(before)
    shown = pydicom.dcmread(capture)
    assert shown.pixel_array.shape[0] == len(answer.key_slices) == 5
    assert (shown.BurnedInAnnotation, shown.LossyImageCompression) == ("YES", "00")
    assert shown.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert shown.FrameOfReferenceUID == WHOLE["FrameOfReferenceUID"]


def test_a_report_reads_back_with_its_numbers_and_key_images(
    found: SeriesFinding, made: tuple[Dataset, ...]
) -> None:
    report, capture = made
    read = highdicom.sr.Comprehensive3DSR.from_dataset(report)
    groups = read.content.get_image_measurement_groups()
    assert groups[0].finding_type.meaning == "Neoplasm"
    shown = [each.source_images[0].referenced_sop_instance_uid for each in groups[1:]]
    assert shown == [each.sop_instance_uid for each in found.key_slices]
    assert sorted(each.ReferencedSOPInstanceUID for each in capture.SourceImageSequence) == sorted(
        shown
    )
    said = numbers(report)
    assert found.score is not None
    assert said[codes.SCORE.meaning] == [pytest.approx(found.score, abs=1e-4)]
    asked = [each.finding.probability for each in found.key_slices]
    assert said[codes.PROBABILITY.meaning] == pytest.approx(asked, abs=1e-4)
    assert set(said[codes.THRESHOLD.meaning]) == {0.5}
    assert len(read.get_evidence()) == 24
    # What most viewers show of a number has 16 characters.
    for item in report.iterall():
        if item.keyword == "NumericValue":
            assert len(str(item.value)) <= 8
    assert report.PatientAge == "056Y"
    assert "InstitutionName" not in report
    assert "InstitutionName" not in capture


def test_frames_of_enhanced_images_are_named(detector: ts.Detector, multiframe: Path) -> None:
    found = detector.detect_series(multiframe)
    report, capture = results_of(found, detector.metadata)
    groups = highdicom.sr.Comprehensive3DSR.from_dataset(
        report
    ).content.get_image_measurement_groups()
    frames = [each.source_images[0].referenced_frame_numbers for each in groups[1:]]
    assert frames == [[each.frame] for each in found.key_slices]
    assert [each.ReferencedFrameNumber for each in capture.SourceImageSequence] == sorted(
        each.frame or 0 for each in found.key_slices
    )


def test_the_same_answer_is_the_same_object_and_a_late_instance_makes_another(
    found: SeriesFinding,
    made: tuple[Dataset, ...],
    detector: ts.Detector,
    classic: Path,
    tmp_path: Path,
) -> None:
    first = made
    again = results_of(detector.detect_series(classic), detector.metadata)
    assert [bytes_of(each) for each in first] == [bytes_of(each) for each in again]
    assert first[0].SOPInstanceUID != first[1].SOPInstanceUID
    assert first[0].SeriesInstanceUID != first[1].SeriesInstanceUID
    for path in sorted(classic.iterdir())[:-1]:
        shutil.copy(path, tmp_path)
    fewer = results_of(detector.detect_series(tmp_path), detector.metadata)
    assert fewer[0].SOPInstanceUID != first[0].SOPInstanceUID
    assert fewer[0].SeriesInstanceUID == first[0].SeriesInstanceUID
    assert numbers(fewer[0])[codes.RECEIVED.meaning] == [23.0]
    for changed in ({"operating_point": "screening"}, {"model": "other@0"}, {"window": "dicom"}):
        assert identity_of(replace(found, **changed)) != identity_of(found)


def test_a_pixel_of_a_capture_lies_where_its_source_lies(
    found: SeriesFinding, made: tuple[Dataset, ...]
) -> None:
    _, capture = made
    [shared], places = (
        capture.SharedFunctionalGroupsSequence,
        capture.PerFrameFunctionalGroupsSequence,
    )
    down, right = (float(each) for each in shared.PixelMeasuresSequence[0].PixelSpacing)
    assert [float(each) for each in shared.PlaneOrientationSequence[0].ImageOrientationPatient] == [
        *(1, 0, 0),
        *(0, 1, 0),
    ]
    for key, place in zip(
        sorted(found.key_slices, key=lambda each: each.index), places, strict=True
    ):
        x, y, z = (float(each) for each in place.PlanePositionSequence[0].ImagePositionPatient)
        # Edges of the slice: half of a pixel of 4 mm outside its first pixel's middle.
        assert (x - right / 2, y + (40 - 0.5) * down) == pytest.approx((-96.0, -96.0))
        assert z == pytest.approx(key.position)
    bright = capture.pixel_array[2, 40:552, :512]
    assert bright.mean() > 150  # the slice, not the words


def test_attributes_that_lack_stay_empty_and_wrong_ones_do_too(
    detector: ts.Detector, tmp_path: Path
) -> None:
    write_series(tmp_path / "in", voxels(), AFFINE, PatientName=None, PatientSex="W")
    for path in (tmp_path / "in").iterdir():
        wrong = b"\x08\x00\x20\x00DA\x0a\x002026.03.01"  # StudyDate, before the modality
        path.write_bytes(
            path.read_bytes().replace(b"\x08\x00\x60\x00CS", wrong + b"\x08\x00\x60\x00CS")
        )
    found = detector.detect_series(tmp_path / "in")
    report, capture = write_results(found, detector.metadata, tmp_path / "out")
    assert complaints(report) == complaints(capture) == []
    for path in (report, capture):
        made = pydicom.dcmread(path)
        for name in ("PatientName", "PatientID", "StudyDate", "PatientSex", "AccessionNumber"):
            assert not made[name].value
    # Without a frame of reference nobody can say where a place lies.
    assert "SharedFunctionalGroupsSequence" not in pydicom.dcmread(capture)


def test_names_of_other_character_sets_arrive(detector: ts.Detector, tmp_path: Path) -> None:
    write_series(
        tmp_path, voxels(), AFFINE, SpecificCharacterSet="ISO_IR 100", PatientName="Jürgen^Öst"
    )
    for made in results_of(detector.detect_series(tmp_path), detector.metadata):
        read = pydicom.dcmread(io.BytesIO(bytes_of(made)))
        assert (str(read.PatientName), read.SpecificCharacterSet) == ("Jürgen^Öst", "ISO_IR 192")


def test_without_an_answer_no_probability_is_stated(
    detector: ts.Detector, found: SeriesFinding, tmp_path: Path
) -> None:
    keys = tuple(
        replace(each, finding=replace(each.finding, decision="abstain"))
        for each in found.key_slices
    )
    unsure = replace(found, decision="abstain", reasons=("uncertain",), key_slices=keys)
    report, _ = write_results(unsure, detector.metadata, tmp_path)
    said = dumped(report)
    assert '"Neoplasm")=(82334004,SCT,"Indeterminate")' in said
    assert "No answer: the model cannot tell." in said
    stated = numbers(pydicom.dcmread(report))
    assert codes.SCORE.meaning not in stated
    assert codes.PROBABILITY.meaning not in stated


def test_a_refused_series_is_a_result_in_words(detector: ts.Detector, tmp_path: Path) -> None:
    write_series(tmp_path / "in", np.zeros((6, 48, 48), np.int16), AFFINE, **WHOLE)
    found = detector.detect_series(tmp_path / "in")
    assert found.decision == "refused"
    report, capture = write_results(found, detector.metadata, tmp_path)
    assert complaints(report) == complaints(capture) == []
    assert '"Neoplasm")=(373121007,SCT,"Not Evaluated")' in dumped(report)
    shown = pydicom.dcmread(capture)
    assert shown.SOPClassUID == "1.2.840.10008.5.1.4.1.1.7"
    assert shown.pixel_array.max() > 200  # words
    assert len(shown.SourceImageSequence) == 6


def test_one_slice_and_another_plane(detector: ts.Detector, classic: Path, tmp_path: Path) -> None:
    [first, *_] = sorted(classic.iterdir())
    alone = results_of(detector.detect_series(first), detector.metadata)[1]
    assert alone.SOPClassUID == "1.2.840.10008.5.1.4.1.1.7"
    assert list(alone.PatientOrientation) == ["L", "P"]
    write_series(tmp_path / "in", voxels(slices=30), AFFINE, **WHOLE)
    across = detector.detect_series(tmp_path / "in", plane="coronal")
    report, capture = write_results(across, detector.metadata, tmp_path)
    assert complaints(report) == complaints(capture) == []
    made = pydicom.dcmread(capture)
    assert list(made.PatientOrientation) == ["L", "F"]
    assert len(made.SourceImageSequence) == 30


def test_each_volume_of_a_series_has_results_of_its_own(
    detector: ts.Detector, tmp_path: Path
) -> None:
    for index, plane in enumerate(voxels((), 12)):
        echo, place = divmod(index, 6)
        made = image(
            plane, number=index + 1, position=(0, 0, 5.0 * place), EchoTime=10 + echo, **WHOLE
        )
        save(made, tmp_path / f"{index}.dcm")
    found = [
        each for each in ts.detect_study(detector, tmp_path) if isinstance(each, SeriesFinding)
    ]
    first, second = (results_of(each, detector.metadata)[0] for each in found)
    assert first.SeriesInstanceUID == second.SeriesInstanceUID
    assert first.SOPInstanceUID != second.SOPInstanceUID
    assert [int(each.InstanceNumber) for each in (first, second)] == [1, 2]
    seen = [
        {each[2] for each in highdicom.sr.Comprehensive3DSR.from_dataset(made).get_evidence()}
        for made in (first, second)
    ]
    assert [len(each) for each in seen] == [6, 6]
    assert not seen[0] & seen[1]


def test_a_loss_in_the_source_is_said(detector: ts.Detector, tmp_path: Path) -> None:
    lossy = {"LossyImageCompression": "01", "LossyImageCompressionRatio": decimal(12.5)}
    write_series(tmp_path / "in", voxels(), AFFINE, **WHOLE, **lossy)
    found = detector.detect_series(tmp_path / "in")
    _, capture = write_results(found, detector.metadata, tmp_path)
    made = pydicom.dcmread(capture)
    assert (made.LossyImageCompression, made.LossyImageCompressionRatio) == ("01", 12.5)


def test_what_is_not_dicom_or_gone_is_refused(detector: ts.Detector, tmp_path: Path) -> None:
    of_nifti = detector.detect_series(write_nifti(tmp_path / "a.nii", voxels(), AFFINE))
    with pytest.raises(InputError, match="not NIfTI"):
        results_of(of_nifti, detector.metadata)
    paths = write_series(tmp_path / "in", voxels(), AFFINE)
    found = detector.detect_series(tmp_path / "in")
    paths[3].unlink()
    with pytest.raises(InputError, match="Keep them there"):
        results_of(found, detector.metadata)


def test_orthanc_keeps_them_as_they_are_and_shows_the_capture(
    orthanc: Orthanc, found: SeriesFinding, detector: ts.Detector, classic: Path, tmp_path: Path
) -> None:
    orthanc.add(classic)
    paths = write_results(found, detector.metadata, tmp_path)
    for _ in range(2):  # a resend is no duplicate
        orthanc.add(tmp_path)
    stored = orthanc.instances()
    assert len(stored) == 26
    for path in paths:
        assert stored[path.stem.partition("-")[2]] == path.read_bytes()
    [study] = orthanc.http.get("/studies").json()
    assert len(orthanc.http.get(f"/studies/{study}").json()["Series"]) == 3
    uid = paths[1].stem.partition("-")[2]
    [key] = orthanc.http.post("/tools/lookup", content=uid).json()
    picture = orthanc.http.get(f"/instances/{key['ID']}/frames/2/preview").raise_for_status()
    shown = np.asarray(Image.open(io.BytesIO(picture.content)).convert("RGB"))
    assert np.array_equal(shown, pydicom.dcmread(paths[1]).pixel_array[2])
