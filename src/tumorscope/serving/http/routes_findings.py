"""Send files, ask for their findings, look at pictures, fetch tables and pages, delete."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi import Path as InPath
from starlette.requests import ClientDisconnect
from starlette.responses import FileResponse, Response

from tumorscope.serving.http import schema
from tumorscope.serving.http.dicom_archive import dicom_archive
from tumorscope.serving.http.documents import as_json, status_of
from tumorscope.serving.http.drawing import View, png_of
from tumorscope.serving.http.incoming import receive
from tumorscope.serving.http.job import Job
from tumorscope.serving.http.pictures import kept
from tumorscope.serving.http.problems import MEDIA_TYPE, not_found
from tumorscope.serving.http.service import Service
from tumorscope.serving.http.store import FINDING
from tumorscope.serving.http.tables import Of, report_page, write_table

JSON = "application/json"
Id = Annotated[str, InPath(description="As the answer to POST names it.", max_length=64)]
Kind = Annotated[Of | None, Query(description="Where findings are of both pictures and series.")]
Wait = Annotated[
    float,
    Query(ge=0, le=30, description="Seconds to wait for the answer before 202 is sent instead."),
]
Name = Annotated[
    str | None, Query(max_length=300, description="Of the file, where the body is one.")
]

_SAID = {
    400: "The form cannot be read, or holds no file.",
    401: "The token is missing or another.",
    403: "A page of another site made a browser send this.",
    404: "There is nothing of that id, or not any more.",
    408: "The request arrived too slowly.",
    409: "The findings hold both pictures and series, or failed.",
    413: "More than is taken.",
    415: "The body is of a type that is not taken.",
    421: "The Host header does not name this machine.",
    422: "A parameter does not fit, or an archive cannot be unpacked.",
    429: "Too many requests; see Retry-After.",
    500: "A fault of the service.",
    503: "As many requests wait as the service takes; see Retry-After.",
    507: "The spool of the service is full.",
}


def problems(*codes: int) -> dict[int | str, dict[str, object]]:
    """Return what OpenAPI says of errors."""
    reference = {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}
    return {
        code: {"description": _SAID[code], "content": {MEDIA_TYPE: reference}}
        for code in (*codes, 401, 403, 421, 422, 500)
    }


def _json(example: object, description: str) -> dict[str, object]:
    return {
        "model": schema.Findings,
        "description": description,
        "content": {JSON: {"example": example}},
    }


def router(service: Service) -> APIRouter:
    """Return the routes below /v1/findings."""
    routes = APIRouter(prefix="/v1/findings", tags=["findings"])
    _add_sending(routes, service)
    _add_asking(routes, service)
    _add_pictures(routes, service)
    _add_files(routes, service)
    return routes


def _add_sending(routes: APIRouter, service: Service) -> None:
    @routes.post(
        "",
        summary="Send files and have them looked at",
        response_class=Response,
        openapi_extra=schema.UPLOAD,
        responses={
            200: _json(schema.EXAMPLE, "They were looked at in the time that was given."),
            202: _json(schema.WAITS, "They wait, or are being looked at; see Location."),
            **problems(400, 408, 413, 415, 429, 503, 507),
        },
    )
    async def post(request: Request, wait: Wait = 5.0, name: Name = None) -> Response:
        """Take one or many files, in a form or as the body, and answer once they are looked at.

        What takes longer than `wait` seconds is answered with 202 and is asked for by its id.
        """
        try:
            job = await receive(request, service, name=name)
        except ClientDisconnect:
            return Response(status_code=400)  # which nobody reads
        try:
            service.add(job)
        except BaseException:
            service.store.remove(job.place, counted=job.reserved)
            raise
        where = {"Location": f"/v1/findings/{job.id}"}
        if await _gone(request, job, wait):
            job.cancelled = True  # nobody knows its id
        if not job.ended.done():
            return Response(as_json(status_of(job)), 202, media_type=JSON, headers=where)
        if job.problem is not None:
            raise job.problem
        if job.cancelled:
            raise not_found("findings that were deleted meanwhile")
        return Response(job.text, media_type=JSON, headers=where)


async def _gone(request: Request, job: Job, seconds: float) -> bool:
    """Wait for an answer; return whether the client went away before there was one."""
    ended = asyncio.wrap_future(job.ended)
    gone = asyncio.ensure_future(request.receive())  # after the body, that is all it can say
    try:
        await asyncio.wait((ended, gone), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return gone.done() and not ended.done()
    finally:
        gone.cancel()


def _active(service: Service, name: str) -> Job | None:
    job = service.active.get(name)
    if job is not None and job.cancelled:
        raise not_found("findings that were deleted")
    return job


def _add_asking(routes: APIRouter, service: Service) -> None:
    @routes.get(
        "/{id}",
        summary="How far it is, or the findings",
        response_class=Response,
        responses={200: _json(schema.EXAMPLE, "How far it is, or the answer."), **problems(404)},
    )
    async def get(id: Id) -> Response:
        """Return the state of a request, and the findings once it is “done”."""
        job = _active(service, id)
        if job is not None:
            return Response(as_json(status_of(job)), media_type=JSON)
        return FileResponse(service.store.place(id) / FINDING, media_type=JSON)

    @routes.delete(
        "/{id}",
        summary="Delete all that was sent and found",
        status_code=204,
        response_class=Response,
        responses={204: {"description": "It is deleted."}, **problems(404)},
    )
    def delete(id: Id) -> Response:
        """Delete a request at once, or end it if it is being worked on."""
        service.remove(id)
        return Response(status_code=204)


def _done(service: Service, name: str) -> Path:
    """Return the folder of an answer."""
    if _active(service, name) is not None:
        raise not_found("results of files that are still being looked at")
    return service.store.place(name)


def _add_pictures(routes: APIRouter, service: Service) -> None:
    def add(view: View, summary: str) -> None:
        @routes.get(
            f"/{{id}}/{view}/{{number}}.png",
            summary=summary,
            name=view,
            operation_id=view,
            response_class=Response,
            responses={
                200: {"description": "A picture.", "content": {"image/png": {}}},
                **problems(404),
            },
        )
        def picture(
            id: Id,
            number: Annotated[
                int, InPath(ge=0, le=10**9, description="Counted from the items' first_picture.")
            ],
        ) -> Response:
            place = _done(service, id)
            shown = kept(place, number, zone=service.detector.zone)
            if shown.finding.decision == "unreadable":
                raise not_found(f"picture {number}, as its file cannot be read")
            return Response(png_of(shown, service.detector.metadata, view), media_type="image/png")

    add("overlay", "A sheet: decision, slice, evidence and words")
    add("picture", "A slice as it was read")
    add("evidence", "A slice with its evidence")


def _add_files(routes: APIRouter, service: Service) -> None:
    def add(ending: Literal["csv", "jsonl"], kind: str) -> None:
        @routes.get(
            f"/{{id}}/table.{ending}",
            summary=f"The findings as a table (.{ending})",
            name=f"table_{ending}",
            operation_id=f"table_{ending}",
            response_class=Response,
            responses={
                200: {"description": "As tumorscope predict writes it.", "content": {kind: {}}},
                **problems(404, 409),
            },
        )
        def table(id: Id, of: Kind = None) -> Response:
            place = _done(service, id)
            with service.store.growing(place):
                path = write_table(place, ending, of)
            return FileResponse(path, media_type=kind, filename=f"findings.{ending}")

    add("csv", "text/csv; charset=utf-8")
    add("jsonl", "application/x-ndjson")

    @routes.get(
        "/{id}/report.html",
        summary="The findings as a page to keep",
        response_class=Response,
        responses={
            200: {"description": "One file that loads nothing.", "content": {"text/html": {}}},
            **problems(404, 409),
        },
    )
    def report(id: Id, of: Kind = None) -> Response:
        """Return the page to be saved: it has styles of its own, which this service forbids."""
        place = _done(service, id)
        with service.store.growing(place):
            path = report_page(place, service.detector, of)
        return FileResponse(path, media_type="text/html", filename="findings.html")

    @routes.get(
        "/{id}/dicom.zip",
        summary="The findings as DICOM objects, for archives and viewers",
        response_class=Response,
        responses={
            200: {"description": "A zip of SR and SC.", "content": {"application/zip": {}}},
            **problems(404, 409),
        },
    )
    def dicom(id: Id) -> Response:
        """Return a structured report and a secondary capture for each DICOM series."""
        place = _done(service, id)
        with service.store.growing(place):
            path = dicom_archive(place, service.detector)
        return FileResponse(path, media_type="application/zip", filename="dicom-results.zip")
