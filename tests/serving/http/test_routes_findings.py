"""Files in, findings out: as the command line answers, over a real socket."""

from __future__ import annotations

import io
import json
import re
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.serving.http.conftest import Client, Serve

from tumorscope.cli.app import run
from tumorscope.common.memory import IMAGES
from tumorscope.detection.series_tables import SERIES_COLUMNS, SLICE_COLUMNS
from tumorscope.detection.tables import FINDING_COLUMNS
from tumorscope.serving.http.schema import Findings


def finished(client: Client, name: str, seconds: float = 60) -> dict[str, Any]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found: dict[str, Any] = client.get(f"/v1/findings/{name}").json()
        if found["state"] in ("done", "failed"):
            return found
        time.sleep(0.02)
    raise AssertionError("it does not end")


def zipped(folder: Path) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder.parent).as_posix())
    return packed.getvalue()


def test_one_picture_is_answered_at_once_as_the_command_answers(
    shared_service: Client, bright: Path, series_model: Path, tmp_path: Path
) -> None:
    sent = shared_service.post(
        "/v1/findings?name=scan.png",
        content=bright.read_bytes(),
        headers={"content-type": "image/png"},
    )
    assert sent.status_code == 200
    found = Findings.model_validate_json(sent.content)
    assert (found.state, found.decisions) == ("done", {"tumour": 1})
    assert re.fullmatch("[0-9a-f]{32}", found.id)
    assert sent.headers["location"] == f"/v1/findings/{found.id}"
    table = tmp_path / "t.jsonl"
    assert run(["predict", str(bright), "--model", str(series_model), "-o", str(table)]) == 0
    [line] = table.read_text().splitlines()
    same = {**json.loads(line), "path": "scan.png", "ms": sent.json()["rows"][0]["ms"]}
    assert sent.json()["rows"] == [same]
    assert "signs of a tumour" in found.items[0].words
    assert shared_service.get(sent.headers["location"]).json() == sent.json()


def test_many_files_have_rows_in_their_order_with_pictures_tables_and_a_page(
    shared_service: Client, bright: Path
) -> None:
    dark = io.BytesIO()
    noise = np.random.default_rng(1).integers(0, 90, (96, 96), dtype=np.uint8)
    Image.fromarray(noise).save(dark, "PNG")
    files = [
        ("files", ("a/bright.png", bright.read_bytes())),
        ("files", ("=words.txt", b"no picture")),
        ("anything", ("dark.png", dark.getvalue())),
    ]
    sent = shared_service.post("/v1/findings", files=files, data={"note": "passed over"})
    rows = sent.json()["rows"]
    assert [row["decision"] for row in rows] == ["tumour", "unreadable", "no tumour"]
    assert [row["path"] for row in rows] == ["a/bright.png", "=words.txt", "dark.png"]
    place = sent.headers["location"]
    for view in ("overlay", "picture", "evidence"):
        shown = shared_service.get(f"{place}/{view}/0.png")
        assert shown.headers["content-type"] == "image/png"
        picture = Image.open(io.BytesIO(shown.content))
        assert picture.size == (96, 96) or view == "overlay"
    assert shared_service.get(f"{place}/picture/1.png").status_code == 404
    assert shared_service.get(f"{place}/picture/3.png").status_code == 404
    assert shared_service.get(f"{place}/picture/x.png").status_code == 422
    table = shared_service.get(f"{place}/table.csv").text.splitlines()
    assert table[0] == ",".join(FINDING_COLUMNS)
    assert len(table) == 4
    lines = shared_service.get(f"{place}/table.jsonl").text.splitlines()
    assert [json.loads(line) for line in lines] == rows
    page = shared_service.get(f"{place}/report.html")
    assert "attachment" in page.headers["content-disposition"]
    assert page.text.count("<article") == 3
    assert shared_service.get(f"{place}/table.csv?of=series").status_code == 404
    assert "no DICOM series" in shared_service.get(f"{place}/dicom.zip").json()["received"]


def test_a_zip_of_a_study_is_a_finding_for_each_series(
    shared_service: Client, study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pydicom = pytest.importorskip("pydicom", reason="needs the dicom extra")
    sent = shared_service.post("/v1/findings?wait=0", files={"files": ("s.zip", zipped(study))})
    assert sent.status_code == 202
    place = sent.headers["location"]
    found = finished(shared_service, sent.json()["id"])
    series, passed = found["rows"]
    assert (series["decision"], passed["decision"]) == ("tumour", "passed over")
    assert passed["path"] == "STUDY/README.txt"
    assert set(series) == {*SERIES_COLUMNS, "slices_looked_at"}
    assert set(series["slices_looked_at"][0]) >= set(SLICE_COLUMNS)
    item = Findings.model_validate(found).items[0]
    assert item.pictures == len(series["slices_looked_at"]) == len(item.positions)
    assert "SECRET" not in json.dumps(found)
    key = item.key_pictures[0]
    slice_row = series["slices_looked_at"][key - item.first_picture]
    assert slice_row["position"] == series["key_position"]
    shown = shared_service.get(f"{place}/picture/{key}.png")
    assert np.asarray(Image.open(io.BytesIO(shown.content))).mean() > 150
    assert shared_service.get(f"{place}/evidence/{key}.png").status_code == 200
    assert shared_service.get(f"{place}/picture/{item.pictures}.png").status_code == 404
    assert shared_service.get(f"{place}/table.csv").text.startswith(",".join(SERIES_COLUMNS))
    slices = shared_service.get(f"{place}/table.csv?of=slices").text
    assert slices.startswith(",".join(SLICE_COLUMNS))
    page = shared_service.get(f"{place}/report.html").text
    assert "<svg" in page
    assert "SECRET" not in page
    with monkeypatch.context() as patch:  # where memory runs out, no archive without its series
        patch.setattr("tumorscope.scans.read._decoded", without_memory)
        assert shared_service.get(f"{place}/dicom.zip").status_code == 500
    results = zipfile.ZipFile(io.BytesIO(shared_service.get(f"{place}/dicom.zip").content))
    assert sorted(name[:3] for name in results.namelist()) == ["SC-", "SR-"]
    report = pydicom.dcmread(io.BytesIO(results.read(max(results.namelist()))))
    assert report.StudyInstanceUID == series["study_uid"]


def without_memory(*_: object) -> None:
    raise MemoryError


def test_pictures_and_volumes_together_are_all_answered(
    shared_service: Client, study: Path, bright: Path
) -> None:
    pytest.importorskip("nibabel", reason="needs the dicom extra")
    paths = [bright, *sorted((study / "1").iterdir())]
    files = [("files", (path.name, path.read_bytes())) for path in paths]
    found = shared_service.post("/v1/findings?wait=30", files=files).json()
    assert [item["kind"] for item in found["items"]] == ["picture", "series"]
    assert found["items"][1]["first_picture"] == 1
    place = f"/v1/findings/{found['id']}"
    both = shared_service.get(f"{place}/table.csv")
    assert both.status_code == 409
    assert "?of=pictures" in both.json()["expected"]
    assert "bright.png" in shared_service.get(f"{place}/table.csv?of=pictures").text
    assert "<article" in shared_service.get(f"{place}/report.html?of=pictures").text


def test_a_volume_of_more_than_the_budget_is_told_and_the_others_are_answered(
    shared_service: Client, study: Path, bright: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tumorscope.scans.read.bytes_of_stack", lambda _: 2 * IMAGES.limit)
    paths = [bright, *sorted((study / "1").iterdir())]
    sent = [("files", (path.name, path.read_bytes())) for path in paths]
    found = shared_service.post("/v1/findings?wait=30", files=sent).json()
    assert [item["kind"] for item in found["items"]] == ["picture", "not-read"]
    assert "--image-memory allows more" in found["items"][1]["words"]
    assert "signs of a tumour" in found["items"][0]["words"]
    assert (IMAGES.volumes, IMAGES.taken) == (0, 0)


def test_what_is_deleted_is_gone(serve: Serve, bright: Path) -> None:
    client = serve()
    sent = client.post("/v1/findings", files={"files": ("a.png", bright.read_bytes())})
    place = sent.headers["location"]
    assert client.spool.stat().st_mode & 0o777 == 0o700
    assert client.delete(place).status_code == 204
    assert client.delete(place).status_code == 404
    assert client.get(place).status_code == 404
    assert client.get(f"{place}/overlay/0.png").status_code == 404
    assert list(client.spool.iterdir()) == []
    assert client.service.store.used == 0


def test_errors_say_what_was_received_what_is_expected_and_what_to_do(
    shared_service: Client, bright: Path
) -> None:
    form = {"content-type": "multipart/form-data; boundary=x"}
    cases = [
        (shared_service.post("/v1/findings", json={}), 415),
        (shared_service.post("/v1/findings", content=b"--x\r\n", headers=form), 400),
        (shared_service.post("/v1/findings", content=b"--x--\r\n", headers=form), 400),
        (shared_service.post("/v1/findings", files={"files": ("a.png", b"")}), 400),
        (shared_service.post("/v1/findings?wait=nan", files={"f": ("a.png", b"x")}), 422),
        (shared_service.get("/v1/findings/../../etc/passwd"), 404),
        (shared_service.get(f"/v1/findings/{'0' * 32}"), 404),
        (shared_service.get("/v1/findings/..%2f..%2fetc%2fpasswd/overlay/0.png"), 404),
        (shared_service.put("/v1/model"), 405),
    ]
    for answer, status in cases:
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        said = answer.json()
        assert said["status"] == status
        assert said["received"].startswith("Received ")
        assert said["expected"].startswith("Expected")
        assert said["what_to_do"]


def test_the_model_and_the_state_of_the_service_can_be_asked(shared_service: Client) -> None:
    about = shared_service.get("/v1/model").json()
    assert about["model"].startswith("tiny@")
    assert about["series"] is True
    assert shared_service.get("/healthz").json() == {"status": "ok"}
    assert shared_service.get("/readyz").json() == {"status": "ok"}
    counted = shared_service.get("/metrics").text
    assert re.search(r'^tumorscope_http_responses_total\{code="200"\} \d+$', counted, re.M)
    assert "tumorscope_request_seconds_bucket" in counted
    assert shared_service.get("/docs").status_code == 404
