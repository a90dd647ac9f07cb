# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A server of whoever connects: so many at a time, so long each, and it ends when it is to."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from socketserver import BaseRequestHandler, TCPServer, ThreadingMixIn
from typing import Any

from swarm_ledger.errors import Misuse

MAX_CONNECTIONS = 64
PATIENCE_S = 30.0
"""How long one request, and the silence before it, may take."""

GRACE_S = 3.0
"""How long requests that are under way may go on once the server is to end."""

POLL_S = 0.2


class BoundedServer(ThreadingMixIn, TCPServer):
    """Gives each connection a thread. Raises Misuse where it can't listen there.

    handler: of one connection; it calls begin() for each request. patience_s: see PATIENCE_S.
    connections: at most so many at a time; further ones are told `busy`, and cut.
    """

    busy = b""

    allow_reuse_address = True
    daemon_threads = False
    block_on_close = True
    request_queue_size = MAX_CONNECTIONS

    def __init__(
        self,
        host: str,
        port: int,
        handler: type[BaseRequestHandler],
        *,
        patience_s: float = PATIENCE_S,
        connections: int = MAX_CONNECTIONS,
    ) -> None:
        self.patience_s = patience_s
        self.slots = threading.BoundedSemaphore(connections)
        self._busy: dict[socket.socket, float] = {}
        self._guard = threading.Lock()
        try:
            family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
            self.address_family = family
            super().__init__((host, port), handler)
        except OSError as error:
            raise Misuse(
                f"cannot listen on {host}, port {port}: {error.strerror}.",
                remedy="Choose another port or host.",
            ) from error

    @property
    def place(self) -> str:
        """Where it listens: host and port."""
        host, port = self.server_address[:2]
        named = f"[{host!s}]" if self.address_family == socket.AF_INET6 else str(host)
        return f"{named}:{port}"

    def begin(self, connection: socket.socket) -> None:
        """Count a connection's time from now on."""
        with self._guard:
            self._busy[connection] = time.monotonic()

    def run(self, ended: Callable[[], bool]) -> None:
        """Serve until it is to end, which is looked at a few times a second; then close."""
        self.timeout = POLL_S
        try:
            while not ended():
                self.handle_request()
                self._cut_off(self.patience_s)
        finally:
            self.server_close()

    def _cut_off(self, patience_s: float) -> None:
        """End who took too long: socket time-outs alone let one byte a while pass for ever."""
        limit = time.monotonic() - patience_s
        with self._guard:
            for connection, since in self._busy.items():
                if since <= limit:
                    with suppress(OSError):
                        connection.shutdown(socket.SHUT_RDWR)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give a connection a thread, or turn it away if there are too many."""
        if not self.slots.acquire(blocking=False):
            with suppress(OSError):
                request.setblocking(False)
                request.send(self.busy)
            self.shutdown_request(request)
            return
        self.begin(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection, and give its place to another one."""
        with self._guard:
            counted = self._busy.pop(request, None) is not None
        super().shutdown_request(request)
        if counted:
            self.slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of connections that broke off: anybody can break one."""

    def server_close(self) -> None:
        """Stop listening, let requests that are under way end, and wait for them."""
        with self._guard:
            for connection in self._busy:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RD)
        last = threading.Timer(GRACE_S, self._cut_off, (0.0,))
        last.start()
        super().server_close()
        last.cancel()
