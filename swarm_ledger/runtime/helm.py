# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What steers one drone of a fleet, whatever carries its messages: the same over ZeroMQ and ROS 2.

Beside the Drone it looks at files on board: later rosters, anchors of the relay, rules and leases.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Protocol

from swarm_ledger.ledger.store import Store
from swarm_ledger.runtime.chronicle import Emit
from swarm_ledger.runtime.clerk import Clerk
from swarm_ledger.runtime.courier import Courier
from swarm_ledger.runtime.drone import Drone
from swarm_ledger.runtime.fleet import Fleet
from swarm_ledger.runtime.lookout import Lookout
from swarm_ledger.transport import Transport
from swarm_ledger.transport.secret import veiled


class Links(Transport, Protocol):
    """A transport whose links follow the rosters, and that judges its senders."""

    def follow(self, fleet: Fleet, drone: Drone, now_ms: int) -> None:
        """Change the links where the drone knows other rosters now, or its fleet file says so."""

    def receive(self, timeout_ms: int) -> list[bytes]:
        """Wait at most that long for messages; return those that are there, a bounded number."""

    def judge(self, refused: Collection[int]) -> None:
        """Note which of what was received last was refused, by its place; the rest held."""

    def report(self) -> dict[str, Any]:
        """Return how links are protected ("links"), and what was dropped ("overload")."""


class Helm:
    """Drives a Drone over links: begins it, has it hear, lets time pass (POSIX milliseconds).

    speaking: makes of its transport what it speaks through, for drones that lie. Raises Misuse
    where its keys or files can't be used, NotVerified where its ledger, or the roster folder, is
    not what it was.
    """

    def __init__(
        self,
        fleet: Fleet,
        name: str,
        store: Store,
        links: Links,
        *,
        emit: Emit,
        now_ms: int,
        speaking: Callable[[Transport], Transport] = lambda plain: plain,
    ) -> None:
        home, self._links = fleet.home(name), links
        self._lookout, self._courier = Lookout(fleet, name, emit), Courier(home, emit)
        self._clerk = Clerk(home, emit, fleet.rules())
        secrets = fleet.secrets(name, now_ms)
        self.drone = Drone(
            fleet.keys(name),
            fleet.trust,
            store,
            speaking(veiled(links, secrets)),
            fleet.settings(name),
            now_ms=now_ms,
            emit=emit,
            looks=fleet.file.looks,
            question=fleet.question(),
            secrets=secrets,
            max_bytes=fleet.max_bytes(name),
            rhythm=fleet.rhythm(),
        )
        self._lookout.check_current(self.drone, now_ms)
        links.follow(fleet, self.drone, now_ms)

    def hear(self, messages: list[bytes], now_ms: int) -> None:
        """Take in what the links received last."""
        self._links.judge(self.drone.receive_all(messages, now_ms))

    def tick(self, now_ms: int) -> None:
        """Let time pass, and look at the files on board now and then."""
        self.drone.tick(now_ms)
        self._courier.look(self.drone, now_ms)
        self._clerk.look(self.drone, now_ms)
        self._lookout.look(self.drone, now_ms)
        self._links.follow(self._lookout.fleet, self.drone, now_ms)

    def status(self) -> dict[str, Any]:
        """Return where the drone is, with what its links report."""
        return {**self.drone.status(), **self._links.report()}
