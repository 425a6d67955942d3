"""What the service is, and whether it works."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import PlainTextResponse, Response

from tumorscope.serving.http import schema
from tumorscope.serving.http.documents import as_json
from tumorscope.serving.http.problems import too_busy
from tumorscope.serving.http.responses import JSON, problems
from tumorscope.serving.http.service import Service

OK = as_json({"status": "ok"})


def router(service: Service) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["about"])
    about = as_json(service.about())
    works: dict[int | str, dict[str, object]] = {
        200: {"model": schema.Health, "description": "It works."}
    }

    @routes.get(
        "/v1/model",
        summary="The model that answers",
        response_class=Response,
        responses={200: {"model": schema.ModelDocument}, **problems()},
    )
    async def model() -> Response:
        return Response(about, media_type=JSON)

    @routes.get(
        "/healthz",
        summary="Whether it is there",
        response_class=Response,
        responses={**works, **problems()},
    )
    async def healthz() -> Response:
        return Response(OK, media_type=JSON)

    @routes.get(
        "/readyz",
        summary="Whether it takes requests",
        response_class=Response,
        responses={**works, **problems(503)},
    )
    async def readyz() -> Response:
        if not service.ready or service.pictures.full:
            raise too_busy(1)
        return Response(OK, media_type=JSON)

    @routes.get(
        "/metrics",
        summary="Counters for Prometheus",
        response_class=Response,
        responses={
            200: {"description": "Text for Prometheus.", "content": {"text/plain": {}}},
            **problems(),
        },
    )
    async def metrics() -> Response:
        return PlainTextResponse(service.metrics.text(service.gauges()))

    return routes
