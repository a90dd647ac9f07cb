# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What libzmq reports of a socket's connections, read without pyzmq's helper and its asyncio."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress

import zmq

_REPORT = struct.Struct("=hi")


def reports(monitor: zmq.Socket[bytes]) -> Iterator[tuple[int, int]]:
    """Yield the event and the value of each report that waits at a socket's monitor.

    Each comes as two frames: both numbers in the machine's order (zmq_socket_monitor), an address.
    """
    with suppress(zmq.Again):
        while True:
            frames = monitor.recv_multipart(zmq.DONTWAIT)
            yield _REPORT.unpack(frames[0])
