"""``tumorscope dicom-node``: takes series from a PACS and sends results back."""

from __future__ import annotations

import signal
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from tumorscope.cli.app import emit
from tumorscope.cli.options import Asked, Common, Flag, Whole, Words
from tumorscope.common.errors import InputError, UsageError
from tumorscope.common.extras import require
from tumorscope.common.hosts import is_loopback
from tumorscope.common.notice import RESEARCH_USE_ONLY
from tumorscope.common.progress import say

if TYPE_CHECKING:
    from tumorscope.serving.node import Node
    from tumorscope.serving.node_settings import NodeSettings

NOT_WELL = 3


def dicom_node(
    *,
    spool: Path,
    aet: str = "TUMORSCOPE",
    allow: Words = (),
    send_to: str | None = None,
    results: Path | None = None,
    port: Whole = 11112,
    host: str = "127.0.0.1",
    quiet_seconds: float = 30.0,
    retention: float = 24.0,
    asked: Asked | None = None,
    associations: Whole = 32,
    instance_megabytes: Whole = 1000,
    spool_megabytes: Whole = 50_000,
    idle_seconds: float = 60.0,
    tls_certificate: Path | None = None,
    tls_key: Path | None = None,
    tls_callers: Path | None = None,
    send_tls: Path | None = None,
    status: Flag = False,
    study_complete: str | None = None,
    common: Common | None = None,
) -> int:
    """Take series from a PACS by DICOM, look at them, and send reports back.

    Series of MR images are answered once no instance has come for --quiet-seconds. Each answer is
    a structured report and a secondary capture, in the study that the images are of. Whatever was
    acknowledged lies in the spool, so the node may be stopped, or killed, at any moment.

    It listens on this machine alone, and to the systems that --allow lists; nobody else is heard.
    Needs the extra “dicom”. Stop it with Ctrl-C or SIGTERM.

    Example:

        tumorscope dicom-node --spool SPOOL --allow ORTHANC --send-to ORTHANC@127.0.0.1:4242
        tumorscope dicom-node --spool SPOOL --status

    Parameters
    ----------
    spool
        Folder for what comes in and is not done with; one node has it at a time.
    aet
        AE title of the node; associations that call another are rejected.
    allow
        AE title of a system that may send; as many as there are, each with its own --allow.
    send_to
        AET@HOST:PORT of the system that gets the results. They are kept until it accepts them.
    results
        Folder for results, instead of sending them.
    port
        To listen on; 0 takes a free one and says which.
    host
        Address to listen on; 0.0.0.0 is every network of this machine.
    quiet_seconds
        A series is complete when no new instance has come for so long.
    retention
        Hours for which images stay in the spool after their results were delivered.
    associations
        How many may be open at one time.
    instance_megabytes
        The largest instance; what is larger is refused with the status A700.
    spool_megabytes
        Most that the spool may hold; what comes then is refused with A700 until there is room.
    idle_seconds
        An association without a word for so long is ended.
    tls_certificate
        PEM file with the node's certificate: it speaks TLS only.
    tls_key
        PEM file with the key of that certificate.
    tls_callers
        PEM file of the authorities that certify callers; each needs a certificate then.
    send_tls
        PEM file of the authorities that certify who gets the results: they are sent over TLS, with
        --tls-certificate as the node's own.
    status
        Say how the node of this spool is doing, and end: exit code 0 where it runs and delivers, 3
        where it does not.
    study_complete
        Tell the node of this spool that a study (its Study Instance UID) is complete, and end: its
        series are answered without waiting.
    """
    common = common or Common()
    if status:
        return _status(spool, common)
    if study_complete is not None:
        from tumorscope.serving.spool import tell_complete

        tell_complete(spool, study_complete)
        return 0
    require("dicom", to="be a DICOM node")
    from tumorscope.serving.discreet import discreet
    from tumorscope.serving.node import run_node
    from tumorscope.serving.node_settings import MEGABYTE, NodeLimits, NodeSettings, Peer

    settings = NodeSettings(
        title=aet,
        host=host,
        port=port,
        allow=allow,
        spool=spool,
        send_to=None if send_to is None else Peer.parse(send_to),
        results=results,
        quiet_seconds=quiet_seconds,
        retention=3600.0 * retention,
        limits=NodeLimits(
            associations=associations,
            instance_bytes=instance_megabytes * MEGABYTE,
            spool_bytes=spool_megabytes * MEGABYTE,
            memory_bytes=max(2000, instance_megabytes) * MEGABYTE,
            idle_seconds=idle_seconds,
        ),
    )
    tls, tls_out = _tls(tls_certificate, tls_key, tls_callers, send_tls)
    with _stoppable() as stop, discreet(say):

        def ready(node: Node) -> None:
            stop.append(node)
            _greet(settings, node.port, tls=tls is not None)

        run_node(settings, (asked or Asked()).detector, tls=tls, tls_out=tls_out, ready=ready)
    say("Stopped. What was acknowledged is kept in the spool.")
    return 0


def _greet(settings: NodeSettings, port: int, *, tls: bool) -> None:
    say(f"{settings.title} listens on {settings.host}:{port} to {', '.join(settings.allow)}.")
    if not is_loopback(settings.host) and not tls:
        say(
            "Without TLS, whoever can reach this port and knows one of these AE titles may send. "
            "Keep it in a network of its own, or give --tls-certificate, --tls-key, --tls-callers."
        )
    say(RESEARCH_USE_ONLY)


@contextmanager
def _stoppable() -> Iterator[list[Node]]:
    """Let Ctrl-C and SIGTERM stop the nodes in a list; before there are any, they end the work."""
    nodes: list[Node] = []

    def stop(_number: int, _frame: object) -> None:
        if not nodes:
            raise KeyboardInterrupt
        for node in nodes:
            node.stop()

    former = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield nodes
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _status(spool: Path, common: Common) -> int:
    from tumorscope.serving.node_status import read_status

    found = read_status(spool)
    trouble = found.trouble()
    emit(common, {**asdict(found), "trouble": trouble}, found.words())
    return NOT_WELL if trouble else 0


def _tls(
    certificate: Path | None, key: Path | None, callers: Path | None, receivers: Path | None
) -> tuple[ssl.SSLContext | None, ssl.SSLContext | None]:
    """Return what connections that come in follow, and the one that goes out.

    Raises
    ------
    UsageError
        If one of the files is not given that another needs.
    InputError
        If one cannot be used.
    """
    if (certificate is None) != (key is None) or (callers is not None and certificate is None):
        raise UsageError(
            "Received a part of --tls-certificate, --tls-key and --tls-callers; expected the first "
            "two together, and the third, which asks callers for certificates, beside them."
        )
    from tumorscope.serving.tls import tls_for_callers, tls_to_receiver

    given = [path for path in (certificate, key, callers, receivers) if path is not None]
    try:
        own = None if certificate is None or key is None else (certificate, key)
        incoming = None if own is None else tls_for_callers(own, callers)
        return incoming, None if receivers is None else tls_to_receiver(own, receivers)
    except (OSError, ssl.SSLError) as error:
        names = ", ".join(map(str, given))
        raise InputError(
            f"Received {names} for TLS, of which one cannot be used ({error.strerror or error}); "
            "expected PEM files, and a key that belongs to the certificate. Check each of them."
        ) from error
