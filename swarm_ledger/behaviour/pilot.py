# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""One drone's pilot: it spreads out around the target with the others, and follows orders."""

from __future__ import annotations

import math
from dataclasses import dataclass

from swarm_ledger.behaviour import steering
from swarm_ledger.behaviour.limits import Limits
from swarm_ledger.behaviour.phases import ACTED, TABLE, Event, Order, Phase
from swarm_ledger.behaviour.steering import Vector

_PULL = 0.8  # of a place on its drone, metres a second for each metre
_IN_PLACE = 0.2  # metres
_LEAVE_M = 1.5  # of a ring for each drone in it
_REACH = 1e4  # metres: odometry beyond that is none
_UNSEEN = 1.0  # metres that a drone may move unseen, at most
_MISSING_S = 3.0  # whoever isn't heard of for that long has no place in the ring
_GOLDEN = 0.618034
_LOWEST, _SPAN = 0.3, 1.3  # heights above the target's middle


def height_of(number: int) -> float:
    """Return a drone's height over the target's middle: neighbours' numbers differ much in it."""
    return _LOWEST + _SPAN * (number * _GOLDEN % 1.0)


@dataclass(frozen=True)
class Place:
    """Where a drone is: metres, ENU, and yaw in radians counter-clockwise from east."""

    x: float
    y: float
    z: float
    yaw: float

    @property
    def sane(self) -> bool:
        """Whether it can be true."""
        numbers = (self.x, self.y, self.z, self.yaw)
        return all(math.isfinite(number) and abs(number) < _REACH for number in numbers)


@dataclass(frozen=True)
class Command:
    """Velocities in the drone's own frame: forward, left, up in m/s; turn left in rad/s."""

    forward: float = 0.0
    left: float = 0.0
    up: float = 0.0
    turn: float = 0.0


@dataclass
class _Fix:
    place: Place
    stamp_s: float
    heard_s: float


class Pilot:
    """Flies one drone. number: which of the swarm's it is, from 1; it has its height by that.

    target: of the point that the swarm looks at. Times are seconds of one clock, stamps of
    whichever clock odometry has: a position that is not newer than the last one is not taken in.
    """

    def __init__(self, number: int, limits: Limits | None = None, target: Vector = (0, 0, 0)):
        self.number, self.limits, self.target = number, limits or Limits(), target
        self.phase, self.enabled, self.order = Phase.WAITING, True, Order.HOLD
        self.refused = 0
        self._own: _Fix | None = None
        self._others: dict[int, _Fix] = {}
        self._now_s = -math.inf
        self._flown = False
        self._obeyed = Order.HOLD

    @property
    def acted(self) -> bool:
        """Whether the last order has been carried out."""
        return self._obeyed is self.order and self.phase is ACTED[self.order]

    def see(self, place: Place, stamp_s: float, now_s: float) -> None:
        """Take in where it is; what can't be true, or is old, is counted and left."""
        self._own = self._newer(self._own, place, stamp_s, now_s)

    def see_other(self, number: int, place: Place, stamp_s: float, now_s: float) -> None:
        """Take in where another drone is."""
        if number == self.number:
            return
        fix = self._newer(self._others.get(number), place, stamp_s, now_s)
        if fix is not None:
            self._others[number] = fix

    def _newer(
        self, known: _Fix | None, place: Place, stamp_s: float, now_s: float
    ) -> _Fix | None:
        self._pass_time(now_s)
        if not (place.sane and math.isfinite(stamp_s)):
            self.refused += 1
            return known
        if known is not None and stamp_s <= known.stamp_s:
            self.refused += 1
            return known
        return _Fix(place, stamp_s, now_s)

    def _pass_time(self, now_s: float) -> None:
        """Forget where all are if time goes back: a bag began anew, or a simulation."""
        if now_s < self._now_s:
            self._own = None
            self._others.clear()
        self._now_s = now_s

    def steer(self, now_s: float) -> Command | None:
        """Return what to fly now, None where there is nothing to say yet.

        A drone that does not know where it is, or was disabled in flight, stands still.
        """
        self._pass_time(now_s)
        own = self._own
        if not self.enabled or own is None or now_s - own.heard_s > self.limits.stale:
            if not self.enabled:  # once it is again, it begins anew, and obeys again
                self.phase, self._obeyed = Phase.WAITING, Order.HOLD
            return Command() if self._flown else None
        self._flown = True
        self._take(Event.READY)
        wish, done = self._wish(own.place, now_s)
        if self.phase is Phase.RISING:
            if done:
                self._take(Event.HIGH_ENOUGH)
        elif self._obeyed is not self.order:
            self._obeyed = self.order
            self._take(Event(self.order.value))
        elif done:
            self._take(Event.IN_PLACE)
        velocity = steering.bend(wish, self._bounds(own.place, now_s), self.limits.speed)
        return self._command(own.place, velocity)

    def _take(self, event: Event) -> None:
        self.phase = TABLE.get((self.phase, event), self.phase)

    def _wish(self, own: Place, now_s: float) -> tuple[Vector, bool]:
        """Return the velocity towards our place, and whether we are there."""
        climb = self.target[2] + height_of(self.number) - own.z
        if self.phase is Phase.RISING:
            return (0.0, 0.0, _PULL * climb), climb < _IN_PLACE
        x, y = own.x - self.target[0], own.y - self.target[1]
        distance, bearing = math.hypot(x, y), math.atan2(y, x)
        along = self._shift(bearing, now_s) * distance
        out = self._radius(now_s) - distance
        c, s = math.cos(bearing), math.sin(bearing)
        wish = (out * c - along * s, out * s + along * c, climb)
        return steering.scaled(wish, _PULL), math.hypot(*wish) < _IN_PLACE

    def _radius(self, now_s: float) -> float:
        """Return how far from the axis our place is: a ring has room for all."""
        limits = self.limits
        if self.phase in (Phase.APPROACHING, Phase.NEAR):
            wanted = limits.near
        elif self.phase in (Phase.CLEARING, Phase.CLEAR):
            wanted = limits.far
        else:
            wanted = limits.around
        needed = (1 + len(self._present(now_s))) * _LEAVE_M * limits.separation / math.tau
        return min(max(wanted, needed), 0.9 * limits.fence)

    def _present(self, now_s: float) -> dict[int, Place]:
        return {
            number: fix.place
            for number, fix in self._others.items()
            if now_s - fix.heard_s < _MISSING_S
        }

    def _shift(self, bearing: float, now_s: float) -> float:
        """Return how far round to go: to the middle between those on either side.

        Each doing so, the bearings of all spread evenly, and nobody overtakes anybody.
        """
        ahead, behind = math.tau, math.tau
        for number, place in self._present(now_s).items():
            other = math.atan2(place.y - self.target[1], place.x - self.target[0])
            apart = (other - bearing) % math.tau
            if apart < 1e-6 and number < self.number:
                apart = math.tau
            ahead, behind = min(ahead, apart), min(behind, math.tau - apart)
        return (ahead - behind) / 2 if self._present(now_s) else 0.0

    def _bounds(self, own: Place, now_s: float) -> list[steering.Bound]:
        limits, at = self.limits, (own.x, own.y, own.z)
        across = (own.x - self.target[0], own.y - self.target[1])
        middle = self.target[2]
        bounds = [
            steering.from_axis(across, limits.clearance),
            steering.within(across, limits.fence),
            *steering.between(own.z, middle + limits.floor, middle + limits.ceiling),
        ]
        for fix in self._others.values():
            there = (fix.place.x, fix.place.y, fix.place.z)
            moved = min(limits.speed * (now_s - fix.heard_s), _UNSEEN)
            bounds.append(steering.from_drone(at, there, limits.separation, moved))
        return bounds

    def _command(self, own: Place, velocity: Vector) -> Command:
        """Return a velocity in the drone's own frame, with the turn that faces the target."""
        x, y = self.target[0] - own.x, self.target[1] - own.y
        off = math.remainder(math.atan2(y, x) - own.yaw, math.tau)
        turn = max(-self.limits.turn, min(self.limits.turn, off))
        c, s = math.cos(own.yaw), math.sin(own.yaw)
        return Command(
            velocity[0] * c + velocity[1] * s,
            velocity[1] * c - velocity[0] * s,
            velocity[2],
            turn,
        )
