"""A port on which no caller can keep the others waiting."""

from __future__ import annotations

import socket

from pynetdicom.transport import ThreadedAssociationServer

HANDSHAKE_SECONDS = 10.0
"""After so long a connection that does not say who it is, is closed."""


class Listening(ThreadedAssociationServer):  # type: ignore[misc]
    """pynetdicom's server, with a time limit for every step, and a thread for every connection."""

    request_queue_size = 128
    daemon_threads = True

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        """Accept a connection, and no more than that."""
        connection, address = self.socket.accept()
        return connection, address

    def finish_request(self, request: socket.socket, client_address: tuple[str, int]) -> None:
        """Agree upon TLS, and hand the connection on; in a thread of its own."""
        request.settimeout(HANDSHAKE_SECONDS)
        if self.ssl_context is not None:
            request = self.ssl_context.wrap_socket(request, server_side=True)
        request.settimeout(self.ae.network_timeout)
        super().finish_request(request, client_address)

    def process_request(self, request: socket.socket, client_address: tuple[str, int]) -> None:
        """Start that thread."""
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # no thread can be started: only this connection is lost
            self.shutdown_request(request)

    def handle_error(self, request: socket.socket, client_address: tuple[str, int]) -> None:
        """Say nothing of a connection that failed: the original prints a traceback."""
