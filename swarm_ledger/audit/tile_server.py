# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A ledger over HTTP as tiles, read-only, straight from its file (C2SP tlog-tiles).

Each request opens the ledger anew, so a drone may go on writing it, and threads share nothing. A
name is either a tile's one name or nothing: no path of the file system is ever made of it. Who is
slow, or one too many, is cut off.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from swarm_ledger.audit.bounded_server import MAX_CONNECTIONS, PATIENCE_S, BoundedServer
from swarm_ledger.audit.ledger import open_ledger
from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.ledger.tile_files import certified
from swarm_ledger.ledger.tiles import CHECKPOINT, MAX_NAME_SIZE, Tile, tile_bytes
from swarm_ledger.light_client.messages import MAX_REQUEST_BYTES
from swarm_ledger.transport.asking import LIGHT

_IMMUTABLE = "public, max-age=31536000, immutable"
_MUTABLE = "no-cache"
_TEXT = "text/plain; charset=utf-8"
_BINARY = "application/octet-stream"
_CBOR = "application/cbor"
_MAX_LIGHT_SIZE = len(LIGHT) + -(-MAX_REQUEST_BYTES * 4 // 3)


class TileServer(BoundedServer):
    """Serves one ledger. light: answers light clients, where there is anything to answer with."""

    busy = b"HTTP/1.1 503 Busy\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

    def __init__(
        self,
        ledger: Path,
        host: str,
        port: int,
        *,
        light: Callable[[bytes], bytes] | None = None,
        patience_s: float = PATIENCE_S,
        connections: int = MAX_CONNECTIONS,
    ) -> None:
        self.ledger, self.light = ledger, light
        super().__init__(host, port, _Handler, patience_s=patience_s, connections=connections)

    @property
    def url(self) -> str:
        """Where it listens: the prefix of all names, with a slash at its end."""
        return f"http://{self.place}/"


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
        light = self.server.light if name.startswith(LIGHT) else None
        if len(name) > (_MAX_LIGHT_SIZE if light else MAX_NAME_SIZE):
            self._refuse(HTTPStatus.REQUEST_URI_TOO_LONG)
            return
        if light:
            self._answer_light(light, name[len(LIGHT) :], body=body)
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
        self._send(content, kind, cache, body=body)

    def _answer_light(self, light: Callable[[bytes], bytes], coded: str, *, body: bool) -> None:
        try:
            request = base64.b64decode(coded + "=" * (-len(coded) % 4), b"-_")
        except ValueError:
            request = b""
        if base64.urlsafe_b64encode(request).decode().rstrip("=") != coded:
            self._refuse(HTTPStatus.BAD_REQUEST)
            return
        self._send(light(request), _CBOR, _MUTABLE, body=body)

    def _send(self, content: bytes, kind: str, cache: str, *, body: bool) -> None:
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
