# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What the process of a simulated drone does over ZeroMQ, whatever its work is."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from swarm_ledger.errors import SwarmLedgerError
from swarm_ledger.runtime.clerk import Clerk
from swarm_ledger.runtime.courier import Courier
from swarm_ledger.runtime.drone import Drone
from swarm_ledger.runtime.fleet import Fleet, wall_clock_ms
from swarm_ledger.runtime.lookout import Lookout
from swarm_ledger.sim.byzantine import corrupt
from swarm_ledger.sim.events import StdoutEvents, die_with_parent
from swarm_ledger.sim.stop import Stop
from swarm_ledger.sim.wiring import Wiring
from swarm_ledger.transport.secret import veiled

Work = Callable[[Drone, int], None]
"""What a drone does in each turn besides hearing its peers; the time in POSIX milliseconds."""

_POLL_MS = 10
_STATUS_MS = 200


def drive(fleet: Fleet, name: str, stop: Stop, work: Work) -> None:
    """Drive one drone until it is asked to stop; its ledger is closed properly then."""
    entry = fleet.drone(name)
    start_ms = wall_clock_ms()
    emit = StdoutEvents(name)
    lookout, courier = Lookout(fleet, name, emit), Courier(fleet.home(name), emit)
    clerk = Clerk(fleet.home(name), emit, fleet.rules())
    with fleet.store(name) as store, closing(Wiring(fleet, name, emit)) as wiring:
        secrets = fleet.secrets(name, start_ms)
        radio = veiled(wiring, secrets)
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
            max_bytes=fleet.max_bytes(name),
        )
        lookout.check_current(drone, start_ms)
        wiring.follow(fleet, drone, start_ms)
        told_ms = 0
        while not stop.asked:
            arrived = wiring.receive(_POLL_MS)
            wiring.judge(drone.receive_all(arrived, wall_clock_ms()))
            work(drone, wall_clock_ms())
            now_ms = wall_clock_ms()
            drone.tick(now_ms)
            courier.look(drone, now_ms)
            clerk.look(drone, now_ms)
            lookout.look(drone, now_ms)
            wiring.follow(lookout.fleet, drone, now_ms)
            if not 0 <= now_ms - told_ms < _STATUS_MS:
                told_ms = now_ms
                emit("status", {**drone.status(), **wiring.report()})


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
