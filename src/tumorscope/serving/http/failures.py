"""What an error on any address looks like, whoever found it."""

from __future__ import annotations

from functools import partial

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from tumorscope.common.errors import OutputError
from tumorscope.serving.http.problems import INTERNAL, Problem, no_space


def add_failures(app: FastAPI) -> None:
    """Let an application answer every error as a problem."""
    for kind, answer in (
        (Problem, _of_problem),
        (HTTPException, _of_http),
        (RequestValidationError, _of_validation),
        (OutputError, _of_full_disk),
        (Exception, _of_fault),
    ):
        app.add_exception_handler(kind, answer)


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
