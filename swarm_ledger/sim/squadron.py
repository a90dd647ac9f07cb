# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""All pilots of a mission in simulated time: the same seed, the same flight."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from swarm_ledger.behaviour import Pilot, Place
from swarm_ledger.runtime.drone import Drone
from swarm_ledger.runtime.orders import Orders
from swarm_ledger.sim.airspace import Airspace
from swarm_ledger.sim.world import World

_PERIOD_S = 0.1
"""Odometry comes, and commands go, at 10 Hz."""


class Squadron:
    """A pilot for each drone of a world; whoever's drone is dead hovers."""

    def __init__(self, world: World) -> None:
        self.air = Airspace(world)
        self.pilots = {number: Pilot(number) for number in range(1, world.drones + 1)}
        self._orders: dict[int, Orders] = {}
        self._due_s = 0.0
        self._told: dict[int, str] = {}
        self._ordered: set[int] = set()

    @property
    def acted(self) -> bool:
        """Whether all that were ordered something have done it."""
        return bool(self._ordered) and all(self.pilots[one].acted for one in self._ordered)

    def step(self, now_s: float, drones: Mapping[int, Drone]) -> Iterator[tuple[int, str]]:
        """Let all fly on; yield which drone (from 1) does what from now on.

        drones: those that live, each with the ledger that it obeys.
        """
        self.air.advance(now_s)
        if now_s < self._due_s:
            return
        self._due_s = now_s + _PERIOD_S
        places = {}
        for number in drones:
            pose = self.air.pose(number, now_s)
            places[number] = Place(pose.x, pose.y, pose.z, pose.yaw)
        self._ordered &= drones.keys()
        for number, drone in drones.items():
            pilot = self.pilots[number]
            self._obey(pilot, drone)
            for other, place in places.items():
                pilot.see_other(other, place, now_s, now_s)
            pilot.see(places[number], now_s, now_s)
            command = pilot.steer(now_s)
            if command is not None:
                self.air.command(number, command, now_s)
            if self._told.get(number) != pilot.phase.value:
                self._told[number] = pilot.phase.value
                yield number, pilot.phase.value

    def _obey(self, pilot: Pilot, drone: Drone) -> None:
        if pilot.number not in self._orders:
            self._orders[pilot.number] = Orders(drone.keeper.store, drone.member.id)
        ordered = self._orders[pilot.number].look(drone.engine.now_ms)
        if ordered is not None:
            pilot.order = ordered.order
            self._ordered.add(pilot.number)
