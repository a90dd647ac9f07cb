# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Events between a simulated drone's process and the one that watches it: JSON lines."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from dataclasses import dataclass
from typing import Any

import msgspec

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Event:
    """What happened to whom. event: such as "vote", "block", "status"; fields: its JSON."""

    drone: str
    event: str
    fields: dict[str, Any]


class StdoutEvents:
    """Writes one drone's events to stdout, a line each, at once."""

    def __init__(self, drone: str) -> None:
        self._drone = drone

    def __call__(self, event: str, fields: dict[str, Any]) -> None:
        """Write one event."""
        line = msgspec.json.encode({"swarm_ledger": event, "drone": self._drone, "fields": fields})
        sys.stdout.buffer.write(line + b"\n")
        sys.stdout.buffer.flush()


def parse_line(line: bytes) -> Event | None:
    """Return the event on a line of a child's output, or None for anything else it prints."""
    try:
        found = msgspec.json.decode(line)
        return Event(str(found["drone"]), str(found["swarm_ledger"]), dict(found["fields"]))
    except (msgspec.DecodeError, UnicodeDecodeError, TypeError, KeyError, ValueError):
        return None


def die_with_parent() -> None:
    """Ask Linux to end this process when the one that started it is gone, even if it was killed.

    Elsewhere, or if the parent is gone already, this does what it can.
    """
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)
