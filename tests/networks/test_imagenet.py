"""The weights that Keras publishes: its download against a local stand-in, and its cache."""

from __future__ import annotations

import functools
import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from tumorscope.common.errors import InputError, UsageError
from tumorscope.networks import imagenet, weights
from tumorscope.networks.backbones import build_backbone

FILE = imagenet.IMAGENET["mobilenet_v2"][0]


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder laid out as the server's: random weights in the official file's name and layout."""
    folder = tmp_path_factory.mktemp("server")
    (folder / "mobilenet_v2").mkdir()
    layers = build_backbone("mobilenet_v2", 64).layers
    with h5py.File(folder / "mobilenet_v2" / FILE, "w") as stored:
        stored.attrs["layer_names"] = [layer.name.encode() for layer in layers]
        for layer in layers:
            group = stored.create_group(layer.name)
            names = [f"{layer.name}/{weight.name}:0" for weight in layer.weights]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, weight in zip(names, layer.weights, strict=True):
                group[name] = np.asarray(weight)
    return folder


@pytest.fixture
def server(stand_in: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(stand_in))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_port}/"
        listening.shutdown()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return tmp_path / "keras"


def use(monkeypatch: pytest.MonkeyPatch, url: str, content: Path) -> None:
    digest = hashlib.sha256(content.read_bytes()).hexdigest()
    monkeypatch.setattr(imagenet, "BASE_URL", url)
    monkeypatch.setattr(imagenet, "IMAGENET", {"mobilenet_v2": (FILE, digest)})


def test_imagenet_is_downloaded_once_then_cached(
    server: str, stand_in: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, server, stand_in / "mobilenet_v2" / FILE)
    backbone = build_backbone("mobilenet_v2", 64)
    before = np.asarray(backbone.weights[0]).copy()
    said = weights.load_weights(backbone, name="mobilenet_v2", weights="imagenet")
    assert (said.kind, said.name) == ("file", FILE)
    assert not np.array_equal(before, np.asarray(backbone.weights[0]).copy())
    assert (home / "models" / FILE).exists()
    monkeypatch.setattr(imagenet, "BASE_URL", "http://127.0.0.1:1/")
    weights.load_weights(backbone, name="mobilenet_v2", weights="imagenet")


def test_without_network_the_error_says_how_to_get_them(
    stand_in: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, "http://127.0.0.1:1/", stand_in / "mobilenet_v2" / FILE)
    with pytest.raises(InputError, match=r"could not be downloaded") as caught:
        weights.load_weights(
            build_backbone("mobilenet_v2", 64), name="mobilenet_v2", weights="imagenet"
        )
    for words in (FILE, "--weights PATH", "--weights none", "--weights mri", str(home)):
        assert words in str(caught.value)


def test_a_long_reason_is_whole_or_its_cut_is_shown() -> None:
    assert imagenet.first_line(OSError("URL fetch failure: " + "x" * 250)).endswith("xx")
    assert imagenet.first_line(OSError("x" * 900)).endswith("x …")


def test_a_backbone_without_imagenet_weights_says_so() -> None:
    with pytest.raises(UsageError, match="mobilenet_v2"):
        weights.load_weights(build_backbone("small_cnn", 64), name="small_cnn", weights="imagenet")


def test_the_real_file_is_the_one_that_is_expected(real_data: Path) -> None:
    name, digest = imagenet.IMAGENET["mobilenet_v2"]
    file = real_data / "weights" / "models" / name
    backbone = build_backbone("mobilenet_v2", 224)
    said = weights.load_weights(backbone, name="mobilenet_v2", weights=file)
    assert said.sentence == f"{name} (sha256 {digest})"
