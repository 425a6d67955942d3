"""What went wrong, as `application/problem+json` (RFC 9457): received, expected, what to do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus

from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """A request that is not answered as it was meant.

    Parameters
    ----------
    status : int
        Of HTTP, 400 to 599.
    received, expected, what_to_do : str
        Sentences.
    headers : mapping of str to str, optional
        Of the response, such as Retry-After.
    """

    def __init__(
        self,
        status: int,
        *,
        received: str,
        expected: str,
        what_to_do: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{received} {expected} {what_to_do}")
        self.status = status
        self.received, self.expected, self.what_to_do = received, expected, what_to_do
        self.headers = dict(headers or {})

    def document(self) -> dict[str, object]:
        """Return what the body says."""
        return {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": str(self),
            "received": self.received,
            "expected": self.expected,
            "what_to_do": self.what_to_do,
        }

    def response(self) -> Response:
        """Return the response."""
        body = json.dumps(self.document(), ensure_ascii=False, allow_nan=False)
        return Response(body, self.status, media_type=MEDIA_TYPE, headers=self.headers)


def not_found(what: str) -> Problem:
    """Return the problem of something that is not there, or not any more."""
    return Problem(
        404,
        received=f"Received a request for {what}: not here, or not any more.",
        expected="Expected an id as the answer to POST /v1/findings names it, and what the "
        "findings of that id list.",
        what_to_do="Check the id. Results are deleted after a while: then send the files again.",
    )


def too_busy(seconds: int) -> Problem:
    """Return the problem of a service whose queue is full."""
    return Problem(
        503,
        received="Received a request while as many wait as the service takes.",
        expected="Expected one at a time when there is room.",
        what_to_do=f"Send it again after {seconds} s, as Retry-After says.",
        headers={"Retry-After": str(seconds)},
    )


def too_large(what: str, most: str) -> Problem:
    """Return the problem of a request beyond a limit."""
    return Problem(
        413,
        received=f"Received {what}.",
        expected=f"Expected at most {most} in one request.",
        what_to_do="Send less at once, series by series, or raise the limit with the options of "
        "tumorscope serve.",
    )


def no_space(what: str) -> Problem:
    """Return the problem of a disk to which nothing can be written."""
    return Problem(
        507,
        received=f"Received a request whose {what} cannot be written down.",
        expected="Expected free space in the spool of the service.",
        what_to_do="Tell those who run the service, or try again later.",
    )


INTERNAL = Problem(
    500,
    received="Received files on which the service failed.",
    expected="Expected an answer, or a reason why there is none.",
    what_to_do="This is a bug in tumorscope: report it with what the log of the service says.",
)
