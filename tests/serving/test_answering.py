"""A series is answered in a process of its own, whose end is not that of the node."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pydicom
import pytest
from tests.fixtures.dicom_files import COMPLETE, image, save, write_series
from tests.fixtures.volumes import AFFINE, head

from tumorscope.common.errors import OutputError, UsageError
from tumorscope.detection.detector import Detector
from tumorscope.serving.answering import (
    ANSWER,
    Answer,
    Answering,
    AnswerLaterError,
    _told,
    answer_series,
)


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    values, _ = head(1, lesion=22.0)
    return write_series(
        tmp_path_factory.mktemp("series"), values, AFFINE, FrameOfReferenceUID="1.2.3.4", **COMPLETE
    )


@pytest.fixture(scope="module")
def answering(series_model: Path) -> Iterator[Answering]:
    made = Answering(partial(Detector.load, series_model, threads=1))
    yield made
    made.stop()


@pytest.fixture
def made(tmp_path: Path) -> Path:
    (tmp_path / "made").mkdir()
    return tmp_path / "made"


def test_a_series_has_a_report_a_capture_and_a_record(
    answering: Answering, series: list[Path], made: Path
) -> None:
    answer = answering.answer(series, made)
    assert (answer.instances, answer.decisions, answer.objects) == (20, ("no tumour",), 2)
    assert json.loads((made / ANSWER).read_text())["decisions"] == ["no tumour"]
    results = [pydicom.dcmread(path) for path in sorted(made.glob("*.dcm"))]
    assert {result.Modality for result in results} == {"SR", "OT"}
    assert {result.StudyInstanceUID for result in results} == {
        pydicom.dcmread(series[0]).StudyInstanceUID
    }
    text = answer.words + (made / ANSWER).read_text()
    assert "Nobody" not in text
    assert "0815" not in text


def test_what_is_no_mr_image_is_passed_over(
    answering: Answering, made: Path, tmp_path: Path
) -> None:
    path = save(image(np.zeros((8, 8), np.uint8), Modality="CT"), tmp_path / "ct.dcm")
    answer = answering.answer([path], made)
    assert (answer.decisions, answer.not_read, answer.objects) == ((), {"modality": 1}, 0)
    assert answer.words == "nothing to look at (1 modality)"


def test_what_ends_it_each_time_has_failed(
    answering: Answering, series: list[Path], made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Answering, "_once", lambda *_: None)
    (made / "half").touch()
    failed = answering.answer(series, made)
    assert "not answered" in failed.words
    assert [path.name for path in made.iterdir()] == [ANSWER]


def test_a_fault_is_the_outcome_of_a_series_and_a_full_disk_is_not(
    answering: Answering,
    series: list[Path],
    series_model: Path,
    made: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer = _told(Detector.load(series_model, threads=1), series, made)
    assert isinstance(answer, Answer)
    assert (answer.decisions, answer.objects) == (("no tumour",), 2)
    assert answering.answer([], made).words == "nothing to look at"
    assert answering.answer([Path("no/such/file")], made).failed == "InputError"

    def full(*_: object) -> None:
        raise OutputError("Cannot write Nobody^Here")

    monkeypatch.setattr("tumorscope.serving.answering.answer_series", full)
    told = _told(None, [], made)
    assert isinstance(told, AnswerLaterError)
    assert "Nobody" not in str(told)


def test_what_memory_ran_out_for_is_not_a_final_answer(
    series_model: Path, series: list[Path], made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def scarce(*_: object) -> None:
        raise MemoryError

    detector = Detector.load(series_model, threads=1)
    for place in ("tumorscope.scans.read._decoded", "tumorscope.detection.series.ask_slices"):
        with monkeypatch.context() as patch:
            patch.setattr(place, scarce)
            with pytest.raises(MemoryError):
                answer_series(detector, series, made)
    assert not (made / ANSWER).exists()


def test_a_model_that_cannot_be_used_is_said_at_once(series_model: Path) -> None:
    with pytest.raises(UsageError):
        Answering(partial(Detector.load, series_model, operating_point="no such"))


def test_one_that_takes_too_long_is_ended_and_the_next_has_a_new_process(
    answering: Answering, series: list[Path], made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("tumorscope.serving.answering.PATIENCE", 0.0)
        assert answering._once(series, made) is None
    assert answering._process is None
    assert answering.answer(series, made).decisions == ("no tumour",)
