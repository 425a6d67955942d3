"""What stands before every request: who asks, from where, how often; and headers of answers."""

from __future__ import annotations

import asyncio
import hmac
from hashlib import sha256

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tumorscope.common.hosts import is_loopback
from tumorscope.serving.http.metrics import Metrics
from tumorscope.serving.http.problems import Problem
from tumorscope.serving.http.rate import Rate

OPEN = ("/healthz", "/readyz", "/", "/static/")
"""What is told without a token: that the service is there, and the page without any results."""

SECURITY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Guard:
    """An ASGI application around another.

    Parameters
    ----------
    app : ASGIApp
        What answers.
    metrics : Metrics
        Counts responses.
    token : str, optional
        Which requests must bring; none by default.
    only_local : bool
        Whether the Host header must name this machine: a page from elsewhere, whose name leads
        here (DNS rebinding), has another.
    rate : float, optional
        Requests for findings per second from one address.
    idle : float
        Seconds in which a client must take a part of an answer.
    secure : bool
        Whether the service speaks TLS itself.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        metrics: Metrics,
        token: str | None,
        only_local: bool,
        rate: float | None,
        idle: float,
        secure: bool,
    ) -> None:
        self._app, self._metrics, self._idle = app, metrics, idle
        self._token = None if token is None else sha256(token.encode()).digest()
        self._only_local, self._rate = only_local, Rate(rate) if rate else None
        self._headers = dict(SECURITY)
        if secure:
            self._headers["Strict-Transport-Security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._metrics.response(message["status"])
                headers = MutableHeaders(scope=message)
                headers.update(self._headers)
                headers.setdefault("Cache-Control", "no-store")
            # A client that takes nothing would hold what it was sent.
            async with asyncio.timeout(self._idle):
                await send(message)

        try:
            self._check(scope)
        except Problem as problem:
            await problem.response()(scope, receive, guarded)
            return
        await self._app(scope, receive, guarded)

    def _check(self, scope: Scope) -> None:
        headers, path = Headers(scope=scope), str(scope["path"])
        if self._only_local:
            _check_host(headers.get("host", ""))
        _check_origin(headers)
        is_open = path in OPEN or path.startswith("/static/")
        if self._token is not None and not is_open:
            self._check_token(headers)
        if self._rate is not None and scope["method"] == "POST":
            self._rate.check((scope.get("client") or ("", 0))[0])

    def _check_token(self, headers: Headers) -> None:
        kind, _, given = headers.get("authorization", "").partition(" ")
        digest = sha256(given.strip().encode("utf-8", "replace")).digest()
        if kind.lower() != "bearer" or not hmac.compare_digest(digest, self._token or b""):
            raise Problem(
                401,
                received="Received a request without the token of this service, or with another.",
                expected="Expected the header Authorization: Bearer TOKEN.",
                what_to_do="Ask those who run the service for its token.",
                headers={"WWW-Authenticate": 'Bearer realm="tumorscope"'},
            )


def _check_host(host: str) -> None:
    name = host.rpartition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]
    if not is_loopback(name.lower()):
        raise Problem(
            421,
            received="Received a request whose Host header does not name this machine.",
            expected="Expected localhost, 127.0.0.1 or [::1].",
            what_to_do="Open the address that the service printed. For other machines, start it "
            "with --host and --token-file.",
        )


def _check_origin(headers: Headers) -> None:
    """Refuse what a page from elsewhere makes a browser send."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    same = origin is None or origin.partition("://")[2] == headers.get("host", "")
    if site in ("cross-site", "same-site") or not same:
        raise Problem(
            403,
            received="Received a request that a page of another site made a browser send.",
            expected="Expected requests of the service's own page, or of programs.",
            what_to_do="Open the service's own page.",
        )
