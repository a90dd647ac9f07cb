# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""One replica of `bench consensus`: a drone as it flies, with clients on board, that counts.

SIGUSR1 begins what is counted, and again ends it: then it reports.
"""

from __future__ import annotations

import signal
import sys
import time
from contextlib import closing
from types import FrameType
from typing import Any

import msgspec

from swarm_ledger.consensus.settings import Settings
from swarm_ledger.identity.trust import Trust
from swarm_ledger.ledger.store import Store
from swarm_ledger.runtime.drone import Drone
from swarm_ledger.runtime.fleet import Fleet, wall_clock_ms
from swarm_ledger.runtime.helm import Links
from swarm_ledger.runtime.identity import Keys
from swarm_ledger.runtime.machine import Applied
from swarm_ledger.sim.consensus_bench_load import (
    Clients,
    Counted,
    Counts,
    Plan,
    check_us,
    peak_mb,
)
from swarm_ledger.sim.events import StdoutEvents
from swarm_ledger.sim.loop import command_line, run
from swarm_ledger.sim.stop import Stop
from swarm_ledger.sim.wiring import Wiring
from swarm_ledger.transport import Transport

MARK = signal.SIGUSR1
TICK_MS = 10


class Replica:
    """A drone's place in the bench, with the clients on board."""

    def __init__(self, fleet: Fleet, name: str) -> None:
        self._place = [entry.name for entry in fleet.file.drones].index(name)
        self._replicas = len(fleet.file.drones)
        plan = Plan.read(fleet.folder)
        self.clients = Clients(plan, fleet.roster, self._place, self._replicas)
        self._radio: Counted | None = None
        self._checkpoints = 0

    def make(
        self,
        keys: Keys,
        trust: Trust,
        store: Store,
        transport: Transport,
        settings: Settings,
        *,
        now_ms: int,
    ) -> Drone:
        """Return a Drone whose transport counts, and which tells its clients what is ordered."""
        self._radio = radio = Counted(transport, self._replicas - 1)
        clients, note = self.clients, self.note
        return _Told(clients, keys, trust, store, radio, settings, now_ms=now_ms, emit=note)

    def note(self, event: str, fields: dict[str, Any]) -> None:
        """Count the checkpoints among a drone's events."""
        self._checkpoints += event == "checkpoint"

    def counts(self, drone: Drone, cpu_ns: int) -> Counts:
        """Return what this replica has done so far, in a process that took cpu_ns."""
        sent = self._radio.sent if self._radio else 0
        syncs = drone.keeper.store.database.commits
        return self.clients.counts(sent, syncs, self._checkpoints, cpu_ns)


class _Told(Drone):
    """A drone that tells clients what is in its ledger."""

    def __init__(self, clients: Clients, *given: Any, **named: Any) -> None:
        self._clients = clients
        super().__init__(*given, **named)

    def on_applied(self, applied: Applied) -> None:
        """Go on as any drone, and tell the clients."""
        super().on_applied(applied)
        self._clients.applied(applied)


class Measured(msgspec.Struct, frozen=True):
    """What one replica reports. check_us: one signature's check, here and now."""

    counts: Counts
    latencies_us: list[int]
    check_us: float
    peak_mb: float


class Work:
    """What a replica does beside consensus: its clients' part, and reports when it is asked."""

    def __init__(self, replica: Replica, name: str) -> None:
        self._replica, self._tell = replica, StdoutEvents(name)
        self._marks = self._seen = 0
        self._begun: Counts | None = None
        self._ready = False

    def __call__(self, drone: Drone, now_ms: int) -> None:
        """Take a turn."""
        clients = self._replica.clients
        clients(drone, now_ms)
        if not self._ready and clients.latencies_us:
            self._ready = True
            self._tell("ready", {})
        if self._marks == self._seen:
            return
        self._seen = self._marks
        counts = self._replica.counts(drone, time.process_time_ns())
        if self._begun is None:
            self._begun = counts
            clients.latencies_us = []
            return
        clients.enough = True
        latencies = clients.latencies_us
        found = Measured(counts.since(self._begun), latencies, check_us(), peak_mb())
        self._tell("measured", msgspec.to_builtins(found))

    def mark(self, number: int, frame: FrameType | None) -> None:
        """Begin or end what is counted; a signal's handler."""
        self._marks += 1


def fly(fleet: Fleet, name: str, stop: Stop, links: Links) -> None:
    """Fly one replica over links until it is asked to stop."""
    replica = Replica(fleet, name)
    work = Work(replica, name)
    signal.signal(MARK, work.mark)
    with fleet.store(name) as store:
        now_ms, ticked_ms = wall_clock_ms(), 0
        keys, settings = fleet.keys(name), fleet.settings(name)
        drone = replica.make(keys, fleet.trust, store, links, settings, now_ms=now_ms)
        links.follow(fleet, drone, now_ms)
        while not stop.asked:
            arrived = links.receive(TICK_MS)
            now_ms = wall_clock_ms()
            if arrived:
                links.judge(drone.receive_all(arrived, now_ms))
            work(drone, now_ms)
            if not 0 <= now_ms - ticked_ms < TICK_MS:
                ticked_ms = now_ms
                drone.tick(now_ms)


def over_zmq(fleet: Fleet, name: str, stop: Stop) -> None:
    """Fly one replica over ZeroMQ."""
    with closing(Wiring(fleet, name, lambda _event, _fields: None)) as wiring:
        fly(fleet, name, stop, wiring)


def main() -> int:
    """Run from the command line: --fleet FILE --drone NAME."""
    return run(command_line(__doc__).parse_args(), over_zmq)


if __name__ == "__main__":
    sys.exit(main())
