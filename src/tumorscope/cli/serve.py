"""``tumorscope serve``: findings over HTTP, and a page for people."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tumorscope.cli.app import emit
from tumorscope.cli.options import Asked, Common, OptionalWhole, Whole
from tumorscope.common.errors import InputError
from tumorscope.common.extras import require
from tumorscope.common.notice import RESEARCH_USE_ONLY
from tumorscope.common.progress import say


def serve(
    *,
    host: str = "127.0.0.1",
    port: Whole = 8000,
    token_file: Path | None = None,
    asked: Asked | None = None,
    batch: OptionalWhole = None,
    retention: float = 1.0,
    spool: Path | None = None,
    spool_mib: Whole = 20_480,
    queue: Whole = 24,
    request_mib: Whole = 2048,
    files: Whole = 20_000,
    unpacked_mib: Whole = 4096,
    rate: float | None = None,
    work_seconds: float = 1800.0,
    tls_certificate: Path | None = None,
    tls_key: Path | None = None,
    common: Common | None = None,
) -> None:
    """Serve findings over HTTP, with a page to drop files on; nothing leaves this machine.

    Programs send pictures, DICOM, NIfTI or a zip of a study to POST /v1/findings; /openapi.json
    describes all addresses. Ctrl-C ends it.

    Example:

        tumorscope serve
        tumorscope serve --host 0.0.0.0 --token-file token.txt --retention 0.5

    Parameters
    ----------
    host
        Interface to listen at. Others than this machine's own (127.0.0.1) need a token.
    port
        To listen at; 0 for any that is free.
    token_file
        File with the token that requests bring as Authorization: Bearer TOKEN; 16 characters or
        more.
    batch
        Pictures per run of the engine; by default so few that no number depends on the others. With
        4, many requests at once may take a tenth less time, and numbers differ in the seventh
        digit.
    retention
        Hours that files and results are kept; then they are deleted.
    spool
        Folder for them, which nobody else may read; by default a temporary one, deleted at the end.
    spool_mib
        MiB that all of them may take.
    queue
        Requests of pictures, and as many of volumes, that may wait; others are told to come back.
    request_mib
        MiB of one request.
    files
        Files of one request, members of archives included.
    unpacked_mib
        MiB of an archive, unpacked.
    rate
        Requests per second from one address; no limit on this machine alone, else 10 by default.
    work_seconds
        Seconds after which work on one request is given up.
    tls_certificate
        For HTTPS, a PEM file.
    tls_key
        For HTTPS, the key of the certificate, a PEM file.
    """
    common = common or Common()
    require("serve", to="serve findings over HTTP")
    from tumorscope.serving.http.address import Address
    from tumorscope.serving.http.limits import MIB, Limits
    from tumorscope.serving.http.server import serve as run
    from tumorscope.serving.http.service import Service
    from tumorscope.serving.http.store import Store

    address = Address(
        host=host,
        port=port,
        token=None if token_file is None else _token(token_file),
        certificate=tls_certificate,
        key=tls_key,
    )
    limits = Limits(
        request=request_mib * MIB,
        files=files,
        unpacked=unpacked_mib * MIB,
        spool=spool_mib * MIB,
        waiting=queue,
        rate=rate if rate is not None or address.local else 10.0,
        work=work_seconds,
        retention=3600.0 * retention,
    )
    detector = (asked or Asked()).detector()

    def told(url: str) -> None:
        if common.json:
            emit(common, {"url": url, "model": detector.model_id}, "")
            sys.stdout.flush()  # whoever started it waits for this
        say(f"Findings at {url} until Ctrl-C. Model {detector.model_id}.")
        say(RESEARCH_USE_ONLY)

    with _spool(spool) as folder:
        store = Store(folder, retention=limits.retention, most=limits.spool)
        run(Service(detector, store, limits, batch=batch), address, told=told)


@contextlib.contextmanager
def _spool(named: Path | None) -> Iterator[Path]:
    if named is None:
        with tempfile.TemporaryDirectory(prefix="tumorscope-") as folder:
            yield Path(folder)
        return
    from tumorscope.common.locks import writing

    with writing(named):
        yield named


def _token(path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"Cannot read the token in {path}: {error}. Expected a text file with the token and "
            "nothing else. Check the path."
        ) from error
