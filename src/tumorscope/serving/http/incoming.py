"""A request with files → a job, its bytes written to the spool as they arrive."""

from __future__ import annotations

from starlette.requests import Request

from tumorscope.serving.http.body import Body
from tumorscope.serving.http.form import FORM, Form
from tumorscope.serving.http.job import Job
from tumorscope.serving.http.limits import MIB
from tumorscope.serving.http.problems import Problem, too_large
from tumorscope.serving.http.service import Service
from tumorscope.serving.http.uploads import Receiver

BODIES = (
    *("image/", "application/dicom", "application/octet-stream", "application/zip"),
    *("application/gzip", "application/x-gzip", "application/x-zip-compressed"),
)
"""How the type of a body may begin that is one file."""

SMALL = MIB
"""Bytes up to which a request is thought to be of pictures before it is read."""


async def receive(request: Request, service: Service, *, name: str | None) -> Job:
    """Read the files of a request; where it is not read to the end, nothing is left of it.

    Raises
    ------
    Problem
        400, 408, 413, 415 or 507.
    ClientDisconnect
        If the client goes away.
    """
    length, body = _length(request), Body(request, service.limits)
    try:
        return await _received(request, body, service, name=name, length=length)
    except Problem as problem:
        # Else the rest of a body that is not taken would still be read. A small one has arrived.
        if length is None or length > SMALL:
            problem.headers["Connection"] = "close"
            if problem.status != 408 and "expect" not in request.headers:
                await body.drain()
        raise


async def _received(
    request: Request, body: Body, service: Service, *, name: str | None, length: int | None
) -> Job:
    content_type = request.headers.get("content-type", "")
    kind = content_type.partition(";")[0].strip().lower()
    if kind != FORM and not kind.startswith(BODIES):
        raise _other_type(kind)
    if length is not None and length > service.limits.request:
        raise too_large("more bytes than are taken", f"{service.limits.request // MIB} MiB")
    heavy = kind in ("application/dicom", "application/zip") or (length or 0) > SMALL
    service.check_room(heavy=heavy)
    place = service.store.new()
    receiver = Receiver(place, service.store, service.limits)
    try:
        form = Form(content_type, receiver) if kind == FORM else None
        if form is None:
            receiver.begin(name or "body")
        async for chunk in body.chunks():
            (form.write if form is not None else receiver.data)(chunk)
        if form is not None:
            form.end()
        else:
            receiver.end()
        if not receiver.bytes:
            raise _nothing()
    except BaseException:
        receiver.close()
        service.store.remove(place, counted=receiver.bytes)
        raise
    service.metrics.received(receiver.bytes)
    return Job(place, tuple(receiver.files), receiver.bytes, service.limits.work)


def _length(request: Request) -> int | None:
    given = request.headers.get("content-length", "")
    return int(given) if given.isdigit() else None


def _other_type(kind: str) -> Problem:
    return Problem(
        415,
        received=f"Received a body of type {kind[:80] or 'unknown'}.",
        expected=f"Expected {FORM}, or one file as image/…, application/dicom, application/zip or "
        "application/octet-stream.",
        what_to_do="Set the header Content-Type; what a file is, its content says.",
    )


def _nothing() -> Problem:
    return Problem(
        400,
        received="Received a request without files, or with empty ones alone.",
        expected="Expected one file at least.",
        what_to_do="Send files in a form (curl -F files=@FILE), or one as the body.",
    )
