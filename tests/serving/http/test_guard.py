"""Who may ask: this machine without a token, others with one, and no page from elsewhere."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from tests.serving.http.conftest import Client, Serve

from tumorscope.cli.app import run
from tumorscope.serving.http.address import Address
from tumorscope.serving.http.guard import SECURITY

TOKEN = "a-token-that-nobody-guesses"


def test_answers_carry_headers_that_keep_browsers_from_harm(shared_service: Client) -> None:
    for path in ("/", "/v1/model", "/nothing"):
        answer = shared_service.get(path)
        for name, value in SECURITY.items():
            assert answer.headers[name] == value
        assert answer.headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in answer.headers
        assert "server" not in answer.headers
    assert "unsafe" not in SECURITY["Content-Security-Policy"]


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8000", ""])
def test_names_that_lead_here_from_elsewhere_are_refused(shared_service: Client, host: str) -> None:
    assert shared_service.get("/v1/model", headers={"host": host}).status_code == 421


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1", "[::1]:8000"])
def test_names_of_this_machine_are_taken(shared_service: Client, host: str) -> None:
    assert shared_service.get("/v1/model", headers={"host": host}).status_code == 200


def test_pages_of_other_sites_cannot_make_a_browser_send(shared_service: Client) -> None:
    for headers in (
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
    ):
        files = {"files": ("a.png", b"x")}
        assert shared_service.post("/v1/findings", files=files, headers=headers).status_code == 403
    own = str(shared_service.base_url).rstrip("/")
    headers = {"origin": own, "sec-fetch-site": "same-origin"}
    assert shared_service.get("/v1/model", headers=headers).status_code == 200


def test_with_a_token_nothing_is_told_without_it(serve: Serve) -> None:
    client = serve(address=Address(host="0.0.0.0", port=0, token=TOKEN))
    for path in ("/v1/model", "/metrics", "/openapi.json", f"/v1/findings/{'0' * 32}"):
        answer = client.get(path)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        wrong = client.get(path, headers={"authorization": "Bearer wrong"})
        assert wrong.status_code == 401
    given = {"authorization": f"Bearer {TOKEN}"}
    assert client.get("/v1/model", headers=given).status_code == 200
    assert client.get("/v1/model", headers={**given, "host": "any.name"}).status_code == 200
    assert client.get("/healthz").status_code == 200
    assert client.get("/").status_code == 200


def test_one_address_is_slowed_down(serve: Serve) -> None:
    client = serve(rate=0.5)
    files = {"files": ("a.png", b"x")}
    answers = [client.post("/v1/findings", files=files) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 429, 429]
    assert int(answers[1].headers["retry-after"]) >= 1
    assert client.get("/v1/model").status_code == 200


def test_nobody_is_told_of_requests_whatever_the_environment_asks(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as collector:
        collector.settimeout(0.2)
        monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
        where = f"http://127.0.0.1:{collector.getsockname()[1]}"
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", where)
        client = serve()
        assert client.get("/v1/model").status_code == 200
        with pytest.raises(TimeoutError):
            collector.accept()


def test_the_command_refuses_to_be_open_to_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["serve", "--host", "0.0.0.0"]) == 2
    assert "--token-file" in capsys.readouterr().err
    token = tmp_path / "token.txt"
    token.write_text("short\n")
    assert run(["serve", "--host", "0.0.0.0", "--token-file", str(token)]) == 2
    assert "16" in capsys.readouterr().err
    assert run(["serve", "--token-file", str(tmp_path / "none.txt")]) == 3
    assert run(["serve", "--tls-key", str(token)]) == 2
    assert run(["serve", "--retention", "0"]) == 2
