"""Results are delivered: sent by C-STORE, or put into a folder; what is not accepted stays here."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from ssl import SSLContext
from typing import TYPE_CHECKING

from tumorscope.serving.durable import sync_folder, write_durably
from tumorscope.serving.node_settings import Peer

if TYPE_CHECKING:
    from pydicom import Dataset

Deliver = Callable[[Sequence[Path]], None]
"""Brings all files to where they belong, or raises `DeliveryError`; may be asked again."""

FIRST_WAIT, LONGEST_WAIT = 1.0, 300.0
"""Seconds between attempts: each wait is twice the one before."""

PATIENCE = 60.0
"""Seconds for an answer of the other side."""


class DeliveryError(Exception):
    """Results were not accepted; the message says why, without names and identifiers.

    Parameters
    ----------
    message : str
        Why.
    for_all : bool
        Whether others would fare the same, as nobody is there.
    """

    def __init__(self, message: str, *, for_all: bool = False) -> None:
        super().__init__(message)
        self.for_all = for_all


def wait_after(failures: int) -> float:
    """Return the seconds to wait after so many failures, one after the other.

    Examples
    --------
    >>> [wait_after(number) for number in (1, 2, 3, 100)]
    [1.0, 2.0, 4.0, 300.0]
    """
    return min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(failures - 1, 20))


def sending_to(peer: Peer, *, calling: str, tls: SSLContext | None = None) -> Deliver:
    """Return what sends files to a peer by C-STORE.

    Parameters
    ----------
    peer : Peer
        Who gets them.
    calling : str
        Our AE title.
    tls : SSLContext, optional
        For the connection.
    """

    def deliver(files: Sequence[Path]) -> None:
        if files:
            _send(peer, _read(files), calling=calling, tls=tls)

    return deliver


def putting_into(folder: Path) -> Deliver:
    """Return what puts files into a folder, each whole or not at all."""

    def deliver(files: Sequence[Path]) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for path in files:
                partial = folder / f".{path.name}.{os.getpid()}.partial"
                partial.unlink(missing_ok=True)
                write_durably(partial, [path.read_bytes()])
                partial.replace(folder / path.name)
            sync_folder(folder)
        except OSError as error:
            why = f"the folder cannot be written ({error.strerror})"
            raise DeliveryError(why, for_all=True) from error

    return deliver


def _read(files: Sequence[Path]) -> list[Dataset]:
    from pydicom import dcmread

    return [dcmread(path) for path in files]


def _send(peer: Peer, datasets: Sequence[Dataset], *, calling: str, tls: SSLContext | None) -> None:
    from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
    from pynetdicom import AE

    from tumorscope.serving.receiver import quieten

    quieten()
    entity = AE(calling)
    entity.connection_timeout = entity.acse_timeout = entity.dimse_timeout = PATIENCE
    for sop_class in sorted({dataset.SOPClassUID for dataset in datasets}):
        for syntax in (ExplicitVRLittleEndian, ImplicitVRLittleEndian):
            # A context each, else the receiver chooses one of them by its own order.
            entity.add_requested_context(sop_class, syntax)
    secured = None if tls is None else (tls, peer.host)
    association = entity.associate(peer.host, peer.port, ae_title=peer.title, tls_args=secured)
    if not association.is_established:
        why = "rejected the association" if association.is_rejected else "cannot be reached"
        raise DeliveryError(f"{peer.title} {why}", for_all=True)
    try:
        for dataset in datasets:
            _store(peer, association, dataset)
    finally:
        association.release()


def _store(peer: Peer, association: object, dataset: Dataset) -> None:
    try:
        answer = association.send_c_store(dataset)  # type: ignore[attr-defined]
    except (ValueError, RuntimeError) as error:  # no context was accepted, or it was aborted
        what = "does not take this kind of object" if isinstance(error, ValueError) else "ended"
        raise DeliveryError(f"{peer.title} {what}") from error
    status = getattr(answer, "Status", None)
    if status is None:
        raise DeliveryError(f"{peer.title} gave no answer")
    if status != 0x0000 and status & 0xF000 != 0xB000:  # 0xBxxx: stored, with a warning
        raise DeliveryError(f"{peer.title} refused an object with status {status:04X}")
