# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What systemd is told of a process: that it is ready, that its loops turn, that it ends.

The protocol is sd_notify(3): datagrams to the socket in $NOTIFY_SOCKET. Where no systemd started
the process, nothing is told, and nothing else is different.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Protocol, runtime_checkable

_MAX_STATUS = 200


@runtime_checkable
class Beating(Protocol):
    """Something with a loop of its own that must not stand still."""

    def pulse(self) -> tuple[int, str] | None:
        """Return its turns so far and how it stands, or None while it isn't meant to turn."""


class Watchdog:
    """Tells systemd of a process, from the loop that all its work goes through.

    It says WATCHDOG=1 twice in the time that systemd allows, but only if each loop has turned
    since it said so last: a process that lives and does nothing is restarted as well.
    send: takes a datagram; every_ms: how often to say it, 0 for never.
    """

    def __init__(self, send: Callable[[bytes], None], every_ms: int) -> None:
        self._send, self._every_ms = send, every_ms
        self._ready = False
        self._told_ms = 0
        self._turns: dict[int, int] = {}
        self._status = ""

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Watchdog:
        """Return the one that the environment wants."""
        address = environment.get("NOTIFY_SOCKET", "")
        if address[:1] not in ("/", "@"):
            return cls(_nowhere, 0)
        meant = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        allowed_us = environment.get("WATCHDOG_USEC", "0") if meant else "0"
        every_ms = int(allowed_us) // 2_000 if allowed_us.isdecimal() else 0
        return cls(_sender(address), every_ms)

    def look(self, things: Iterable[object], now_ms: int) -> None:
        """Say what there is to say. now_ms: of a clock that nobody sets.

        things: those among them that are Beating count.
        """
        if self._ready and (not self._every_ms or now_ms - self._told_ms < self._every_ms):
            return
        beating = [(id(one), one.pulse()) for one in things if isinstance(one, Beating)]
        if not self._ready:
            if any(pulse is None for _, pulse in beating):
                return
            self._ready = True
            words = ["READY=1"]
        elif any(pulse and self._turns.get(key) == pulse[0] for key, pulse in beating):
            return
        else:
            words = ["WATCHDOG=1"]
        self._told_ms = now_ms
        self._turns = {key: pulse[0] for key, pulse in beating if pulse}
        self._say(words, "; ".join(pulse[1] if pulse else "inactive" for _, pulse in beating))

    def ending(self) -> None:
        """Say that the process ends, as it should."""
        self._send(b"STOPPING=1")

    def _say(self, words: list[str], status: str) -> None:
        status = " ".join(status.split())[:_MAX_STATUS]
        if status != self._status:
            self._status = status
            words.append(f"STATUS={status}")
        self._send("\n".join(words).encode())


def _nowhere(datagram: bytes) -> None:
    """Tell nobody."""


def _sender(address: str) -> Callable[[bytes], None]:
    """Return what sends a datagram to a socket; "@" begins a name that is no file's."""
    where = "\0" + address[1:] if address.startswith("@") else address
    own = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    own.setblocking(False)

    def send(datagram: bytes) -> None:
        with suppress(OSError):  # a manager that doesn't listen must not end a drone
            own.sendto(datagram, where)

    return send
