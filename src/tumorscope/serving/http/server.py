"""The service on a socket, by uvicorn: TLS, time for heads of requests, an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from tumorscope.common.errors import SurroundingsError
from tumorscope.common.interrupts import ending_softly
from tumorscope.serving.http.address import Address, listen
from tumorscope.serving.http.app import application
from tumorscope.serving.http.guard import Guard
from tumorscope.serving.http.service import Service

HEAD_SECONDS = 10.0
"""In which the head of a request must have arrived."""

CONNECTIONS = 1000


class _Patient(H11Protocol):
    """HTTP that closes connections on which no whole head of a request arrives."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def _watch(self) -> None:
        waits = self.conn.their_state is h11.IDLE
        if waits and self._timer is None:
            self._timer = self.loop.call_later(HEAD_SECONDS, self._give_up)
        elif not waits and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        if self.conn.their_state is h11.IDLE:
            self.transport.close()


def serve(service: Service, address: Address, *, told: Callable[[str], None]) -> None:
    """Listen until the process is told to end (Ctrl-C, SIGTERM); `told` is given the address.

    Raises
    ------
    SurroundingsError
        If the port cannot be had, or certificate and key cannot be used.
    """
    server = make_server(service, address)
    with listen(address) as listening:
        port = listening.getsockname()[1]
        host = f"[{address.host}]" if ":" in address.host else address.host
        told(f"{address.scheme}://{host}:{port}/")
        # It has ended in order where it raises.
        with contextlib.suppress(KeyboardInterrupt), ending_softly():
            server.run(sockets=[listening])


def make_server(service: Service, address: Address) -> uvicorn.Server:
    """Return what runs the service on a socket of `listen`."""
    guarded = Guard(
        application(service),
        metrics=service.metrics,
        token=address.token,
        only_local=address.local and address.token is None,
        rate=service.limits.rate,
        idle=service.limits.idle,
        secure=address.certificate is not None,
    )
    config = uvicorn.Config(
        guarded,
        http=_Patient,
        ws="none",
        lifespan="on",
        loop="asyncio",
        log_config=None,
        access_log=False,  # addresses and ids are nobody's business
        server_header=False,
        proxy_headers=False,
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=75,  # longer than Retry-After may be
        timeout_graceful_shutdown=10,
        ssl_certfile=address.certificate,
        ssl_keyfile=address.key,
    )
    try:
        config.load()
    except (OSError, ValueError) as error:  # of ssl, whose errors are OSErrors
        raise SurroundingsError(
            f"Cannot use the certificate {address.certificate} with the key {address.key}: "
            f"{error}. Expected PEM files that belong together, the key without a password. Check "
            "both."
        ) from error
    return uvicorn.Server(config)
