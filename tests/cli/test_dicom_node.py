"""The node as a user runs it, between real systems: nothing is lost, each series has one result."""

from __future__ import annotations

import json
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless, generate_uid
from tests.fixtures.dicom_files import COMPLETE, decimal, enhanced, save, write_series
from tests.fixtures.nodes import RunningNode
from tests.fixtures.orthanc import Orthanc, running_orthanc
from tests.fixtures.peers import free_port, storescu, until
from tests.fixtures.volumes import AFFINE, head

from tumorscope.cli.app import run

Start = Callable[..., RunningNode]


@pytest.fixture
def start(tmp_path: Path, series_model: Path) -> Iterator[Start]:
    """Start nodes, which end with the test."""
    nodes: list[RunningNode] = []

    def begin(*words: str, **more: float) -> RunningNode:
        spool = tmp_path / f"spool{len(nodes)}"
        nodes.append(RunningNode(spool, *words, model=series_model, **more))
        nodes[-1].listens()
        return nodes[-1]

    yield begin
    for node in nodes:
        if node.process.poll() is None:
            node.kill()


def write_study(folder: Path, syntax: str = ExplicitVRLittleEndian) -> str:
    """Write a series of 20 slices as a study of its own; return its UID."""
    study = generate_uid()
    uids = {"StudyInstanceUID": study, "SeriesInstanceUID": generate_uid()}
    uids["FrameOfReferenceUID"] = generate_uid()
    for path in write_series(folder, head(1)[0], AFFINE, **COMPLETE, **uids):
        dataset = pydicom.dcmread(path)
        dataset.SOPInstanceUID = generate_uid()
        save(dataset, path, syntax=syntax)
    return study


def write_enhanced(path: Path) -> str:
    """Write the same as one multi-frame file; return the UID of its study."""
    values = head(1)[0]
    positions = [AFFINE[:3, 3] + index * AFFINE[:3, 0] for index in range(len(values))]
    dataset = enhanced(
        values,
        positions,
        spacing=(4.0, 4.0),
        SOPInstanceUID=generate_uid(),
        StudyInstanceUID=(study := generate_uid()),
        SeriesInstanceUID=generate_uid(),
        FrameOfReferenceUID=generate_uid(),
        SliceThickness=decimal(6),
        **COMPLETE,
    )
    save(dataset, path)
    return study


def modalities(orthanc: Orthanc, study: str) -> list[str]:
    """Kinds of the series that a study of that UID has in Orthanc."""
    [found] = orthanc.http.post("/tools/lookup", content=study).json()
    series = orthanc.http.get(f"/studies/{found['ID']}/series").json()
    return sorted(each["MainDicomTags"]["Modality"] for each in series)


def test_orthanc_sends_studies_and_gets_the_results_into_them(start: Start, tmp_path: Path) -> None:
    port, archive = free_port(), free_port()
    words = ("--allow", "ORTHANC", "--allow", "SENDER", "--send-to", f"ORTHANC@127.0.0.1:{archive}")
    node = start(*words, port=port)
    early = write_study(tmp_path / "early")
    assert storescu(node.port, *sorted((tmp_path / "early").iterdir())).returncode == 0
    node.until(lambda: len(node.undelivered()) == 1)  # and there is nobody yet who takes it
    modality = {"node": ["NODE", "127.0.0.1", port]}
    with running_orthanc(
        tmp_path / "orthanc", DicomPort=archive, DicomModalities=modality
    ) as orthanc:
        studies = [
            write_study(tmp_path / "sent" / syntax, syntax)
            for syntax in (ExplicitVRLittleEndian, JPEGLSLossless, JPEG2000Lossless)
        ]
        studies.append(write_enhanced(tmp_path / "sent" / "enhanced.dcm"))
        orthanc.add(tmp_path / "sent")
        send_all(orthanc)
        wanted = ["MR", "OT", "SR"]
        node.until(lambda: all(modalities(orthanc, study) == wanted for study in studies))
        node.until(node.is_idle)
        assert modalities(orthanc, early) == ["OT", "SR"]
        instances = orthanc.http.get("/statistics").json()["CountInstances"]
        # What comes back, as from an archive that forwards all of a study, is not answered.
        send_all(orthanc)
        node.until(lambda: node.status().counts["own"] >= 2 * (len(studies) + 1))
        assert node.is_idle()
        assert orthanc.http.get("/statistics").json()["CountInstances"] == instances
    counts = node.status().counts
    assert (counts["series_answered"], counts["results_delivered"]) == (5, 10)
    assert counts["faults"] == 0
    assert not any(word in node.said() for word in ("Nobody", "0815", early, *studies))


def send_all(orthanc: Orthanc) -> None:
    for study in orthanc.http.get("/studies").json():
        sent = orthanc.http.post("/modalities/node/store", content=study)
        assert sent.json()["FailedInstancesCount"] == 0


def test_kills_lose_nothing_and_double_nothing(start: Start, tmp_path: Path) -> None:
    results = tmp_path / "results"
    node = start("--allow", "SENDER", "--results", str(results))
    folders = [tmp_path / "sent" / str(number) for number in range(2)]
    studies = {write_study(folder) for folder in folders}
    chance = random.Random(0)
    for folder in folders:
        files = sorted(folder.iterdir())
        half = chance.randrange(1, len(files))
        assert storescu(node.port, *files[:half]).returncode == 0
        time.sleep(chance.uniform(0, 1.0))
        node.kill()
        node.again()
        node.listens()
        assert storescu(node.port, *files[half:]).returncode == 0
    node.until(node.is_idle)
    whole = [
        record
        for path in (node.spool / "answers").glob("*/answer.json")
        if (record := json.loads(path.read_text()))["instances"] == 20
    ]
    assert len(whole) == len(studies)
    found = [pydicom.dcmread(path) for path in results.glob("SR-*.dcm")]
    assert {each.StudyInstanceUID for each in found} == studies
    assert node.stop() == 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--results", "r"], 2, "Received no --allow"),
        (["--allow", "A"], 2, "neither or both of --send-to and --results"),
        (["--allow", "A", "--send-to", "B"], 2, "expected AET@HOST:PORT"),
        (["--allow", "A", "--results", "r", "--retention", "-1"], 2, "expected 0 or more"),
        (["--allow", "A", "--results", "r", "--tls-key", "k"], 2, "expected the first two"),
        (["--allow", "A", "--results", "r", "--send-tls", "no"], 3, "cannot be used"),
        (["--allow", "A", "--results", "r", "--host", "192.0.2.1"], 3, "Cannot listen on"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    words: list[str], code: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["dicom-node", "--spool", str(tmp_path / "spool"), "--port", "0", *words]
    assert run(asked) == code
    assert said in capsys.readouterr().err


def test_it_runs_until_a_signal_and_says_how_it_is_doing(
    tmp_path: Path, series_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spool = tmp_path / "spool"
    words = ["dicom-node", "--spool", str(spool)]
    seen: list[int] = []

    def ask_and_stop() -> None:
        try:
            until((spool / "status.json").exists)
            seen.append(run([*words, "--status"]))
        finally:
            # What a real signal would call: sent too early it would end the process of all tests.
            handler = signal.getsignal(signal.SIGTERM)
            assert callable(handler)
            handler(signal.SIGTERM, None)

    thread = threading.Thread(target=ask_and_stop)
    thread.start()
    more = ["--port", "0", "--allow", "A", "--allow", "B", "--results", str(tmp_path / "results")]
    assert run([*words, *more, "--model", str(series_model), "--host", "0.0.0.0"]) == 0
    thread.join()
    assert seen == [0]
    shown = capsys.readouterr()
    assert "TUMORSCOPE listens on 0.0.0.0:" in shown.out
    assert "to A, B." in shown.err
    assert "Without TLS" in shown.err
    assert run([*words, "--status", "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["trouble"] == "The node was stopped."
    assert run(["dicom-node", "--spool", str(tmp_path / "none"), "--status"]) == 3
    assert run(["dicom-node", "--spool", str(tmp_path), "--study-complete", "1.2.3"]) == 3
