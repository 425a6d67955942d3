"""Callers without a certificate are not heard, and a silent one keeps nobody waiting."""

from __future__ import annotations

import contextlib
import gc
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.fixtures.dicom_files import image, save

from tumorscope.cli.dicom_node import _tls
from tumorscope.serving.node_settings import NodeLimits, NodeSettings, Peer
from tumorscope.serving.receiver import Receiver
from tumorscope.serving.sender import DeliveryError, sending_to
from tumorscope.serving.spool import Spool
from tumorscope.serving.tally import Tally
from tumorscope.serving.tls import tls_for_callers, tls_to_receiver

# pynetdicom leaves sockets that did not get to connect to the garbage collector.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <(ssl|socket):pytest.PytestUnraisableExceptionWarning"
)

NOT_A_RESULT = np.zeros((8, 8), np.uint8)


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of this machine that certifies itself, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl (Debian: openssl)")
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "node.crt", folder / "node.key"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    words += ["-nodes", "-days", "2", "-subj", "/CN=node", "-addext", "subjectAltName=IP:127.0.0.1"]
    words += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(words, check=True, capture_output=True)
    return certificate, key


@pytest.fixture
def receiving(own: tuple[Path, Path], tmp_path: Path) -> Iterator[tuple[Peer, Tally]]:
    """A receiver that wants certificates of its callers."""
    settings = NodeSettings(
        title="NODE", port=0, allow=("SENDER",), spool=tmp_path, results=tmp_path
    )
    tally, spool = Tally(), Spool(tmp_path, most_bytes=NodeLimits().spool_bytes)
    tls = tls_for_callers(own, own[0])
    receiver = Receiver(settings, spool, tally, say=lambda _: None, tls=tls)
    thread = threading.Thread(target=receiver.serve)
    thread.start()
    yield Peer("NODE", "127.0.0.1", receiver.port), tally
    receiver.stop()
    thread.join()


def test_a_caller_with_a_certificate_is_heard_and_others_are_not(
    own: tuple[Path, Path], receiving: tuple[Peer, Tally], tmp_path: Path
) -> None:
    peer, tally = receiving
    sent = [save(image(NOT_A_RESULT), tmp_path / "sent")]
    with socket.create_connection((peer.host, peer.port)) as silent:
        for tls in (None, tls_to_receiver(None, own[0])):
            with pytest.raises(DeliveryError):
                sending_to(peer, calling="SENDER", tls=tls)(sent)
        assert tally.counts()["received"] == 0
        sending_to(peer, calling="SENDER", tls=tls_to_receiver(own, own[0]))(sent)
        assert tally.counts()["received"] == 1
        with contextlib.suppress(OSError):
            silent.shutdown(socket.SHUT_RDWR)


def test_the_command_makes_both_ways_of_it(own: tuple[Path, Path]) -> None:
    certificate, key = own
    incoming, outgoing = _tls(certificate, key, certificate, certificate)
    assert incoming is not None
    assert incoming.verify_mode is ssl.CERT_REQUIRED
    assert outgoing is not None
    assert outgoing.check_hostname
    assert _tls(None, None, None, None) == (None, None)
