"""The application around a service: its routes, and what it does beside them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI

from tumorscope.common.notice import RESEARCH_USE_ONLY
from tumorscope.common.progress import say
from tumorscope.common.versions import own_version
from tumorscope.serving.http import routes_about, routes_findings, routes_page, routes_results
from tumorscope.serving.http.failures import add_failures
from tumorscope.serving.http.service import Service

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
        routes_results.router(service),
        routes_about.router(service),
        routes_page.router(),
    ):
        app.include_router(router)
    add_failures(app)
    return app


async def _sweep(service: Service) -> None:
    while True:
        await asyncio.sleep(max(1.0, min(60.0, service.limits.retention / 10)))
        try:
            await asyncio.to_thread(service.store.sweep)
        except OSError as error:  # such as too many open files: the next time it may do
            say(f"Results cannot be deleted now ({type(error).__name__}); trying again.")
