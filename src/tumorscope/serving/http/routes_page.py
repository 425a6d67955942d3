"""The page for people: three files of ours, and nothing from elsewhere."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter
from starlette.responses import FileResponse, Response

STATIC = Path(__file__).parent / "static"
FILES = {
    "page.css": "text/css",
    "page.js": "text/javascript",
    "findings.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}


def router() -> APIRouter:
    """Return the routes."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/")
    async def page() -> Response:
        return FileResponse(STATIC / "page.html", media_type="text/html")

    def add(name: str, kind: str) -> None:
        @routes.get(f"/static/{name}", name=name)
        async def static() -> Response:
            headers = {"Cache-Control": "no-cache"}
            return FileResponse(STATIC / name, media_type=kind, headers=headers)

    for name, kind in FILES.items():
        add(name, kind)
    return routes
