"""The routes of the service, and what an error on any of them looks like."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from anyio import to_thread
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from tumorscope.common.errors import OutputError
from tumorscope.common.notice import RESEARCH_USE_ONLY
from tumorscope.common.versions import own_version
from tumorscope.serving.http import routes_about, routes_findings, routes_page
from tumorscope.serving.http.problems import Problem, no_space
from tumorscope.serving.http.service import Service
from tumorscope.serving.http.work import INTERNAL

DRAWINGS = 4
"""Pictures, tables and pages that are made at once."""

_SIGNALS = ("tracing", "metrics", "logs", "operation_spans", "auto_configure")
_UNWATCHED: dict[str, Any] = {"telemetry": dict.fromkeys(_SIGNALS, False)}
"""Newer FastAPI tells OpenTelemetry of each request, and variables of the environment say to whom
that goes. Nothing leaves the machine."""

WHAT = f"""Findings of a brain-MRI tumour detector.

{RESEARCH_USE_ONLY}

Send pictures (JPEG, PNG, BMP, GIF, TIFF, WebP), DICOM, NIfTI or NRRD files, or a zip of a study to
`POST /v1/findings`. Results are kept for a while and then deleted. Errors are
`application/problem+json` with what was received, what was expected, and what to do."""


def application(service: Service) -> FastAPI:
    """Return the application around a service; starting it starts the service."""

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        to_thread.current_default_thread_limiter().total_tokens = DRAWINGS
        service.start()
        sweeping = asyncio.create_task(_sweep(service))
        try:
            yield
        finally:
            sweeping.cancel()
            await asyncio.to_thread(service.stop)

    app = FastAPI(
        title="tumorscope",
        version=own_version(),
        description=WHAT,
        lifespan=lifespan,
        # Their pages load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        **_UNWATCHED,
    )
    for router in (
        routes_findings.router(service),
        routes_about.router(service),
        routes_page.router(),
    ):
        app.include_router(router)
    for kind, answer in (
        (Problem, _of_problem),
        (HTTPException, _of_http),
        (RequestValidationError, _of_validation),
        (OutputError, _of_full_disk),
        (Exception, _of_fault),
    ):
        app.add_exception_handler(kind, answer)
    return app


async def _sweep(service: Service) -> None:
    while True:
        await asyncio.sleep(max(1.0, min(60.0, service.limits.retention / 10)))
        await asyncio.to_thread(service.store.sweep)


async def _of_problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


async def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    problem = partial(Problem, error.status_code, headers=error.headers)
    if error.status_code == 405:
        return problem(
            received=f"Received {request.method[:10]} for this address.",
            expected=f"Expected {(error.headers or {}).get('Allow', 'another method')}.",
            what_to_do="See /openapi.json.",
        ).response()
    return problem(
        received="Received a request for an address where there is nothing.",
        expected="Expected one of those that /openapi.json lists.",
        what_to_do="Check how the address is written.",
    ).response()


async def _of_validation(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:])
    return Problem(
        422,
        received=f"Received a value for {where} that does not fit.",
        expected=f"Expected: {first['msg']}.",
        what_to_do="See /openapi.json for what each address takes.",
    ).response()


async def _of_full_disk(_: Request, __: Exception) -> Response:
    return no_space("results").response()


async def _of_fault(_: Request, __: Exception) -> Response:
    return INTERNAL.response()
