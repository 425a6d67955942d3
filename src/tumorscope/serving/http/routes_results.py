"""Look at pictures of findings; fetch tables, pages and DICOM results."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter
from fastapi import Path as InPath
from starlette.responses import FileResponse, Response

from tumorscope.serving.http.dicom_archive import dicom_archive
from tumorscope.serving.http.drawing import View, png_of
from tumorscope.serving.http.pictures import kept
from tumorscope.serving.http.problems import not_found
from tumorscope.serving.http.responses import Id, Kind, problems
from tumorscope.serving.http.service import Service
from tumorscope.serving.http.tables import report_page, write_table

DRAWINGS = 4
"""Pictures that are drawn at once."""


def router(service: Service) -> APIRouter:
    """Return the routes.

    What takes time is made in threads of its own, so few that others are not kept waiting.
    """
    routes = APIRouter(prefix="/v1/findings", tags=["findings"])
    _add_pictures(routes, service, CapacityLimiter(DRAWINGS))
    _add_files(routes, service, CapacityLimiter(1))
    return routes


def _done(service: Service, name: str) -> Path:
    """Return the folder of an answer."""
    if service.working_on(name) is not None:
        raise not_found("results of files that are still being looked at")
    return service.store.place(name)


def _add_pictures(routes: APIRouter, service: Service, few: CapacityLimiter) -> None:
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
        async def picture(
            id: Id,
            number: Annotated[
                int, InPath(ge=0, le=10**9, description="Counted from the items' first_picture.")
            ],
        ) -> Response:
            place = _done(service, id)
            drawn = partial(_drawn, service, place, number, view)
            return Response(await to_thread.run_sync(drawn, limiter=few), media_type="image/png")

    add("overlay", "A sheet: decision, slice, evidence and words")
    add("picture", "A slice as it was read")
    add("evidence", "A slice with its evidence")


def _add_files(routes: APIRouter, service: Service, one: CapacityLimiter) -> None:
    async def made(name: str, make: Callable[[Path], Path]) -> Path:
        place = _done(service, name)

        def work() -> Path:
            with service.store.growing(place):
                return make(place)

        return await to_thread.run_sync(work, limiter=one)

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
        async def table(id: Id, of: Kind = None) -> Response:
            path = await made(id, lambda place: write_table(place, ending, of))
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
    async def report(id: Id, of: Kind = None) -> Response:
        """Return the page to be saved: it has styles of its own, which this service forbids."""
        path = await made(id, lambda place: report_page(place, service.detector, of))
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
    async def dicom(id: Id) -> Response:
        """Return a structured report and a secondary capture for each DICOM series."""
        path = await made(id, lambda place: dicom_archive(place, service.detector))
        return FileResponse(path, media_type="application/zip", filename="dicom-results.zip")


def _drawn(service: Service, place: Path, number: int, view: View) -> bytes:
    shown = kept(place, number, zone=service.detector.zone)
    if shown.finding.decision == "unreadable":
        raise not_found(f"picture {number}, as its file cannot be read")
    return png_of(shown, service.detector.metadata, view)
