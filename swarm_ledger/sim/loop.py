# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What the process of a simulated drone does over ZeroMQ, whatever its work is."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from swarm_ledger.errors import SwarmLedgerError
from swarm_ledger.runtime.drone import Drone
from swarm_ledger.runtime.fleet import Fleet, wall_clock_ms
from swarm_ledger.runtime.helm import Helm
from swarm_ledger.sim.byzantine import corrupting
from swarm_ledger.sim.events import StdoutEvents, die_with_parent
from swarm_ledger.sim.stop import Stop
from swarm_ledger.sim.wiring import Wiring

Work = Callable[[Drone, int], None]
"""What a drone does in each turn besides hearing its peers; the time in POSIX milliseconds."""

_TICK_MS = 10
_STATUS_MS = 200


def drive(fleet: Fleet, name: str, stop: Stop, work: Work) -> None:
    """Drive one drone until it is asked to stop; its ledger is closed properly then."""
    emit = StdoutEvents(name)
    with fleet.store(name) as store, closing(Wiring(fleet, name, emit)) as wiring:
        now_ms = wall_clock_ms()
        speaking = corrupting(fleet, name, now_ms)
        helm = Helm(fleet, name, store, wiring, emit=emit, now_ms=now_ms, speaking=speaking)
        told_ms = ticked_ms = 0
        while not stop.asked:
            arrived = wiring.receive(_TICK_MS)
            helm.hear(arrived, wall_clock_ms())
            work(helm.drone, wall_clock_ms())
            now_ms = wall_clock_ms()
            if 0 <= now_ms - ticked_ms < _TICK_MS:
                continue
            ticked_ms = now_ms
            helm.tick(now_ms)
            if not 0 <= now_ms - told_ms < _STATUS_MS:
                told_ms = now_ms
                emit("status", helm.status())


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
