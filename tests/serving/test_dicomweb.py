"""A study of a real archive over DICOMweb: fetched, answered, results stored, nothing left here."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from tests.fixtures.dicom_files import STUDY, enhanced, image, save, write_series
from tests.fixtures.orthanc import PLUGIN, Orthanc, running_orthanc
from tests.serving.test_dicom_results import AFFINE, WHOLE, voxels

import tumorscope as ts
from tumorscope.cli.app import run
from tumorscope.common.errors import InputError, OutputError, UsageError
from tumorscope.detection.series_finding import SeriesFinding
from tumorscope.scans import NotRead
from tumorscope.serving.dicomweb_session import TOKEN, check_address, headers_from

pydicom = pytest.importorskip("pydicom", reason="needs the dicom extra")
pytest.importorskip("dicomweb_client", reason="needs the dicom extra")

from pydicom import Dataset  # noqa: E402
from pydicom.dataset import FileMetaDataset  # noqa: E402
from pydicom.uid import (  # noqa: E402
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
)

from tumorscope.serving.delivery import Delivery  # noqa: E402
from tumorscope.serving.dicom_results import results_of  # noqa: E402
from tumorscope.serving.dicomweb import Archive, SeriesThere  # noqa: E402
from tumorscope.serving.fetched_study import FetchedStudy  # noqa: E402


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """With one study: uncompressed, JPEG-LS, JPEG 2000 and enhanced series, and one of CT."""
    if not PLUGIN.exists():
        pytest.skip("needs Debian's orthanc-dicomweb")
    folder = tmp_path_factory.mktemp("dicomweb")
    study = folder / "study"
    write_series(study / "1", voxels(), AFFINE, series=1, **WHOLE)
    for number, syntax in ((2, JPEGLSLossless), (3, JPEG2000Lossless)):
        for index, plane in enumerate(voxels((), 6).astype(np.uint16)):
            made = image(
                plane, number=index + 1, series=number, position=(0.0, 0.0, 5.0 * index), **WHOLE
            )
            save(made, study / str(number) / f"{index}.dcm", syntax=syntax)
    places = [(-94.0, -94.0, -60.0 + 5 * index) for index in range(24)]
    save(enhanced(voxels(), places, spacing=(4.0, 4.0), series=4, **WHOLE), study / "4" / "a.dcm")
    save(image(voxels()[0], series=5, Modality="CT", **WHOLE), study / "5" / "a.dcm")
    with running_orthanc(folder / "orthanc", Plugins=[str(PLUGIN)]) as running:
        running.add(study)
        yield running


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go."""
    place = tmp_path / "tmp"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    monkeypatch.setattr("tempfile.tempdir", str(place))
    return place


def test_a_study_is_answered_and_its_results_lie_beside_it(
    orthanc: Orthanc,
    series_model: Path,
    tmp_path: Path,
    temporary: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = orthanc.instances()
    table, out = tmp_path / "findings.csv", tmp_path / "results"
    words = ["predict", "--dicomweb", orthanc.dicomweb, "--study", STUDY, "--store", "--json"]
    words += ["--model", str(series_model), "-o", str(table), "--dicom-results", str(out)]
    assert run(words) == 0
    told = capsys.readouterr()
    document = json.loads(told.out)
    assert document["dicom_results"]["stored"] == document["dicom_results"]["written"] == 4
    assert "1 series of other modalities" in told.err
    with table.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["decision"] for row in rows][:1] == ["tumour"]
    assert rows[0]["path"] == f"{orthanc.dicomweb}/studies/{STUDY}/series/{STUDY}.1"
    assert [row["series_uid"] for row in rows] == [f"{STUDY}.{number}" for number in (1, 2, 3, 4)]
    after = orthanc.instances()
    assert {uid: after[uid] for uid in before} == before
    written = {path.stem.partition("-")[2]: path.read_bytes() for path in out.iterdir()}
    assert {uid: after[uid] for uid in after if uid not in before} == written
    assert len(written) == 8
    assert run([*words, "--series", f"{STUDY}.1"]) == 0  # the same objects, which are there already
    assert orthanc.instances() == after
    assert list(temporary.iterdir()) == []


def test_instances_come_as_they_are_stored(orthanc: Orthanc, tmp_path: Path) -> None:
    stored = orthanc.instances()
    archive = Archive(orthanc.dicomweb)
    listed = {each.uid: each for each in archive.series_of(STUDY)}
    for number, syntax in ((2, JPEGLSLossless), (3, JPEG2000Lossless)):
        folder = tmp_path / str(number)
        assert archive.fetch(STUDY, listed[f"{STUDY}.{number}"], folder) == 6
        for path in folder.iterdir():
            fetched = pydicom.dcmread(path)
            assert fetched.file_meta.TransferSyntaxUID == syntax
            original = pydicom.dcmread(io.BytesIO(stored[fetched.SOPInstanceUID]))
            assert fetched.PixelData == original.PixelData
    short = SeriesThere(f"{STUDY}.2", "MR", 7)
    with pytest.raises(InputError, match="6 instances of a series of 7"):
        archive.fetch(STUDY, short, tmp_path / "short")


def test_one_series_alone_and_uids_that_are_not_there(
    orthanc: Orthanc, series_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["predict", "--dicomweb", orthanc.dicomweb, "--model", str(series_model), "--json"]
    assert run([*words, "--study", STUDY, "--series", f"{STUDY}.4"]) == 0
    assert json.loads(capsys.readouterr().out)["series"] == 1
    assert run([*words, "--study", STUDY, "--series", "1.2.3"]) == 3
    assert "none that has the UID of --series" in capsys.readouterr().err
    assert run([*words, "--study", "1.2.3"]) == 3
    assert "knows no series of the study" in capsys.readouterr().err
    assert run([*words, "--study", "1.2/../3"]) == 2
    assert "expected a UID" in capsys.readouterr().err


def test_paths_that_will_be_gone_become_addresses(series_model: Path, tmp_path: Path) -> None:
    write_series(tmp_path / "0", voxels(), AFFINE, **WHOLE)
    detector = ts.Detector.load(series_model)
    found = detector.detect_series(tmp_path / "0")
    lost = NotRead("damaged", str(tmp_path / "0" / "x.dcm"))
    found = replace(found, passed_over=(lost,))
    study = FetchedStudy(tmp_path, "https://pacs/studies/1", ("1.2",), 0)
    shown = study.addressed(found)
    assert isinstance(shown, SeriesFinding)
    assert shown.path == "https://pacs/studies/1/series/1.2"
    assert shown.passed_over[0].path == study.addressed(lost).path == shown.path
    key = shown.key_slices[0]
    assert key.path == key.finding.source == f"{shown.path}/instances/{key.sop_instance_uid}"
    assert str(tmp_path) not in repr(shown)
    assert len(results_of(shown, detector.metadata)) == 2  # still


def test_options_that_say_nothing_together(capsys: pytest.CaptureFixture[str]) -> None:
    for words, said in (
        ([], "Received no PATHS"),
        (["--study", "1.2"], "without an archive"),
        (["--dicomweb", "http://localhost:1/x"], "without a study"),
        (["a.png", "--dicomweb", "http://localhost:1/x", "--study", "1"], "with paths"),
        (["--dicomweb", "http://localhost:1/x", "--study", "1.2", "--resume"], "--resume"),
        (["--dicomweb", "ftp://x", "--study", "1.2"], "address of a DICOMweb service"),
    ):
        assert run(["predict", *words]) == 2
        assert said in capsys.readouterr().err


def test_secrets_come_from_a_file_or_the_environment_and_never_travel_in_clear(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN, "t0ken")
    file = tmp_path / "headers"
    file.write_text("# of the archive\nX-Key: abc\n\n")
    assert headers_from(file) == {"Authorization": "Bearer t0ken", "X-Key": "abc"}
    file.write_text("s3cret\n")
    with pytest.raises(InputError, match="Line 1") as told:
        headers_from(file)
    assert "s3cret" not in str(told.value)
    with pytest.raises(InputError, match="cannot be read"):
        headers_from(tmp_path / "none")
    with pytest.raises(UsageError, match="name or password") as refused:
        check_address("https://me:s3cret@pacs.example/dicom-web", secret=False)
    assert "s3cret" not in str(refused.value)
    with pytest.raises(UsageError, match="not encrypted"):
        check_address("http://pacs.example/dicom-web", secret=True)
    assert check_address("http://127.0.0.1:8042/dicom-web/", secret=True).endswith("dicom-web")


REFUSAL = json.dumps(
    {"00081198": {"vr": "SQ", "Value": [{"00081197": {"vr": "US", "Value": [0xA700]}}]}}
).encode()
"""What an archive answers to STOW where it did not take one of the objects."""


SERIES = json.dumps(
    [
        {"0020000E": {"vr": "UI", "Value": ["1.2.3.4"]}, "00080060": {"vr": "CS", "Value": ["MR"]}},
        {"0020000E": {"vr": "UI", "Value": ["1.2.3.3"]}},
    ]
).encode()
"""Series as an archive lists them that never heard of paging, and does not say how many images."""


class _Odd(BaseHTTPRequestHandler):
    """A server that answers by path: a status, a way elsewhere, or what is no DICOM."""

    seen: list[str | None] = []  # noqa: RUF012 - of the class on purpose
    hosts: list[str | None] = []  # noqa: RUF012

    def _answer(self) -> None:
        self.seen.append(self.headers.get("Authorization"))
        self.hosts.append(self.headers.get("Host"))
        word = self.path.split("/")[1]
        body = {"refuses": REFUSAL, "same": SERIES}.get(word, b"<html>hello</html>")
        self.send_response(int(word) if word.isdigit() else 200)
        if word == "302":
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        kind = "application/dicom+json" if word in ("odd", "refuses", "same") else "text/html"
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body) + 1000 * (word == "cut")))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = _answer

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def odd() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Odd)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("401", "TUMORSCOPE_DICOMWEB_TOKEN"),
        ("404", "nothing at that address"),
        ("500", "it failed"),
        ("302", "another address"),
        ("odd", "no DICOM"),
        ("cut", "broke off"),
    ],
)
def test_what_goes_wrong_is_told_in_a_paragraph(odd: str, word: str, said: str) -> None:
    archive = Archive(f"{odd}/{word}", headers={"Authorization": "Bearer t0ken"})
    with pytest.raises(InputError, match=said) as told:
        archive.series_of("1.2.3")
    assert "t0ken" not in str(told.value)
    assert _Odd.seen[-1] == "Bearer t0ken"
    assert _Odd.hosts[-1] == odd.removeprefix("http://")  # the client leaves the port out
    with pytest.raises(OutputError):
        archive.store([_small()])


def test_what_an_archive_refuses_is_counted_and_nothing_at_all_is_an_error(
    odd: str, series_model: Path, tmp_path: Path
) -> None:
    write_series(tmp_path / "in", voxels((), 6), AFFINE, **WHOLE)
    detector = ts.Detector.load(series_model)
    found = detector.detect_series(tmp_path / "in")
    delivery = Delivery(metadata=detector.metadata, archive=Archive(f"{odd}/refuses"))
    delivery.add(found)
    assert (delivery.stored, len(delivery.refused)) == (0, 1)
    with pytest.raises(OutputError, match=r"refused 1 of 2 results \(reason A700"):
        delivery.check()
    delivery.folder = tmp_path / "out"
    delivery.add(found)
    delivery.check()  # something got somewhere
    assert delivery.to_json()["refused"] == 2
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_a_certificate_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    certificate, key = tmp_path / "a.crt", tmp_path / "a.key"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    words += ["-nodes", "-days", "1", "-subj", "/CN=a", "-addext", "subjectAltName=IP:127.0.0.1"]
    words += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(words, check=True, capture_output=True)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Odd)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        archive = Archive(f"https://127.0.0.1:{server.server_port}/404")
        with pytest.raises(InputError, match="certificate cannot be verified"):
            archive.series_of("1.2.3")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        with pytest.raises(InputError, match="nothing at that address"):
            archive.series_of("1.2.3")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_list_ends_where_an_archive_repeats_it(odd: str) -> None:
    assert Archive(f"{odd}/same").series_of("1.2.3") == [
        SeriesThere("1.2.3.3", "", None),
        SeriesThere("1.2.3.4", "MR", None),
    ]


def test_nobody_there() -> None:
    with pytest.raises(InputError, match="no connection can be made"):
        Archive("http://127.0.0.1:1/dicom-web").series_of("1.2.3")


def _small() -> Dataset:
    made = image(voxels()[0])
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return made


def test_nothing_is_left_where_it_is_told_to_end(
    orthanc: Orthanc, series_model: Path, temporary: Path
) -> None:
    words = [sys.executable, "-m", "tumorscope", "predict", "--dicomweb", orthanc.dicomweb]
    words += ["--study", STUDY, "--model", str(series_model), "-o", str(temporary.parent / "a.csv")]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    process = subprocess.Popen(words, env=environment, stderr=subprocess.PIPE)
    until = time.monotonic() + 60
    while not any(temporary.rglob("*.dcm")) and time.monotonic() < until:
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert list(temporary.iterdir()) == []
