"""Send files, ask for their findings, delete them."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from starlette.requests import ClientDisconnect
from starlette.responses import FileResponse, Response

from tumorscope.serving.http import schema
from tumorscope.serving.http.documents import as_json, status_of
from tumorscope.serving.http.incoming import receive
from tumorscope.serving.http.job import Job
from tumorscope.serving.http.problems import not_found
from tumorscope.serving.http.responses import JSON, Id, Name, Wait, findings_like, problems
from tumorscope.serving.http.service import Service
from tumorscope.serving.http.store import FINDING


def router(service: Service) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/v1/findings", tags=["findings"])
    _add_sending(routes, service)
    _add_asking(routes, service)
    return routes


def _add_sending(routes: APIRouter, service: Service) -> None:
    @routes.post(
        "",
        summary="Send files and have them looked at",
        response_class=Response,
        openapi_extra=schema.UPLOAD,
        responses={
            200: findings_like(schema.EXAMPLE, "They were looked at in the time that was given."),
            202: findings_like(schema.WAITS, "They wait, or are being looked at; see Location."),
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


def _add_asking(routes: APIRouter, service: Service) -> None:
    @routes.get(
        "/{id}",
        summary="How far it is, or the findings",
        response_class=Response,
        responses={
            200: findings_like(schema.EXAMPLE, "How far it is, or the answer."),
            **problems(404),
        },
    )
    async def get(id: Id) -> Response:
        """Return the state of a request, and the findings once it is “done”."""
        job = service.working_on(id)
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
