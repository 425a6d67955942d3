"""The download against a local stand-in of Kaggle."""

from __future__ import annotations

import http.server
import io
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tumorscope.cohort import download as module
from tumorscope.common.errors import InputError, UsageError


def archive(names: list[str]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as stored:
        for name in names:
            stored.writestr(name, name.encode())
    return data.getvalue()


@pytest.fixture
def kaggle(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, bytes]]:
    """A server that sends what lies under "body" at the data set's address."""
    content: dict[str, bytes] = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != "/" + module.DATASETS["navoneel_253"]:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(content["body"])))
            self.end_headers()
            self.wfile.write(content["body"])

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(module, "KAGGLE", f"http://127.0.0.1:{server.server_port}/")
        yield content
        server.shutdown()


def test_class_folders_are_unpacked_once(kaggle: dict[str, bytes], tmp_path: Path) -> None:
    kaggle["body"] = archive(
        ["yes/Y1.jpg", "no/1 no.jpeg", "brain_tumor_dataset/yes/Y1.jpg", "yes/readme.txt"]
    )
    assert module.download("navoneel_253", tmp_path / "scans") == 2
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")}
    assert found == {"scans/yes/Y1.jpg", "scans/no/1 no.jpeg"}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html>please sign in</html>", "not a whole ZIP"),
        (archive(["yes/Y1.jpg", "no/N1.jpg"])[:60], "not a whole ZIP"),
        (archive(["../yes/evil.jpg", "a.jpg", "readme/b.jpg"]), "no class folders"),
    ],
)
def test_what_is_no_data_set_is_refused_and_leaves_nothing(
    kaggle: dict[str, bytes], tmp_path: Path, body: bytes, words: str
) -> None:
    kaggle["body"] = body
    with pytest.raises(InputError, match=words):
        module.download("navoneel_253", tmp_path / "scans")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_no_network_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KAGGLE", "http://127.0.0.1:1/")
    with pytest.raises(InputError, match="in a browser"):
        module.download("navoneel_253", tmp_path / "scans")


def test_a_full_folder_and_an_unknown_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="not empty"):
        module.download("navoneel_253", tmp_path)
    with pytest.raises(UsageError, match="navoneel_253"):
        module.download("imagenet", tmp_path / "new")
