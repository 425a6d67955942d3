"""A service that listens on a free port of this machine, and files to send it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.detection.test_series import AFFINE, volume
from tests.fixtures.dicom_files import write_series

pytest.importorskip("fastapi", reason="needs the serve extra")
pytest.importorskip("httpx", reason="needs the dev extra")

import httpx

from tumorscope.detection.detector import Detector
from tumorscope.detection.finding import Finding
from tumorscope.imaging.inputs import Image
from tumorscope.serving.http.address import Address, listen
from tumorscope.serving.http.limits import Limits
from tumorscope.serving.http.server import make_server
from tumorscope.serving.http.service import Service
from tumorscope.serving.http.store import Store


class Client(httpx.Client):
    """A client that knows the service it asks."""

    service: Service
    spool: Path


@contextlib.contextmanager
def running(service: Service, address: Address | None = None) -> Iterator[Client]:
    """Serve inside the block, and give a client of it."""
    address = address or Address(port=0)
    server = make_server(service, address)
    with listen(address) as listening:
        port = listening.getsockname()[1]
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive()
                time.sleep(0.005)
            with Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join(timeout=30)
    assert not thread.is_alive()


Serve = Callable[..., Client]


@pytest.fixture(scope="session")
def served_detector(series_model: Path) -> Detector:
    return Detector.load(series_model, threads=2)


@pytest.fixture
def serve(served_detector: Detector, tmp_path: Path) -> Iterator[Serve]:
    """Return a function that starts a service with given limits and returns a client of it.

    The client has the service and its spool as attributes.
    """
    with contextlib.ExitStack() as stack:

        def start(
            *, address: Address | None = None, detector: Detector | None = None, **limits: float
        ) -> Client:
            asked = Limits(**limits)
            store = Store(tmp_path / "spool", retention=asked.retention, most=asked.spool)
            service = Service(detector or served_detector, store, asked)
            client = stack.enter_context(running(service, address))
            client.service, client.spool = service, store.folder
            return client

        yield start


@pytest.fixture(scope="session")
def shared_service(
    served_detector: Detector, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Client]:
    """A service with usual limits that many tests ask, none of which leaves it changed."""
    store = Store(tmp_path_factory.mktemp("spool"), retention=3600, most=2**30)
    service = Service(served_detector, store, Limits())
    with running(service) as client:
        client.service, client.spool = service, store.folder
        yield client


@pytest.fixture(scope="session")
def bright(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture that the model calls a tumour."""
    from PIL import Image as pillow

    path = tmp_path_factory.mktemp("pictures") / "bright.png"
    noise = np.random.default_rng(0).integers(150, 250, (8, 8), dtype=np.uint8)
    pillow.fromarray(noise.repeat(12, 0).repeat(12, 1)).save(path)
    return path


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a series in which the model sees a tumour, and what is no scan."""
    folder = tmp_path_factory.mktemp("study") / "STUDY"
    person = {"PatientID": "SECRET-1", "SeriesDescription": "SECRET words", "PatientName": "SECRET"}
    write_series(folder / "1", volume((8, 9, 10, 11)), AFFINE, series=1, **person)
    (folder / "README.txt").write_text("x")
    return folder


class Slow(Detector):
    """A detector that waits until it is let go, and then answers."""

    let_go: threading.Event

    def detect_many(
        self, images: Iterable[Image], *, batch: int | None = None
    ) -> Iterator[Finding]:
        assert self.let_go.wait(30)
        return super().detect_many(images, batch=batch)


@pytest.fixture
def slow(series_model: Path) -> Slow:
    detector = Slow.load(series_model, threads=1)
    assert isinstance(detector, Slow)
    detector.let_go = threading.Event()
    return detector
