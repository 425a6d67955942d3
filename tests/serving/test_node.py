"""A node in this process: series become results, whatever goes wrong in between."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from queue import SimpleQueue

import pydicom
import pytest
from tests.fixtures.dicom_files import write_series
from tests.fixtures.peers import free_port, storescu, until
from tests.fixtures.volumes import AFFINE, head

from tumorscope.common.errors import InputError, SurroundingsError
from tumorscope.common.locks import BusyError
from tumorscope.detection.detector import Detector
from tumorscope.serving import node as module
from tumorscope.serving.answering import Answering, AnswerLaterError, Load
from tumorscope.serving.node import Node, run_node
from tumorscope.serving.node_settings import NodeSettings
from tumorscope.serving.node_status import read_status
from tumorscope.serving.spool import Spool, tell_complete

STUDY = "1.2.826.0.1.3680043.8.498.1"


@pytest.fixture(scope="module")
def answering(series_model: Path) -> Iterator[Answering]:
    """One process for all nodes of this file, which takes a second to start."""
    made = Answering(partial(Detector.load, series_model, threads=1))
    yield made
    made.stop()


@pytest.fixture(autouse=True)
def _quick(answering: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Answering", lambda _: answering)
    monkeypatch.setattr(answering, "stop", lambda: None)
    monkeypatch.setattr(module, "LATER_SECONDS", 0.2)
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(module, "BEAT_SECONDS", 0.1)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    empty = ("PatientID", "PatientBirthDate", "PatientSex", "StudyID", "AccessionNumber")
    elements = dict.fromkeys((*empty, "StudyDate", "StudyTime", "ReferringPhysicianName"), "")
    folder = tmp_path_factory.mktemp("sent")
    more = {"StudyInstanceUID": STUDY, "FrameOfReferenceUID": "1.2.3"}
    return write_series(folder, head(1)[0], AFFINE, **elements, **more)


def settings_of(root: Path, *, quiet_seconds: float = 0.2) -> NodeSettings:
    return NodeSettings(
        title="NODE",
        port=0,
        allow=("SENDER",),
        spool=root / "spool",
        results=root / "results",
        quiet_seconds=quiet_seconds,
    )


@contextmanager
def running(settings: NodeSettings, model: Path) -> Iterator[Node]:
    ready: SimpleQueue[Node] = SimpleQueue()
    load = partial(Detector.load, model, threads=1)
    thread = threading.Thread(target=run_node, args=(settings, load), kwargs={"ready": ready.put})
    thread.start()
    node = ready.get(timeout=60)
    try:
        yield node
    finally:
        node.stop()
        thread.join(60)
    assert not thread.is_alive()
    assert read_status(settings.spool).state == "stopped"


def test_a_late_instance_makes_another_result_and_a_study_can_be_told_complete(
    tmp_path: Path, series_model: Path, files: list[Path]
) -> None:
    settings = settings_of(tmp_path, quiet_seconds=600)
    with running(settings, series_model) as node:
        for first, last, reports in ((0, 19, 1), (19, 20, 2)):
            assert storescu(node.port, *files[first:last]).returncode == 0
            tell_complete(settings.spool, STUDY)
            until(lambda: len(list((tmp_path / "results").glob("SR-*.dcm"))) == reports)  # noqa: B023
        with pytest.raises(BusyError):
            run_node(settings, Detector.load, ready=lambda _: None)
        until(lambda: read_status(settings.spool).counts["results_delivered"] == 4)
    found = [pydicom.dcmread(path) for path in (tmp_path / "results").glob("SR-*.dcm")]
    assert {report.StudyInstanceUID for report in found} == {STUDY}


def test_what_goes_wrong_is_counted_and_tried_again(
    tmp_path: Path,
    series_model: Path,
    files: list[Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = settings_of(tmp_path)
    answer, purge = Answering.answer, Spool.purge
    troubles = [AnswerLaterError("OutputError"), RuntimeError("Nobody^Here")]

    def answered(self: Answering, *words: object) -> object:
        if troubles:
            raise troubles.pop()
        return answer(self, *words)

    def purged(self: Spool, retention: float) -> int:
        purge(self, retention)
        raise RuntimeError

    monkeypatch.setattr(Answering, "answer", answered)
    monkeypatch.setattr(Spool, "purge", purged)
    (tmp_path / "results").touch()  # so that it is no folder yet
    with running(settings, series_model) as node:
        assert storescu(node.port, *files).returncode == 0
        until(lambda: read_status(settings.spool).failures_in_a_row)
        assert "cannot be written" in read_status(settings.spool).last_failure
        (tmp_path / "results").unlink()
        until(lambda: (tmp_path / "results").is_dir())
        until(lambda: read_status(settings.spool).counts["results_delivered"] == 2)
        other = pydicom.dcmread(files[0])
        other.Modality, other.SeriesInstanceUID = "CT", "1.2.4"
        other.save_as(tmp_path / "ct.dcm")
        assert storescu(node.port, tmp_path / "ct.dcm").returncode == 0
        until(lambda: read_status(settings.spool).counts["series_passed_over"] == 1)
        assert read_status(settings.spool).undelivered == 0
        counts = read_status(settings.spool).counts
    said = capsys.readouterr().err
    assert "1 instance: nothing to look at (1 modality)." in said
    assert not any(word in said for word in (STUDY, "Nobody"))
    assert counts["faults"] == 3, said
    assert counts["series_answered"] == 1
    assert len(list((tmp_path / "results").iterdir())) == 2


def test_a_port_that_is_taken_is_said(tmp_path: Path, series_model: Path) -> None:
    settings = settings_of(tmp_path)
    with pytest.raises(SurroundingsError, match="Cannot listen"):
        Node(
            NodeSettings(
                title="NODE",
                host="192.0.2.1",
                allow=("A",),
                spool=settings.spool,
                results=settings.results,
            ),
            partial(Detector.load, series_model),
        )


def test_a_model_that_cannot_be_used_leaves_no_port_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: Load) -> Answering:
        raise InputError("no model")

    monkeypatch.setattr(module, "Answering", refused)
    port = free_port()
    with pytest.raises(InputError, match="no model"):
        Node(replace(settings_of(tmp_path), port=port), Detector.load)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
