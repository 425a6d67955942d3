"""The service on a socket, by uvicorn: TLS, time for heads of requests, an orderly end."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from tumorscope.common.errors import SurroundingsError, UsageError
from tumorscope.serving.http.app import application
from tumorscope.serving.http.guard import Guard, is_loopback
from tumorscope.serving.http.service import Service

HEAD_SECONDS = 10.0
"""In which the head of a request must have arrived."""

CONNECTIONS = 1000
SHORTEST_TOKEN = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where the service listens, and to whom.

    Attributes
    ----------
    host : str
        Of an interface.
    port : int
        0 for any that is free.
    token : str, optional
        Which requests must bring.
    certificate, key : Path, optional
        For TLS, as PEM.

    Raises
    ------
    UsageError
        If other machines could ask without a token, the token is short, or one of certificate and
        key is missing.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = None
    certificate: Path | None = None
    key: Path | None = None

    def __post_init__(self) -> None:
        if self.token is None and not self.local:
            raise UsageError(
                f"Received the host {self.host}, which other machines reach, and no token. "
                "Expected --token-file with it, so that nobody asks or reads results who should "
                "not. Write one with: python -c 'import secrets; print(secrets.token_hex(24))' > "
                "token.txt"
            )
        if self.token is not None and len(self.token) < SHORTEST_TOKEN:
            raise UsageError(
                f"Received a token of {len(self.token)} characters; expected {SHORTEST_TOKEN} at "
                "least, which nobody guesses. Write one with: python -c 'import secrets; "
                "print(secrets.token_hex(24))' > token.txt"
            )
        if (self.certificate is None) != (self.key is None):
            raise UsageError(
                "Received one of --tls-certificate and --tls-key; expected both, or none for plain "
                "HTTP."
            )

    @property
    def local(self) -> bool:
        """Whether this machine alone can ask."""
        return is_loopback(self.host)

    @property
    def scheme(self) -> str:
        """Either http or https."""
        return "http" if self.certificate is None else "https"


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
        before = signal.signal(signal.SIGTERM, _interrupt)
        try:
            server.run(sockets=[listening])
        except KeyboardInterrupt:
            pass  # it has ended in order
        finally:
            signal.signal(signal.SIGTERM, before)


def make_server(service: Service, address: Address) -> uvicorn.Server:
    """Return what runs the service on a socket of `listen`."""
    guarded = Guard(
        application(service),
        metrics=service.metrics,
        token=address.token,
        only_local=address.local,
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


def listen(address: Address) -> socket.socket:
    """Return a socket that listens there.

    Raises
    ------
    SurroundingsError
        If the port cannot be had.
    """
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
        listening = socket.create_server(
            found[0][4][:2], family=found[0][0], backlog=2048, reuse_port=False
        )
    except (OSError, OverflowError) as error:
        raise SurroundingsError(
            f"Cannot listen at {address.host}, port {address.port}: {error}. Expected an address "
            "of this machine and a port that nothing else uses. Choose others with --host and "
            "--port; --port 0 takes any that is free."
        ) from error
    return listening


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
