# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""One way to speak to a peer: a DEALER socket, and whether it still tries."""

from __future__ import annotations

from contextlib import suppress

import zmq

from swarm_ledger.transport.curve import Curve
from swarm_ledger.transport.port import new_socket, unusable
from swarm_ledger.transport.reports import reports

_TRYING = (
    zmq.EVENT_CONNECTED
    | zmq.EVENT_CONNECT_DELAYED
    | zmq.EVENT_CONNECT_RETRIED
    | zmq.EVENT_HANDSHAKE_SUCCEEDED
)
_ENDED = (
    zmq.EVENT_DISCONNECTED
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
)
_STUCK_S = 2.0


class Line:
    """Connects to an address, by the public key of whoever is there if links are encrypted.

    Misuse for an address that can't be connected to.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        address: str,
        server: bytes,
        curve: Curve | None,
    ) -> None:
        self._socket = new_socket(context, zmq.DEALER)
        # Drop what is for a peer that is away: it would get the oldest of it when it comes back,
        # and take requests for left out that a leader only had no way to hear of.
        self._socket.set(zmq.IMMEDIATE, 1)
        self._socket.set(zmq.RCVHWM, 1)  # nobody answers here, and nobody reads it
        self._socket.set(zmq.RECONNECT_IVL, 50)
        self._socket.set(zmq.RECONNECT_IVL_MAX, 1_000)
        if curve is not None:
            curve.as_client(self._socket, server)
        self._monitor = self._socket.get_monitor_socket(_TRYING | _ENDED)
        self._ended_s: float | None = None
        try:
            self._socket.connect(address)
        except zmq.ZMQError as error:
            self.close(linger_ms=0)
            raise unusable(address, error) from error

    def send(self, data: bytes) -> None:
        """Send; dropped if the queue is full, or no connection leads there."""
        with suppress(zmq.Again):
            self._socket.send(data, zmq.DONTWAIT)

    def stuck(self, now_s: float) -> bool:
        """Whether libzmq has given up, at a time of a steady clock.

        It does so where the peer refused us, and for ever where what answers at the address does
        not speak as it should: whoever takes the address for a moment would cut the link for good.
        """
        for event, _ in reports(self._monitor):
            self._ended_s = now_s if event & _ENDED else None
        return self._ended_s is not None and now_s - self._ended_s >= _STUCK_S

    def close(self, *, linger_ms: int) -> None:
        """Close it; what was said before may still be on its way for that long."""
        self._socket.disable_monitor()
        self._monitor.close()
        self._socket.close(linger=linger_ms)
