"""Instances are received from real senders: as they are, or refused with the right status."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)
from pynetdicom import AE
from tests.fixtures.dicom_files import image, save
from tests.fixtures.peers import program, storescu

from tumorscope.serving.node_settings import NodeLimits, NodeSettings
from tumorscope.serving.receiver import Receiver
from tumorscope.serving.spool import Spool
from tumorscope.serving.tally import Tally

VALUES = np.random.default_rng(0).integers(0, 4096, (32, 33), dtype=np.uint16)
SYNTAXES = {
    ExplicitVRLittleEndian: "-xe",
    ImplicitVRLittleEndian: "-xi",
    ExplicitVRBigEndian: "-xb",
    DeflatedExplicitVRLittleEndian: "-xd",
    RLELossless: "-xr",
    JPEGLSLossless: "-xt",
    JPEG2000Lossless: "-xv",
}


class Running:
    """A receiver in a thread."""

    def __init__(self, root: Path, limits: NodeLimits) -> None:
        settings = NodeSettings(
            title="NODE", port=0, allow=("SENDER",), spool=root, results=root, limits=limits
        )
        self.spool = Spool(root, most_bytes=limits.spool_bytes, spare_bytes=limits.spare_bytes)
        self.tally, self.said = Tally(), list[str]()
        self.receiver = Receiver(settings, self.spool, self.tally, say=self.said.append)
        self.port = self.receiver.port
        self._thread = threading.Thread(target=self.receiver.serve)
        self._thread.start()

    def stop(self) -> None:
        self.receiver.stop()
        self._thread.join()

    def counted(self) -> dict[str, int]:
        return {name: number for name, number in self.tally.counts().items() if number}

    def files(self) -> list[Path]:
        return sorted((self.spool.root / "series").rglob("*.dcm"))

    def associate(self, *classes: str, calling: str = "SENDER", called: str = "NODE") -> Any:
        entity = AE(calling)
        for each in classes:
            entity.add_requested_context(each)
        return entity.associate("127.0.0.1", self.port, ae_title=called)


Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start receivers, which end with the test."""
    running: list[Running] = []

    def begin(**limits: float) -> Running:
        usual = replace(NodeLimits(), spare_bytes=0)
        running.append(Running(tmp_path / f"spool{len(running)}", replace(usual, **limits)))
        return running[-1]

    yield begin
    for each in running:
        each.stop()


def test_every_transfer_syntax_is_kept_as_it_came(start: Start, tmp_path: Path) -> None:
    node = start()
    for number, (syntax, option) in enumerate(SYNTAXES.items()):
        sent = save(image(VALUES, number=number), tmp_path / f"{number}.dcm", syntax=syntax)
        done = storescu(node.port, sent, options=option)
        assert done.returncode == 0, (syntax.name, done.stderr)
    kept = {pydicom.dcmread(path).InstanceNumber: path for path in node.files()}
    assert len(kept) == len(SYNTAXES)
    for number, syntax in enumerate(SYNTAXES):
        found = pydicom.dcmread(kept[number])
        assert found.file_meta.TransferSyntaxUID == syntax
        assert np.array_equal(found.pixel_array, VALUES)
        assert found == pydicom.dcmread(tmp_path / f"{number}.dcm")
    assert node.counted() == {"associations": len(SYNTAXES), "received": len(SYNTAXES)}


def test_echo_is_answered_and_strangers_are_not(start: Start) -> None:
    node = start()
    words = [program("echoscu", package="dcmtk"), "-aet", "SENDER", "-aec", "NODE"]
    asked = [*words, "127.0.0.1", str(node.port)]
    assert subprocess.run(asked, check=False, timeout=30).returncode == 0
    for calling, called in (("OTHER", "NODE"), ("SENDER", "OTHER")):
        assert node.associate("1.2.840.10008.1.1", calling=calling, called=called).is_rejected
    assert node.counted() == {"associations": 1, "rejected": 2}


def test_a_private_class_and_an_unknown_syntax_are_taken(start: Start, tmp_path: Path) -> None:
    node = start()
    dataset = image(VALUES, SOPClassUID="1.2.826.0.1.3680043.8.498.77")
    path = save(dataset, tmp_path / "private.dcm")
    assoc = node.associate(dataset.SOPClassUID)
    assert assoc.send_c_store(path).Status == 0x0000
    assoc.release()
    assert len(node.files()) == 1


def test_the_same_again_is_a_success_and_another_with_its_uid_is_counted(
    start: Start, tmp_path: Path
) -> None:
    node = start()
    first, other = save(image(VALUES), tmp_path / "a"), save(image(VALUES + 1), tmp_path / "b")
    assert storescu(node.port, first, first, other).returncode == 0
    assert np.array_equal(pydicom.dcmread(node.files()[0]).pixel_array, VALUES)
    counts = node.counted()
    assert (counts["received"], counts["repeated"], counts["conflicting"]) == (1, 1, 1)
    assert "1.2.8" not in " ".join(node.said)


def store(node: Running, dataset: pydicom.Dataset) -> pydicom.Dataset:
    assoc = node.associate(dataset.SOPClassUID)
    answer = assoc.send_c_store(dataset)
    assoc.release()
    return answer


def ready(dataset: pydicom.Dataset) -> pydicom.Dataset:
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return dataset


def test_what_is_too_large_is_refused_and_the_association_goes_on(start: Start) -> None:
    node = start(instance_bytes=100_000)
    large = ready(image(np.zeros((600, 600), np.uint16), number=1))
    small = ready(image(VALUES, number=2))
    assoc = node.associate(large.SOPClassUID)
    refused = assoc.send_c_store(large)
    assert (refused.Status, refused.ErrorComment) == (0xA700, "it is larger than 100,000 bytes")
    assert assoc.send_c_store(small).Status == 0x0000
    assoc.release()
    assert node.counted() == {"associations": 1, "received": 1, "refused_large": 1}


def test_memory_for_all_senders_together_has_a_limit(start: Start) -> None:
    node = start(memory_bytes=100_000)
    large = ready(image(np.zeros((600, 600), np.uint16)))
    refused = store(node, large)
    assert (refused.Status, refused.ErrorComment) == (0xA700, "too much is being received at once")
    assert store(node, ready(image(VALUES))).Status == 0x0000
    assert node.counted() == {"associations": 2, "received": 1, "refused_full": 1}


def test_a_full_spool_is_a700_and_recovers(start: Start) -> None:
    node = start(spool_bytes=5000)
    assert store(node, ready(image(VALUES, number=1))).Status == 0x0000
    assert store(node, ready(image(VALUES, number=2))).Status == 0xA700
    assert store(node, ready(image(VALUES, number=1))).Status == 0xA700
    for each in node.files():
        node.spool.drop(each)
    assert store(node, ready(image(VALUES, number=2))).Status == 0x0000


@pytest.mark.parametrize(
    ("change", "status"),
    [({"SeriesInstanceUID": None}, 0xC000), ({"StudyInstanceUID": ""}, 0xC000)],
)
def test_what_does_not_say_where_it_belongs_is_refused(
    start: Start, change: dict[str, object], status: int
) -> None:
    node = start()
    assert store(node, ready(image(VALUES, **change))).Status == status
    assert node.files() == []
    assert node.spool.used == 0


def test_our_own_results_are_accepted_and_forgotten(start: Start) -> None:
    node = start()
    for sop_class in ("1.2.840.10008.5.1.4.1.1.88.34", "1.2.840.10008.5.1.4.1.1.7"):
        ours = ready(image(VALUES, SOPClassUID=sop_class, Manufacturer="tumorscope"))
        assert store(node, ours).Status == 0x0000
    others = ready(image(VALUES, SOPClassUID="1.2.840.10008.5.1.4.1.1.7", Manufacturer="Other"))
    assert store(node, others).Status == 0x0000
    assert len(node.files()) == 1
    assert node.counted() == {"associations": 3, "own": 2, "received": 1}


def test_many_associations_at_once_and_the_one_too_many(start: Start) -> None:
    node = start(associations=12)
    open_ = [node.associate("1.2.840.10008.5.1.4.1.1.4") for _ in range(12)]
    assert all(each.is_established for each in open_)
    assert node.associate("1.2.840.10008.5.1.4.1.1.4").is_rejected
    for number, each in enumerate(open_):
        assert each.send_c_store(ready(image(VALUES, number=number))).Status == 0x0000
    for each in open_:
        each.release()
    assert len(node.files()) == 12


def test_a_caller_that_stops_in_the_middle_is_let_go(start: Start) -> None:
    node = start(idle_seconds=0.5)
    with socket.create_connection(("127.0.0.1", node.port), timeout=10) as silent:
        silent.sendall(b"\x01\x00\x00\x00\x10\x00")  # the beginning of a request
        silent.settimeout(10)
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            assert silent.recv(1) == b""
        assert time.monotonic() - began < 8


RUBBISH = [
    b"GET / HTTP/1.1\r\n\r\n",
    b"\x01\x00\x00\x00\x00\x04\x00\x01\x00\x00",
    b"\x04\x00\x00\x00\x00\x02\x00\x00",
    b"\xff" * 4096,
    bytes(4096),
    b"\x01\x00\xff\xff\xff\xff" + b"A" * 4096,
]


def test_rubbish_harms_nobody(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tumorscope.serving.listening.HANDSHAKE_SECONDS", 0.5)
    node = start(idle_seconds=1.0)
    for data in RUBBISH:
        caller = socket.create_connection(("127.0.0.1", node.port), timeout=10)
        with caller, contextlib.suppress(ConnectionError):
            caller.sendall(data)
            caller.shutdown(socket.SHUT_WR)
            while caller.recv(1024):
                pass
    assert store(node, ready(image(VALUES))).Status == 0x0000
    assert node.said == []
