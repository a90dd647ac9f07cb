# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""One simulated drone as a process of its own, over ZeroMQ; events go to stdout as JSON lines."""

from __future__ import annotations

import sys

import cv2
import numpy as np

from swarm_ledger.errors import Misuse
from swarm_ledger.perception import load as load_classifier
from swarm_ledger.runtime.drone import Drone
from swarm_ledger.runtime.fleet import Fleet, wall_clock_ms
from swarm_ledger.sim.byzantine import eyes
from swarm_ledger.sim.camera import HEIGHT, WIDTH
from swarm_ledger.sim.eyes import FRAME_MS, look
from swarm_ledger.sim.loop import command_line, drive, run
from swarm_ledger.sim.stop import Stop
from swarm_ledger.sim.world import World


def fly(fleet: Fleet, name: str, stop: Stop) -> None:
    """Fly one drone in the fleet's world until it is asked to stop."""
    if fleet.file.world is None:
        raise Misuse("the fleet file has no world to fly in.")
    attack = fleet.drone(name).attack
    place = [entry.name for entry in fleet.file.drones].index(name) + 1
    world = World.create(fleet.file.world.target, len(fleet.file.drones), fleet.file.world.seed)
    classifier = eyes(attack, load_classifier(), world.target)
    start_ms = wall_clock_ms()
    looked_ms = 0

    def work(drone: Drone, now_ms: int) -> None:
        nonlocal looked_ms
        if drone.curious and now_ms - looked_ms >= FRAME_MS:
            looked_ms = now_ms
            drone.look(look(world, place, (now_ms - start_ms) / 1000, classifier, now_ms))

    drive(fleet, name, stop, work)


def warm_up() -> None:
    """Have ready what all drones' processes share, before they are forked: the shipped model, and
    OpenCV's tables of colours, which it makes for the first image: 140 ms of processor.

    OpenCV keeps to this thread, as others would not be forked; many drones share few cores anyway.
    """
    cv2.setNumThreads(1)
    load_classifier().classify(np.zeros((HEIGHT, WIDTH, 3), np.uint8))


def main() -> int:
    """Run from the command line: --fleet FILE --drone NAME."""
    return run(command_line(__doc__).parse_args(), fly)


if __name__ == "__main__":
    sys.exit(main())
