"""Results reach real receivers, and stay here where they are not accepted."""

from __future__ import annotations

import gc
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pynetdicom import AE, evt
from tests.fixtures.dicom_files import image, save
from tests.fixtures.peers import free_port, program, until_it_listens

from tumorscope.serving.node_settings import Peer
from tumorscope.serving.sender import DeliveryError, putting_into, sending_to

# pynetdicom leaves sockets that did not get to connect to the garbage collector.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <(ssl|socket):pytest.PytestUnraisableExceptionWarning"
)

CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    values = np.arange(64, dtype=np.uint8).reshape(8, 8)
    return [
        save(image(values, number=number, SOPClassUID=CAPTURE), tmp_path / "made" / f"{number}.dcm")
        for number in range(2)
    ]


@pytest.fixture
def storescp(tmp_path: Path) -> Iterator[tuple[Peer, Path]]:
    """dcmtk's receiver, and the folder that it fills."""
    port, folder = free_port(), tmp_path / "received"
    folder.mkdir()
    words = [program("storescp", package="dcmtk"), "-od", str(folder), str(port)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until_it_listens(port)
    yield Peer("ARCHIVE", "127.0.0.1", port), folder
    process.terminate()
    process.wait()


def test_dcmtk_gets_all_of_them(files: list[Path], storescp: tuple[Peer, Path]) -> None:
    peer, folder = storescp
    sending_to(peer, calling="NODE")(files)
    found = {pydicom.dcmread(path).SOPInstanceUID: path for path in folder.iterdir()}
    for path in files:
        sent = pydicom.dcmread(path)
        assert pydicom.dcmread(found[sent.SOPInstanceUID]).PixelData == sent.PixelData


def test_nobody_there_is_said_without_a_name_of_a_patient(files: list[Path]) -> None:
    with pytest.raises(DeliveryError, match="ARCHIVE cannot be reached"):
        sending_to(Peer("ARCHIVE", "127.0.0.1", free_port()), calling="NODE")(files)


@pytest.mark.parametrize(
    ("status", "words"),
    [(0xA700, "status A700"), (0x0000, ""), (0xB000, ""), (0xC000, "status C000")],
)
def test_only_a_status_that_means_stored_counts(files: list[Path], status: int, words: str) -> None:
    entity = AE("ARCHIVE")
    entity.add_supported_context(CAPTURE)
    handlers = [(evt.EVT_C_STORE, lambda _: status)]
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    deliver = sending_to(Peer("ARCHIVE", "127.0.0.1", server.server_address[1]), calling="NODE")
    if words:
        with pytest.raises(DeliveryError, match=words):
            deliver(files)
    else:
        deliver(files)
    server.shutdown()


def test_a_receiver_that_takes_no_such_object_is_told_of(files: list[Path]) -> None:
    entity = AE("ARCHIVE")
    entity.add_supported_context("1.2.840.10008.5.1.4.1.1.4")
    entity.add_supported_context("1.2.840.10008.1.1")
    server = entity.start_server(("127.0.0.1", 0), block=False)
    peer = Peer("ARCHIVE", "127.0.0.1", server.server_address[1])
    with pytest.raises(DeliveryError, match="ARCHIVE"):
        sending_to(peer, calling="NODE")(files)
    server.shutdown()


def test_a_folder_gets_them_whole_and_again_is_no_harm(files: list[Path], tmp_path: Path) -> None:
    deliver = putting_into(tmp_path / "results")
    deliver(files)
    deliver(files)
    found = sorted((tmp_path / "results").iterdir())
    assert [path.read_bytes() for path in found] == [path.read_bytes() for path in files]
    (tmp_path / "file").touch()
    with pytest.raises(DeliveryError, match="cannot be written"):
        putting_into(tmp_path / "file")(files)
