# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What the process of a simulated drone does over ZeroMQ, whatever its work is."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from swarm_ledger.errors import Misuse, SwarmLedgerError
from swarm_ledger.identity.roster import Roster
from swarm_ledger.identity.trust import Trust
from swarm_ledger.runtime.drone import Drone
from swarm_ledger.runtime.engine import Emit
from swarm_ledger.runtime.fleet import Fleet, wall_clock_ms
from swarm_ledger.runtime.lookout import Lookout
from swarm_ledger.sim.byzantine import corrupt
from swarm_ledger.sim.events import StdoutEvents, die_with_parent
from swarm_ledger.sim.stop import Stop
from swarm_ledger.transport.secret import veiled
from swarm_ledger.transport.zmq import ZmqTransport

Work = Callable[[Drone, int], None]
"""What a drone does in each turn besides hearing its peers; the time in POSIX milliseconds."""

_POLL_MS = 10
_STATUS_MS = 200


def drive(fleet: Fleet, name: str, stop: Stop, work: Work) -> None:
    """Drive one drone until it is asked to stop; its ledger is closed properly then."""
    entry, member = fleet.drone(name), fleet.member(name)
    start_ms = wall_clock_ms()
    emit = StdoutEvents(name)
    lookout = Lookout(fleet, name, emit)
    places = {**fleet.endpoints(*_rosters(fleet.trust)), member.index: entry.endpoint}
    with fleet.store(name) as store, ZmqTransport(member.index, places) as transport:
        secrets = fleet.secrets(name, start_ms)
        radio = veiled(transport, secrets)
        drone = Drone(
            fleet.keys(name),
            fleet.trust,
            store,
            corrupt(entry.attack, radio, lambda: fleet.identity(name, start_ms // 1000)),
            fleet.settings(name),
            now_ms=start_ms,
            emit=emit,
            looks=fleet.file.looks,
            question=fleet.question(),
            secrets=secrets,
        )
        lookout.check_current(drone, start_ms)
        told_ms, epoch = 0, drone.roster.version
        while not stop.asked:
            arrived = transport.receive(_POLL_MS)
            drone.receive_all(arrived, wall_clock_ms())
            work(drone, wall_clock_ms())
            now_ms = wall_clock_ms()
            drone.tick(now_ms)
            if lookout.look(drone, now_ms) or drone.roster.version != epoch:
                epoch = drone.roster.version
                _connect(transport, lookout.fleet, drone, emit)
            if now_ms - told_ms >= _STATUS_MS:
                told_ms = now_ms
                emit("status", drone.status())


def _connect(transport: ZmqTransport, fleet: Fleet, drone: Drone, emit: Emit) -> None:
    """Find those who are new; a slip in a fleet file that was changed in flight ends nobody."""
    try:
        transport.learn(fleet.endpoints(drone.roster, *_rosters(fleet.trust)))
    except Misuse as error:
        emit("roster_refused", {"what": error.explain()})


def _rosters(trust: Trust) -> list[Roster]:
    return [version.roster for version in trust.versions]


def command_line(description: str | None) -> argparse.ArgumentParser:
    """Return the options that each such process has: --fleet FILE --drone NAME."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--fleet", type=Path, required=True, help="the fleet file")
    parser.add_argument("--drone", required=True, help="which of its drones to fly")
    return parser


def run(given: argparse.Namespace, fly: Callable[[Fleet, str, Stop], None]) -> int:
    """Fly the drone that the command line names until Ctrl-C; return the exit code."""
    die_with_parent()
    stop = Stop()
    try:
        fly(Fleet.load(given.fleet), given.drone, stop)
    except SwarmLedgerError as error:
        print(error.explain(), file=sys.stderr)
        return 1
    return 0
