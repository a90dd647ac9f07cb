# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Velocities that keep their distance: what is wished, bent until every bound holds.

A bound is a half-space of velocities, as a control barrier function gives it (Ames et al. 2019,
eq. 14): towards whatever must not come near, at most GAIN times the distance that is left. Each of
two drones takes half, so that both together close in no faster than that, and never get there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

Vector = tuple[float, float, float]

GAIN = 0.8
"""Per second. A drone that brakes by 2 m/s² follows it well: GAIN * speed is below that."""
RETREAT = 0.4
"""Metres a second at most, of a drone that is beyond a bound."""
_UPRIGHT = 0.5
_ROUNDS = 16
_TOLERANCE = 1e-6


class Bound(NamedTuple):
    """Velocities v with direction · v <= most."""

    direction: Vector
    most: float


def dot(one: Vector, other: Vector) -> float:
    """Return the scalar product."""
    return one[0] * other[0] + one[1] * other[1] + one[2] * other[2]


def scaled(vector: Vector, by: float) -> Vector:
    """Return a vector times a number."""
    return (vector[0] * by, vector[1] * by, vector[2] * by)


def at_most(vector: Vector, length: float) -> Vector:
    """Return a vector no longer than that, in the same direction."""
    own = math.hypot(*vector)
    return vector if own <= length else scaled(vector, length / own)


def gap(one: Vector, other: Vector) -> float:
    """Return how far two drones are apart, heights counted half."""
    away = (one[0] - other[0], one[1] - other[1], one[2] - other[2])
    return math.hypot(away[0], away[1], away[2] * _UPRIGHT)


def from_drone(own: Vector, other: Vector, separation: float, moved: float) -> Bound:
    """Return how fast to close in on another drone, which may have moved that far unseen."""
    length = gap(own, other)
    if length < 1e-9:  # in one place: any way out is as good
        return Bound((1.0, 0.0, 0.0), -RETREAT)
    direction = (
        (other[0] - own[0]) / length,
        (other[1] - own[1]) / length,
        (other[2] - own[2]) * _UPRIGHT**2 / length,
    )
    left = length - separation
    # What nobody has seen is a reason to close in no further, not to flee.
    return Bound(direction, _rate(max(left - moved, 0.0) if left >= 0 else left) / 2)


def from_axis(across: tuple[float, float], clearance: float) -> Bound:
    """Return how fast to close in on the target's axis, from `across` it."""
    length = math.hypot(*across)
    if length < 1e-9:
        return Bound((1.0, 0.0, 0.0), -RETREAT)
    inwards = (-across[0] / length, -across[1] / length, 0.0)
    return Bound(inwards, _rate(length - clearance))


def within(across: tuple[float, float], fence: float) -> Bound:
    """Return how fast to near the fence from within; outwards is no way where there is none."""
    length = max(math.hypot(*across), 1e-9)
    return Bound((across[0] / length, across[1] / length, 0.0), _rate(fence - length))


def between(height: float, floor: float, ceiling: float) -> tuple[Bound, Bound]:
    """Return how fast to sink and to rise."""
    return (
        Bound((0.0, 0.0, -1.0), _rate(height - floor)),
        Bound((0.0, 0.0, 1.0), _rate(ceiling - height)),
    )


def _rate(left: float) -> float:
    return max(GAIN * left, -RETREAT)


def bend(wish: Vector, bounds: Sequence[Bound], speed: float) -> Vector:
    """Return a velocity near the wish that keeps every bound, no faster than speed.

    Where bounds that ask for a retreat contradict one another, those are kept that standing still
    would keep: nothing is made worse.
    """
    velocity = at_most(wish, speed)
    for _ in range(_ROUNDS):
        if not _broken(velocity, bounds):
            break
        for direction, most in bounds:
            over = dot(direction, velocity) - most
            if over > 0:
                velocity = _less(velocity, direction, over / dot(direction, direction))
    velocity = at_most(velocity, speed)
    return scaled(velocity, _share(velocity, bounds))


def _broken(velocity: Vector, bounds: Iterable[Bound]) -> bool:
    return any(dot(direction, velocity) > most + _TOLERANCE for direction, most in bounds)


def _less(vector: Vector, direction: Vector, by: float) -> Vector:
    return (
        vector[0] - direction[0] * by,
        vector[1] - direction[1] * by,
        vector[2] - direction[2] * by,
    )


def _share(velocity: Vector, bounds: Iterable[Bound]) -> float:
    """Return how much of a velocity keeps all bounds that standing still keeps, 0 to 1."""
    share = 1.0
    for direction, most in bounds:
        towards = dot(direction, velocity)
        if most >= 0 and towards > most:
            share = min(share, most / towards)
    return share
