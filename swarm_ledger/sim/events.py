# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Events between a simulated drone's process and the one that watches it: JSON lines."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec

PARENT = "SWARM_LEDGER_PARENT"
"""Environment variable by which a supervisor tells its children its process id."""

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Event:
    """What happened to whom. event: such as "vote", "block", "status"; fields: its JSON."""

    drone: str
    event: str
    fields: dict[str, Any]


class StdoutEvents:
    """Writes one drone's events to stdout, a line each, at once; if nobody listens, to nobody."""

    def __init__(self, drone: str) -> None:
        self._drone = drone

    def __call__(self, event: str, fields: dict[str, Any]) -> None:
        """Write one event."""
        line = msgspec.json.encode({"swarm_ledger": event, "drone": self._drone, "fields": fields})
        with suppress(BrokenPipeError):
            sys.stdout.buffer.write(line + b"\n")
            sys.stdout.buffer.flush()


def parse_line(line: bytes) -> Event | None:
    """Return the event on a line of a child's output, or None for anything else it prints."""
    try:
        found = msgspec.json.decode(line)
        return Event(str(found["drone"]), str(found["swarm_ledger"]), dict(found["fields"]))
    except (msgspec.DecodeError, TypeError, KeyError, ValueError, RecursionError):
        return None


def die_with_parent() -> None:
    """Have Linux end this process when the supervisor that started it is gone, even if killed.

    Nothing happens elsewhere, nor to a process that no supervisor started: PARENT isn't set then.
    """
    parent = os.environ.get(PARENT)
    if parent is None or not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if str(os.getppid()) != parent:  # it was gone before we asked
        os.kill(os.getpid(), signal.SIGTERM)
