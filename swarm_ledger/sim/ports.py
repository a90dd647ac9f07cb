# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Ports for processes that will listen a moment later.

The system gives outgoing connections any port of its ephemeral range, also one that was free just
now. So these are from below that range.
"""

from __future__ import annotations

import secrets
import socket
from pathlib import Path

from swarm_ledger.errors import Misuse

_LOWEST = 10_000
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_USUAL = 32_768
_LEAST_ROOM = 2_000
_ATTEMPTS = 1_000


def free_ports(count: int) -> list[int]:
    """Return ports of 127.0.0.1 in a row that nobody has now; Misuse if there are none."""
    room = _top() - _LOWEST - count
    for _ in range(_ATTEMPTS):
        first = _LOWEST + secrets.randbelow(room)
        ports = list(range(first, first + count))
        if all(map(_is_free, ports)):
            return ports
    raise Misuse(f"127.0.0.1 has no {count} free ports in a row.")


def _top() -> int:
    """Return where the ephemeral range begins."""
    try:
        begins = int(_EPHEMERAL.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return _USUAL
    return begins if begins >= _LOWEST + _LEAST_ROOM else _USUAL


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
