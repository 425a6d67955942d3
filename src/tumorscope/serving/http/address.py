"""Where the service listens, and to whom."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

from tumorscope.common.errors import SurroundingsError, UsageError
from tumorscope.common.hosts import is_loopback

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
