# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""One simulated drone as a process of its own, over ZeroMQ; events go to stdout as JSON lines."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from swarm_ledger.errors import Misuse, SwarmLedgerError
from swarm_ledger.perception import load as load_classifier
from swarm_ledger.runtime.drone import Drone
from swarm_ledger.runtime.fleet import Fleet, wall_clock_ms
from swarm_ledger.sim.byzantine import corrupt, eyes
from swarm_ledger.sim.events import StdoutEvents, die_with_parent
from swarm_ledger.sim.eyes import FRAME_MS, look
from swarm_ledger.sim.stop import Stop
from swarm_ledger.sim.world import World
from swarm_ledger.transport.zmq import ZmqTransport

_POLL_MS = 10
_STATUS_MS = 200


def fly(fleet: Fleet, name: str, stop: Stop) -> None:
    """Fly one drone until it is asked to stop; its ledger is closed properly then."""
    if fleet.file.world is None:
        raise Misuse("the fleet file has no world to fly in.")
    entry, member = fleet.drone(name), fleet.trust.newest.named(name)
    world = World.create(fleet.file.world.target, len(fleet.file.drones), fleet.file.world.seed)
    classifier = eyes(entry.attack, load_classifier(), world.target)
    start_ms = wall_clock_ms()
    emit = StdoutEvents(name)
    with fleet.store(name) as store, ZmqTransport(member.index, fleet.endpoints()) as transport:
        drone = Drone(
            fleet.keys(name),
            fleet.trust,
            store,
            corrupt(entry.attack, transport, lambda: fleet.identity(name, start_ms // 1000)),
            fleet.settings(name),
            now_ms=start_ms,
            emit=emit,
            looks=fleet.file.looks,
            question=fleet.question(),
        )
        looked_ms = told_ms = 0
        while not stop.asked:
            for raw in transport.receive(_POLL_MS):
                drone.receive(raw, wall_clock_ms())
            now_ms = wall_clock_ms()
            if drone.curious and now_ms - looked_ms >= FRAME_MS:
                looked_ms = now_ms
                elapsed = (now_ms - start_ms) / 1000
                drone.look(look(world, member.index + 1, elapsed, classifier, now_ms))
            drone.tick(wall_clock_ms())
            if now_ms - told_ms >= _STATUS_MS:
                told_ms = now_ms
                emit("status", drone.status())


def main() -> int:
    """Run from the command line: --fleet FILE --drone NAME."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fleet", type=Path, required=True, help="the fleet file")
    parser.add_argument("--drone", required=True, help="which of its drones to fly")
    arguments = parser.parse_args()
    die_with_parent()
    stop = Stop()
    try:
        fly(Fleet.load(arguments.fleet), arguments.drone, stop)
    except SwarmLedgerError as error:
        print(error.explain(), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
