"""What OpenAPI says of answers and errors, and the parameters that several addresses take."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path as InPath
from fastapi import Query

from tumorscope.serving.http import schema
from tumorscope.serving.http.problems import MEDIA_TYPE
from tumorscope.serving.http.tables import Of

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


def findings_like(example: object, description: str) -> dict[str, object]:
    """Return what OpenAPI says of an answer, with an example."""
    return {
        "model": schema.Findings,
        "description": description,
        "content": {JSON: {"example": example}},
    }
