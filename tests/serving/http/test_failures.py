"""What goes wrong within the service is a problem too, and the command says why it cannot start."""

from __future__ import annotations

import errno
import socket
from pathlib import Path

import pytest
from tests.serving.http.conftest import Client, Serve

from tumorscope.cli.app import run

PNG = {"content-type": "image/png"}


@pytest.mark.parametrize("kind", ["", "; boundary=" + "x" * 300])
def test_a_form_without_a_usable_boundary_is_refused(shared_service: Client, kind: str) -> None:
    headers = {"content-type": f"multipart/form-data{kind}"}
    answer = shared_service.post("/v1/findings", content=b"x", headers=headers)
    assert answer.status_code == 400
    assert "curl -F" in answer.json()["expected"]


def test_what_is_no_form_though_it_says_so_is_refused(shared_service: Client) -> None:
    headers = {"content-type": "multipart/form-data; boundary=x"}
    for body in (b"no form", b"--x\r\nno header\r\n\r\n--x--\r\n"):
        assert shared_service.post("/v1/findings", content=body, headers=headers).status_code == 400


def test_work_that_takes_too_long_is_given_up(serve: Serve, bright: Path) -> None:
    client = serve(work=1e-9)
    many = [("files", (f"{number}.png", bright.read_bytes())) for number in range(40)]
    answer = client.post("/v1/findings", files=many)
    assert answer.status_code == 422
    assert "--work-seconds" in answer.json()["what_to_do"]
    later = client.get(answer.headers.get("location", f"/v1/findings/{_only(client)}")).json()
    assert (later["state"], later["problem"]["status"]) == ("failed", 422)
    assert client.get(f"/v1/findings/{_only(client)}/table.csv").status_code == 409


def _only(client: Client) -> str:
    [place] = client.spool.iterdir()
    return place.name


def test_a_full_disk_is_said_to_be_one(
    serve: Serve, bright: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    client = serve()
    for place in ("uploads._write_all", "pictures.keep", "service.write_answer"):
        with monkeypatch.context() as patched:
            patched.setattr(f"tumorscope.serving.http.{place}", full)
            answer = client.post("/v1/findings", content=bright.read_bytes(), headers=PNG)
            assert answer.status_code == 507, place
    assert client.post("/v1/findings", content=bright.read_bytes(), headers=PNG).status_code == 200


def test_a_fault_is_a_problem_without_words_of_the_program(
    serve: Serve, bright: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = serve()
    sent = client.post("/v1/findings", content=bright.read_bytes(), headers=PNG)

    def failing(*_: object) -> bytes:
        raise RuntimeError("SECRET")

    monkeypatch.setattr("tumorscope.serving.http.routes_results.png_of", failing)
    answer = client.get(f"{sent.headers['location']}/picture/0.png")
    assert answer.status_code == 500
    assert "SECRET" not in answer.text
    assert answer.json()["what_to_do"].startswith("This is a bug")


def test_the_command_says_what_it_cannot_start_with(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = ["--model", str(tiny_model)]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert run(["serve", *model, "--port", port]) == 3
        assert "--port 0" in capsys.readouterr().err
    pem = tmp_path / "a.pem"
    pem.write_text("no certificate")
    tls = ["--tls-certificate", str(pem), "--tls-key", str(pem)]
    assert run(["serve", *model, "--port", "0", *tls]) == 3
    assert "PEM" in capsys.readouterr().err
    assert run(["serve", *model, "--spool", str(pem)]) == 3
    assert "--spool" in capsys.readouterr().err
    assert run(["serve", *model, "--batch", "0"]) == 2
