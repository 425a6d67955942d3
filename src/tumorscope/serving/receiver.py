"""Instances are received: as their sender encoded them, into the spool, and then acknowledged."""

from __future__ import annotations

import io
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from ssl import SSLContext
from typing import TYPE_CHECKING, Protocol

from tumorscope.common.errors import SurroundingsError
from tumorscope.scans.dicom_file import open_header
from tumorscope.scans.not_read import NotReadError
from tumorscope.scans.values import text
from tumorscope.serving.identity import MAKER
from tumorscope.serving.node_settings import NodeSettings
from tumorscope.serving.source_objects import IDENTITY
from tumorscope.serving.spool import Identity, Spool, SpoolFullError, token
from tumorscope.serving.tally import Counted, Tally

if TYPE_CHECKING:
    from pydicom import Dataset
    from pynetdicom.events import Event

SUCCESS = 0x0000
FAULT = 0x0110
OUT_OF_RESOURCES = 0xA700
NOT_OF_ITS_CLASS = 0xA900
CANNOT_UNDERSTAND = 0xC000

STRUCTURED_REPORT = "1.2.840.10008.5.1.4.1.1.88."
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"

HEADER = (*IDENTITY, "Manufacturer")


class _Dimse(Protocol):
    """What of a C-STORE request is used here."""

    AffectedSOPInstanceUID: str
    DataSet: io.BytesIO


class Forgotten(io.BytesIO):
    """In the place of a data set that is over a limit: what else comes of it is forgotten."""

    def __init__(self, counted: Counted, why: str) -> None:
        super().__init__()
        self.counted, self.why = counted, why

    def write(self, data: object, /) -> int:
        """Forget it."""
        return len(data) if isinstance(data, bytes) else 0


class Receiver:
    """A Storage and Verification SCP that fills a spool.

    Parameters
    ----------
    settings : NodeSettings
        Who may send, and how much.
    spool : Spool
        Where it goes.
    tally : Tally
        What is counted.
    say : callable
        What is told to people: no names and no identifiers.
    tls : SSLContext, optional
        For connections that come in.
    """

    def __init__(
        self,
        settings: NodeSettings,
        spool: Spool,
        tally: Tally,
        *,
        say: Callable[[str], None],
        tls: SSLContext | None = None,
    ) -> None:
        from pynetdicom import AE, _config, evt
        from pynetdicom.sop_class import Verification

        from tumorscope.serving.listening import HANDSHAKE_SECONDS, Listening

        # All storage classes, private ones too, and of each context the syntax that its sender
        # named first: then nobody has to convert.
        _config.UNRESTRICTED_STORAGE_SERVICE = True
        quieten()
        self._settings, self._spool, self._tally, self._say = settings, spool, tally, say
        self._parsing, self._counting = threading.Lock(), threading.Lock()
        self._held: dict[object, int] = {}  # association → bytes that it holds in memory
        limits = settings.limits
        self._ae = AE(settings.title)
        self._ae.add_supported_context(Verification)
        self._ae.require_calling_aet = list(settings.allow)
        self._ae.require_called_aet = True
        self._ae.maximum_associations = limits.associations
        self._ae.acse_timeout = HANDSHAKE_SECONDS
        self._ae.network_timeout = limits.idle_seconds
        self._ae.dimse_timeout = limits.idle_seconds
        handlers = [
            (evt.EVT_C_STORE, self._stored),
            (evt.EVT_PDU_RECV, self._received_part),
            (evt.EVT_CONN_CLOSE, self._let_go),
            (evt.EVT_ACCEPTED, lambda _: tally.add("associations")),
            (evt.EVT_REJECTED, lambda _: tally.add("rejected")),
        ]
        address = (settings.host, settings.port)
        try:
            self._server = self._ae.make_server(
                address, ssl_context=tls, server_class=Listening, evt_handlers=handlers
            )
        except OSError as error:
            raise SurroundingsError(
                f"Cannot listen on {settings.host}:{settings.port}: {error.strerror or error}. "
                "Expected an address of this machine and a port that is free. Choose another with "
                "--port or --host; ports below 1024 need a right of their own."
            ) from error

    @property
    def port(self) -> int:
        """The port that it listens on."""
        port: int = self._server.server_address[1]
        return port

    def serve(self) -> None:
        """Receive until `stop` is called."""
        self._server.serve_forever(poll_interval=0.2)

    def close(self) -> None:
        """Close a port that nothing was received on."""
        self._server.server_close()

    def stop(self) -> None:
        """End all associations and close the port; what was acknowledged is in the spool."""
        self._ae._servers.append(self._server)  # where it expects those that it started itself
        self._ae.shutdown()

    def _received_part(self, event: Event) -> None:
        """Stop collecting a data set in memory once it is over a limit."""
        message = event.assoc.dimse.message
        if message is None or isinstance(message.data_set, Forgotten):
            return
        limits = self._settings.limits
        with self._counting:
            self._held[event.assoc] = size = message.data_set.tell()
            held = sum(self._held.values())
        if size > limits.instance_bytes:
            why = f"it is larger than {limits.instance_bytes:,} bytes"
            message.data_set = Forgotten("refused_large", why)
        elif held > limits.memory_bytes:
            message.data_set = Forgotten("refused_full", "too much is being received at once")

    def _let_go(self, event: Event) -> None:
        with self._counting:
            self._held.pop(event.assoc, None)

    def _stored(self, event: Event) -> Dataset:
        try:
            status, counted, comment = self._outcome(event)
        finally:
            self._let_go(event)
        self._tally.add(counted)
        if comment:
            self._say(f"Refused an instance with status {status:04X}: {comment}.")
        return _status(status, comment)

    def _outcome(self, event: Event) -> tuple[int, Counted, str]:
        request: _Dimse = event.request
        if isinstance(request.DataSet, Forgotten):
            return OUT_OF_RESOURCES, request.DataSet.counted, request.DataSet.why
        path: Path | None = None
        try:
            path = self._spool.write(_file_of(event))
            identity, own = self._identified(path)
            if identity.instance != request.AffectedSOPInstanceUID:
                return NOT_OF_ITS_CLASS, "refused_unreadable", "its UID is not the one announced"
            if own:
                return SUCCESS, "own", ""
            kept = self._spool.keep(path, identity)
        except SpoolFullError as error:
            return OUT_OF_RESOURCES, "refused_full", str(error)
        except NotReadError as error:
            return CANNOT_UNDERSTAND, "refused_unreadable", f"it cannot be read ({error.reason})"
        except Exception as error:  # whatever it is, the sender must keep the instance
            return FAULT, "refused_fault", f"a fault of the node ({type(error).__name__})"
        finally:
            if path is not None and path.exists():
                self._spool.drop(path)
        if kept == "other":
            which = token(identity.instance)
            self._say(f"Kept the first of two different instances with one UID ({which}).")
        counted: dict[str, Counted] = {"new": "received", "same": "repeated"}
        return SUCCESS, counted.get(kept, "conflicting"), ""

    def _identified(self, path: Path) -> tuple[Identity, bool]:
        """Return which instance this is, and whether it is one of our own results.

        Raises
        ------
        NotReadError
            If it does not say which.
        """
        with self._parsing:  # which silences warnings of the whole process for a moment
            dataset = open_header(str(path), HEADER).dataset
        sop_class, instance, study, series = (text(dataset, name) for name in IDENTITY)
        if not (instance and study and series):
            raise NotReadError("damaged", "it lacks a UID")
        ours = text(dataset, "Manufacturer") == MAKER
        result = sop_class.startswith(STRUCTURED_REPORT) or (
            sop_class == SECONDARY_CAPTURE or sop_class.startswith(f"{SECONDARY_CAPTURE}.")
        )
        return Identity(study, series, instance), ours and result


def quieten() -> None:
    """Keep pynetdicom from logging: at every level its lines may hold names and identifiers."""
    from pynetdicom import _config

    _config.LOG_HANDLER_LEVEL = "none"
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)


def _file_of(event: Event) -> tuple[bytes, memoryview]:
    """Return preamble and meta information, and the data set as it came, without copying it."""
    from pynetdicom.dsutils import encode_file_meta

    meta = bytes(128) + b"DICM" + encode_file_meta(event.file_meta)
    request: _Dimse = event.request
    return meta, request.DataSet.getbuffer()


def _status(status: int, comment: str) -> Dataset:
    from pydicom import Dataset

    answer = Dataset()
    answer.Status = status
    if comment:
        answer.ErrorComment = comment[:64]
    return answer
