# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A ledger over HTTP as tiles, read-only, straight from its file (C2SP tlog-tiles).

Each request opens the ledger anew, so a drone may go on writing it, and threads share nothing. A
name is either a tile's one name or nothing: no path of the file system is ever made of it. Who is
slow, or one too many, is cut off.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import TCPServer, ThreadingMixIn
from typing import Any

from swarm_ledger.audit.ledger import open_ledger
from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.ledger.tile_files import certified
from swarm_ledger.ledger.tiles import CHECKPOINT, MAX_NAME_SIZE, Tile, tile_bytes

MAX_CONNECTIONS = 64
PATIENCE_S = 30.0
"""How long one request, and the silence before it, may take."""

GRACE_S = 3.0
"""How long requests that are under way may go on once the server is to end."""

POLL_S = 0.2
_IMMUTABLE = "public, max-age=31536000, immutable"
_MUTABLE = "no-cache"
_BUSY = b"HTTP/1.1 503 Busy\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
_TEXT = "text/plain; charset=utf-8"
_BINARY = "application/octet-stream"


class TileServer(ThreadingMixIn, TCPServer):
    """Serves one ledger. Raises Misuse where it can't listen there.

    patience_s: see PATIENCE_S. connections: at most so many at a time; further ones get a 503.
    """

    allow_reuse_address = True
    daemon_threads = False
    block_on_close = True
    request_queue_size = MAX_CONNECTIONS

    def __init__(
        self,
        ledger: Path,
        host: str,
        port: int,
        *,
        patience_s: float = PATIENCE_S,
        connections: int = MAX_CONNECTIONS,
    ) -> None:
        self.ledger, self.patience_s = ledger, patience_s
        self.slots = threading.BoundedSemaphore(connections)
        self._busy: dict[socket.socket, float] = {}
        self._guard = threading.Lock()
        try:
            family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
            self.address_family = family
            super().__init__((host, port), _Handler)
        except OSError as error:
            raise Misuse(
                f"cannot listen on {host}, port {port}: {error.strerror}.",
                remedy="Choose another --port or --host.",
            ) from error

    @property
    def url(self) -> str:
        """Where it listens: the prefix of all names, with a slash at its end."""
        host, port = self.server_address[:2]
        named = f"[{host!s}]" if self.address_family == socket.AF_INET6 else str(host)
        return f"http://{named}:{port}/"

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
                request.send(
                    b"HTTP/1.1 503 Busy\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
                )
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


class _Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or a body waits 40 ms for its headers to be acknowledged
    server_version, sys_version = "swarm_ledger", ""
    server: TileServer

    def setup(self) -> None:
        super().setup()
        self.connection.settimeout(self.server.patience_s)

    def handle_one_request(self) -> None:
        super().handle_one_request()
        self.server.begin(self.connection)

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        name = self.path[1:] if self.path.startswith("/") else ""
        if len(name) > MAX_NAME_SIZE:
            self._refuse(HTTPStatus.REQUEST_URI_TOO_LONG)
            return
        try:
            tile = None if name == CHECKPOINT else Tile.parse(name)
        except Misuse:
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        try:
            content = self._content(tile)
        except NotVerified:
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR)
            return
        except Misuse:  # the ledger can't be opened, or has no checkpoint yet
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE)
            return
        if content is None:
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        kind, cache = (_TEXT, _MUTABLE) if tile is None else (_BINARY, _IMMUTABLE)
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", cache)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        if body:
            self.wfile.write(content)

    def _content(self, tile: Tile | None) -> bytes | None:
        """Return a tile, or the checkpoint; None for a tile that the checkpoint doesn't cover."""
        with open_ledger(self.server.ledger) as store, store.database.snapshot():
            store.refresh()  # so that the checkpoint isn't newer than the entries are
            checkpoint, note = certified(store)
            if tile is None:
                return note
            return tile_bytes(store, tile) if tile.within(checkpoint.size) else None

    def _refuse(self, status: HTTPStatus) -> None:
        self.close_connection = True
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.send_header("Cache-Control", _MUTABLE)
        self.send_header("Connection", "close")
        self.end_headers()

    def log_message(self, form: str, *arguments: object) -> None:
        """Log nothing: what strangers ask for is theirs."""
