# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Fly a mission from its preparation to its outcome, over whichever transport it names."""

from __future__ import annotations

import signal
import time

from swarm_ledger.runtime.fleet import Fleet
from swarm_ledger.sim import processes
from swarm_ledger.sim.events import Event
from swarm_ledger.sim.mission import Mission, Rack, prepare, utc_now
from swarm_ledger.sim.nursery import Nursery
from swarm_ledger.sim.outcome import Outcome, conclude
from swarm_ledger.sim.rack import open_rack
from swarm_ledger.sim.stop import Stop
from swarm_ledger.sim.watch import OnEvent, Watch


def fly(mission: Mission, on_event: OnEvent, nursery: Nursery | None = None) -> Outcome:
    """Fly a mission and return its outcome. on_event: sees everything that happens.

    nursery: forks the drones of one over ZeroMQ, which starts them faster.

    Raises Misuse where it can't be flown here.
    """
    started = time.monotonic()
    liars = mission.liars()
    watch = Watch(mission.names(), (name for name in mission.names() if name not in liars))
    with open_rack(mission) as rack:
        if mission.transport == "memory":
            fleet = _fly_in_memory(mission, watch, on_event, rack)
        else:
            fleet = prepare(mission, now=utc_now(), rack=rack)
            processes.run(mission, watch, on_event, rack.environment, nursery)
    return conclude(mission, fleet, watch, time.monotonic() - started)


def _fly_in_memory(mission: Mission, watch: Watch, on_event: OnEvent, rack: Rack) -> Fleet:
    from swarm_ledger.sim.virtual import VirtualSwarm  # noqa: PLC0415  - with cameras and drones

    # Ctrl-C between two steps: where Python calls back from C, its exception would be lost.
    with (
        Stop(signal.SIGINT) as stop,
        VirtualSwarm(mission, _both(watch, on_event), rack=rack) as swarm,
    ):
        swarm.run(watch, stop)
        fleet = swarm.fleet
    if stop.asked:
        raise KeyboardInterrupt
    return fleet


def _both(watch: Watch, on_event: OnEvent) -> OnEvent:
    def both(event: Event) -> None:
        watch.take(event)
        on_event(event)

    return both
