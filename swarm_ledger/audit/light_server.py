# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Light clients' questions over ZeroMQ, from anybody with a REQ or DEALER socket.

It looks like a ROUTER. Why it isn't libzmq's is said in `transport/zmtp.py`.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from socketserver import BaseRequestHandler

from swarm_ledger.audit.bounded_server import MAX_CONNECTIONS, PATIENCE_S, BoundedServer
from swarm_ledger.errors import PeerFault
from swarm_ledger.light_client.messages import MAX_REQUEST_BYTES
from swarm_ledger.transport import zmtp


class LightServer(BoundedServer):
    """Answers at tcp://host:port; further limits are BoundedServer's."""

    def __init__(
        self,
        light: Callable[[bytes], bytes],
        host: str,
        port: int,
        *,
        patience_s: float = PATIENCE_S,
        connections: int = MAX_CONNECTIONS,
    ) -> None:
        self.light = light
        super().__init__(host, port, _Handler, patience_s=patience_s, connections=connections)

    @property
    def url(self) -> str:
        """The address to connect a socket to."""
        return f"tcp://{self.place}"


class _Handler(BaseRequestHandler):
    """Shakes hands, then answers one question after another."""

    server: LightServer

    def handle(self) -> None:
        connection: socket.socket = self.request
        connection.settimeout(self.server.patience_s)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # whoever breaks off, or speaks something else, is cut
        with suppress(PeerFault, OSError), connection.makefile("rwb") as stream:
            zmtp.shake_hands(stream, zmtp.ROUTER)
            while True:
                asked = zmtp.receive(stream, MAX_REQUEST_BYTES)
                zmtp.send(stream, self.server.light(asked.data), delimited=asked.delimited)
                self.server.begin(connection)
