"""What clients and files can do to the service: nothing that outlasts their request."""

from __future__ import annotations

import asyncio
import io
import os
import socket
import time
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from starlette.types import Message, Receive, Scope, Send
from tests.serving.http.conftest import Client, Serve, Slow

from tumorscope.common.errors import UsageError
from tumorscope.common.files import write_text
from tumorscope.detection.detector import Detector
from tumorscope.detection.finding import Finding
from tumorscope.imaging.inputs import Image
from tumorscope.serving.http.app import _sweep
from tumorscope.serving.http.guard import Guard
from tumorscope.serving.http.limits import Limits
from tumorscope.serving.http.metrics import Metrics
from tumorscope.serving.http.store import FINDING, Store


def archive(members: dict[str, bytes], *, packed: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", packed) as opened:
        for name, data in members.items():
            opened.writestr(name, data)
    return stream.getvalue()


def port_of(client: Client) -> int:
    assert client.base_url.port is not None
    return client.base_url.port


def test_members_of_archives_are_counted_as_they_come_out_and_lie_under_numbers(
    serve: Serve, bright: Path, tmp_path: Path
) -> None:
    client = serve(files=5, unpacked=300_000)
    outside = archive({"../../evil.png": bright.read_bytes(), "/etc/a.png": bright.read_bytes()})
    found = client.post("/v1/findings", files={"files": ("a.zip", outside)}).json()
    assert found["decisions"] == {"tumour": 2}
    assert not list(tmp_path.parent.rglob("evil.png"))
    assert all(path.name[0] in "zeuf" for path in (client.spool / found["id"]).iterdir())
    zeros = archive({"a.png": bytes(10**6)}, packed=zipfile.ZIP_DEFLATED)
    assert client.post("/v1/findings", files={"files": ("a.zip", zeros)}).status_code == 413
    many = archive({f"{number}.png": b"x" for number in range(6)})
    assert client.post("/v1/findings", files={"files": ("a.zip", many)}).status_code == 413
    long = archive({f"{number}.png": b"" for number in range(60)})
    assert client.post("/v1/findings", files={"files": ("a.zip", long)}).status_code == 413
    for broken in (archive({})[:10] + b"PK\x03\x04", outside[:-40], archive({"a/": b""})):
        broken = broken if broken.startswith(b"PK") else b"PK\x03\x04" + broken
        answer = client.post("/v1/findings", files={"files": ("a.zip", broken)})
        assert answer.status_code == 422
    assert {each.name for each in client.spool.iterdir()} >= {found["id"]}
    for each in client.spool.iterdir():  # of what failed, only why
        if each.name != found["id"]:
            assert [path.name for path in each.iterdir()] == [FINDING]


def test_more_than_a_thousand_files_in_a_form_are_taken_up_to_the_limit(
    serve: Serve, bright: Path
) -> None:
    client = serve(files=1001)
    files = [("files", (f"{number}.png", b"x")) for number in range(1001)]
    found = client.post("/v1/findings?wait=30", files=files).json()
    assert found["decisions"] == {"unreadable": 1001}
    before = set(client.spool.iterdir())
    more = client.post("/v1/findings", files=[*files, ("files", ("one-more.png", b"x"))])
    assert more.status_code == 413
    assert set(client.spool.iterdir()) == before


def test_large_requests_are_refused_and_leave_nothing(serve: Serve) -> None:
    client = serve(request=50_000, spool=60_000)
    image = {"content-type": "image/png"}
    told = client.post("/v1/findings", content=bytes(50_001), headers=image)
    assert told.status_code == 413

    def chunks() -> Iterator[bytes]:
        for _ in range(60):
            yield bytes(1000)

    assert client.post("/v1/findings", content=chunks(), headers=image).status_code == 413
    assert list(client.spool.iterdir()) == []
    assert client.service.store.used == 0
    kept = client.post("/v1/findings", content=bytes(40_000), headers=image)
    assert kept.status_code == 200
    full = client.post("/v1/findings", content=bytes(40_000), headers=image)
    assert full.status_code == 507
    client.delete(kept.headers["location"])
    assert client.post("/v1/findings", content=bytes(40_000), headers=image).status_code == 200


def test_a_full_queue_says_when_to_come_back(serve: Serve, slow: Slow, bright: Path) -> None:
    client = serve(waiting=2, detector=slow)
    picture, kind = bright.read_bytes(), {"content-type": "image/png"}
    sent = [client.post("/v1/findings?wait=0", content=picture, headers=kind) for _ in range(3)]
    assert [answer.status_code for answer in sent] == [202, 202, 503]
    assert int(sent[2].headers["retry-after"]) >= 1
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").status_code == 200
    waiting = client.get(sent[1].headers["location"]).json()
    assert waiting["state"] in ("queued", "running")
    assert (waiting["looked_at"], waiting["total"]) == (0, 1)
    assert client.get(sent[1].headers["location"] + "/table.csv").status_code == 404
    assert client.delete(sent[1].headers["location"]).status_code == 204
    assert client.get(sent[1].headers["location"]).status_code == 404
    slow.let_go.set()
    end = time.monotonic() + 20
    while client.get(sent[0].headers["location"]).json()["state"] != "done":
        assert time.monotonic() < end
        time.sleep(0.01)
    while len(list(client.spool.iterdir())) > 1:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_requests_take_turns_within_a_batch(serve: Serve, slow: Slow, bright: Path) -> None:
    client = serve(detector=slow)
    picture = bright.read_bytes()
    many = [("files", (f"{number}.png", picture)) for number in range(40)]
    first = client.post("/v1/findings?wait=0", files=many).headers["location"]
    second = client.post("/v1/findings?wait=0", files=many[:1]).headers["location"]
    slow.let_go.set()
    end = time.monotonic() + 20
    while client.get(second).json()["state"] != "done":
        assert time.monotonic() < end
    large = client.service.active.get(first.rpartition("/")[2])
    assert large is None or large.looked_at <= 40
    while client.get(first).json()["state"] != "done":
        assert time.monotonic() < end
    rows = client.get(first).json()["rows"]
    assert [row["path"] for row in rows] == [f"{number}.png" for number in range(40)]


def test_aborted_and_slow_uploads_leave_nothing(serve: Serve) -> None:
    client = serve(idle=0.3)
    head = b"POST /v1/findings HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
    head += b"Content-Length: 1000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port_of(client))) as aborted:
        aborted.sendall(head + bytes(100))
        end = time.monotonic() + 10
        while not list(client.spool.iterdir()):
            assert time.monotonic() < end
            time.sleep(0.005)
    with socket.create_connection(("127.0.0.1", port_of(client)), timeout=10) as slow:
        slow.sendall(head + bytes(100))
        assert slow.recv(1000).startswith(b"HTTP/1.1 408 ")
    while list(client.spool.iterdir()):
        assert time.monotonic() < end
        time.sleep(0.01)
    assert client.service.store.used == 0


def test_work_for_a_client_that_went_away_is_dropped(
    serve: Serve, slow: Slow, bright: Path
) -> None:
    client, picture = serve(detector=slow), bright.read_bytes()
    head = (
        f"POST /v1/findings?wait=30 HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(picture)}"
    )
    with socket.create_connection(("127.0.0.1", port_of(client))) as impatient:
        impatient.sendall(f"{head}\r\nContent-Type: image/png\r\n\r\n".encode() + picture)
        end = time.monotonic() + 20
        while not client.service.active:
            assert time.monotonic() < end
            time.sleep(0.005)
        [job] = client.service.active.values()
    while not job.cancelled:
        assert time.monotonic() < end
        time.sleep(0.005)
    slow.let_go.set()
    while list(client.spool.iterdir()):
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_client_that_takes_nothing_is_left() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> Message:
        return {"type": "http.request"}

    async def stuck(message: Message) -> None:
        await asyncio.sleep(60)

    guard = Guard(
        app,
        metrics=Metrics(),
        token=None,
        only_local=False,
        rate=None,
        idle=0.05,
        secure=False,
    )
    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    with pytest.raises(TimeoutError):
        asyncio.run(guard(scope, receive, stuck))


def test_connections_that_never_ask_are_closed(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tumorscope.serving.http.server.HEAD_SECONDS", 0.2)
    client = serve()
    with socket.create_connection(("127.0.0.1", port_of(client)), timeout=10) as silent:
        silent.sendall(b"GET /healthz HTTP/1.1\r\nHost: loc")
        assert silent.recv(100) == b""
    assert client.get("/healthz").status_code == 200


def test_results_go_when_their_time_has_passed(serve: Serve, bright: Path) -> None:
    client = serve(retention=100.0)
    sent = client.post("/v1/findings", files={"files": ("a.png", bright.read_bytes())})
    assert client.get(sent.headers["location"]).status_code == 200
    (answer,) = client.spool.rglob(FINDING)
    os.utime(answer, (0, answer.stat().st_mtime + 9999999))  # by a clock that ran ahead
    assert client.service.store.sweep() == 0
    os.utime(answer, (0, answer.stat().st_mtime - 101))
    assert client.get(sent.headers["location"]).status_code == 404
    assert client.service.store.sweep() == 1
    assert list(client.spool.iterdir()) == []


def test_after_a_sweep_that_failed_there_are_others(monkeypatch: pytest.MonkeyPatch) -> None:
    swept: list[int] = []

    def sweep() -> int:
        swept.append(len(swept))
        if len(swept) == 1:
            raise OSError(24, "Too many open files")
        return 0

    async def at_once(_: float) -> None:
        if len(swept) == 3:
            raise asyncio.CancelledError

    service: Any = SimpleNamespace(limits=Limits(retention=100), store=SimpleNamespace(sweep=sweep))
    monkeypatch.setattr(asyncio, "sleep", at_once)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(_sweep(service))
    assert swept == [0, 1, 2]


def test_what_is_deleted_while_its_page_is_made_stays_deleted(tmp_path: Path) -> None:
    store = Store(tmp_path, retention=100, most=10**6)
    place = store.new()
    (place / FINDING).write_text("{}")
    with store.growing(place):
        store.remove(place)
        write_text(place / "pictures.html", "late")
    assert list(tmp_path.iterdir()) == []
    assert store.used == 0


def test_answers_outlast_the_service_and_what_was_begun_does_not(tmp_path: Path) -> None:
    store = Store(tmp_path, retention=100, most=10**6)
    done, begun = store.new(), store.new()
    (done / FINDING).write_text("{}")
    (begun / "u0").write_bytes(b"x")
    (tmp_path / "mine.txt").write_text("not of the service")
    again = Store(tmp_path, retention=100, most=10**6)
    assert again.place(done.name) == done
    assert not begun.exists()
    assert again.used == 2
    assert (tmp_path / "mine.txt").exists()


def test_a_value_that_is_no_number_is_a_failure_and_not_null(
    serve: Serve, served_detector: Detector, bright: Path
) -> None:
    class Odd(Detector):
        def detect_many(
            self, images: Iterable[Image], *, batch: int | None = None
        ) -> Iterator[Finding]:
            for found in super().detect_many(images, batch=batch):
                yield replace(found, distance=float("nan"))

    odd = Odd(served_detector._model, threads=1)
    client = serve(detector=odd)
    kind = {"content-type": "image/png"}
    answer = client.post("/v1/findings", content=bright.read_bytes(), headers=kind)
    assert answer.status_code == 500
    assert "no number" in answer.json()["received"]


def test_a_fault_of_one_request_is_not_one_of_the_next(
    serve: Serve, served_detector: Detector, bright: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Failing(Detector):
        times = 1

        def detect_many(
            self, images: Iterable[Image], *, batch: int | None = None
        ) -> Iterator[Finding]:
            Failing.times -= 1
            if Failing.times >= 0:
                raise MemoryError("SECRET.png")
            return super().detect_many(images, batch=batch)

    client = serve(detector=Failing(served_detector._model, threads=1))
    kind, data = {"content-type": "image/png"}, bright.read_bytes()
    assert client.post("/v1/findings", content=data, headers=kind).status_code == 500
    assert client.post("/v1/findings", content=data, headers=kind).status_code == 200
    said = capsys.readouterr().err
    assert "MemoryError" in said
    assert "SECRET" not in said


@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_limits_are_above_zero(value: float) -> None:
    with pytest.raises(UsageError, match="above 0"):
        Limits(retention=value)


def test_volumes_are_known_by_content(tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel", reason="needs the dicom extra")
    from tumorscope.serving.http.uploads import Receiver

    values = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    store = Store(tmp_path / "spool", retention=1, most=10**6)
    receiver = Receiver(store.new(), store, Limits())
    for ending in ("nii", "nii.gz"):
        nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), tmp_path / f"a.{ending}")
        receiver.begin("any name")
        receiver.data((tmp_path / f"a.{ending}").read_bytes())
        receiver.end()
    assert [each.kind for each in receiver.files] == ["volume", "volume"]
    assert [each.path.name for each in receiver.files] == ["u0.nii", "u1.nii.gz"]
