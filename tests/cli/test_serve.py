"""``tumorscope serve`` as a process: with TLS and a token, until it is told to end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="needs the serve extra")
httpx = pytest.importorskip("httpx", reason="needs the dev extra")

TOKEN = "a-token-that-nobody-guesses"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_it_serves_over_tls_with_a_token_and_ends_in_order(
    tiny_model: Path, tmp_path: Path
) -> None:
    certificate, key, token = (tmp_path / name for name in ("cert.pem", "key.pem", "token.txt"))
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    made += ["-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext"]
    made += ["subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(made, check=True, capture_output=True)
    token.write_text(f"{TOKEN}\n")
    words = [sys.executable, "-m", "tumorscope", "serve", "--port", "0", "--json"]
    words += ["--model", str(tiny_model), "--token-file", str(token)]
    words += ["--tls-certificate", str(certificate), "--tls-key", str(key)]
    spools = tmp_path / "spools"
    spools.mkdir()
    surroundings = {**os.environ, "TMPDIR": str(spools)}
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=surroundings
    ) as served:
        try:
            assert served.stdout is not None
            said = "".join(iter(served.stdout.readline, "}\n")) + "}"
            url = json.loads(said)["url"].replace("127.0.0.1", "localhost")
            trusted = ssl.create_default_context(cafile=str(certificate))
            with httpx.Client(base_url=url, verify=trusted, timeout=60) as client:
                assert client.get("/v1/model").status_code == 401
                client.headers["authorization"] = f"Bearer {TOKEN}"
                answer = client.post("/v1/findings", files={"files": ("a.txt", b"words")})
                assert answer.json()["decisions"] == {"unreadable": 1}
                assert "strict-transport-security" in answer.headers
            [spool] = spools.iterdir()
            assert spool.stat().st_mode & 0o777 == 0o700
        finally:
            served.send_signal(signal.SIGTERM)
        _, words_of_log = served.communicate(timeout=30)
    assert served.returncode == 0
    assert list(spools.iterdir()) == []
    assert "a.txt" not in words_of_log
    assert TOKEN not in words_of_log
