# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Where the built-in world's drones are once pilots fly them.

A drone that nobody has ever commanded circles as the world has it. From its first command on it
is a body with limits of its own, which follows commands in its own frame and hovers without any.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from swarm_ledger.behaviour import Command
from swarm_ledger.sim.world import MIN_DISTANCE, Pose, World

ACCELERATION = 2.0  # m/s², in any direction
MAX_SPEED = 3.0  # m/s
MAX_TURN = 2.0  # rad/s
GROUND = -1.5  # metres: below the target's middle
HOLD_S = 0.5  # a command counts for that long
HOVER = Command()
_STEP_S = 0.01
_CATCH_UP = 100  # steps that are flown at once: a machine that was asleep for longer skips time


@dataclass
class _Body:
    x: float
    y: float
    z: float
    yaw: float
    velocity: tuple[float, float, float] = (0.0, 0.0, 0.0)
    command: Command = HOVER
    until_s: float = -math.inf

    def step(self, now_s: float) -> None:
        command = self.command if now_s <= self.until_s else HOVER
        c, s = math.cos(self.yaw), math.sin(self.yaw)
        wanted = (
            command.forward * c - command.left * s,
            command.forward * s + command.left * c,
            command.up,
        )
        speed = math.hypot(*wanted)
        if speed > MAX_SPEED:
            wanted = (wanted[0] * MAX_SPEED / speed, wanted[1] * MAX_SPEED / speed, wanted[2])
        change = [want - have for want, have in zip(wanted, self.velocity, strict=True)]
        share = min(1.0, ACCELERATION * _STEP_S / max(math.hypot(*change), 1e-9))
        vx, vy, vz = (
            have + share * part for have, part in zip(self.velocity, change, strict=True)
        )
        self.velocity = vx, vy, vz
        self.x, self.y = self.x + vx * _STEP_S, self.y + vy * _STEP_S
        self.z = max(GROUND, self.z + vz * _STEP_S)
        turn = max(-MAX_TURN, min(MAX_TURN, command.turn))
        self.yaw = math.remainder(self.yaw + turn * _STEP_S, math.tau)
        self._stay_out()

    def _stay_out(self) -> None:
        """Nearer, the camera would be inside of the target: there is a wall."""
        distance = math.hypot(self.x, self.y)
        if distance < MIN_DISTANCE:
            out = (1.0, 0.0) if distance < 1e-9 else (self.x / distance, self.y / distance)
            self.x, self.y = out[0] * MIN_DISTANCE, out[1] * MIN_DISTANCE


class Airspace:
    """The drones of a world, numbered from 1. Times are seconds since the flight began."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._bodies: dict[int, _Body] = {}
        self._steps = 0

    def command(self, drone: int, command: Command, now_s: float) -> bool:
        """Have a drone fly that from now on; False for a command that is no finite numbers."""
        numbers = (command.forward, command.left, command.up, command.turn)
        if not all(map(math.isfinite, numbers)):
            return False
        self.advance(now_s)
        if drone not in self._bodies:
            pose = self.world.pose(drone, now_s)
            self._bodies[drone] = _Body(pose.x, pose.y, pose.z, pose.yaw)
        body = self._bodies[drone]
        body.command, body.until_s = command, now_s + HOLD_S
        return True

    def advance(self, now_s: float) -> None:
        """Let all fly on to that time; if it goes back, all circle again as at the start."""
        reached = math.floor(now_s / _STEP_S + 1e-6)
        if reached < self._steps:
            self._bodies.clear()
        for step in range(max(self._steps, reached - _CATCH_UP), reached):
            for body in self._bodies.values():
                body.step((step + 1) * _STEP_S)
        self._steps = reached

    def flown(self, drone: int) -> Pose | None:
        """Return where a piloted drone is, None for one that circles."""
        body = self._bodies.get(drone)
        return None if body is None else Pose(body.x, body.y, body.z, body.yaw)

    def pose(self, drone: int, now_s: float) -> Pose:
        """Return where a drone is at that time, which is not before the last one asked for."""
        self.advance(now_s)
        return self.flown(drone) or self.world.pose(drone, now_s)

    def velocity(self, drone: int) -> tuple[float, float, float]:
        """Return a piloted drone's velocity in the world's frame, m/s; 0 for one that circles."""
        body = self._bodies.get(drone)
        return body.velocity if body else (0.0, 0.0, 0.0)
