# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The built-in world: one target at the origin, and drones that circle it slowly or hover.

Axes are ENU (x east, y north, z up), metres and radians. A world is only its few numbers:
everything that the cameras see follows from them, so two processes with one world see the same
bytes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from swarm_ledger.errors import Misuse

TARGETS: tuple[str, ...] = ("cup", "two_faces")
MAX_DRONES = 1000
MAX_SEED = 2**63 - 1
MIN_DISTANCE = 1.5  # metres from the target's vertical axis: nearer, the camera would be inside it
ORBIT_RADIUS = (2.6, 4.6)  # metres
ORBIT_HEIGHT = (0.1, 2.2)  # metres above the target's middle

HARD_VIEWS = 0.36
"""The share of drones that see badly, unless a world says otherwise."""

TROUBLES: tuple[str, ...] = ("light", "blur", "noise", "obstacles")
"""What makes a view bad: too dark, glaring or hazy; out of focus or smeared; sensor noise; things
in the way.
"""

_ORBIT_TAG = 0x0B17


@dataclass(frozen=True)
class Pose:
    """Where a drone is: x, y, z in metres (ENU, the target at the origin) and yaw in radians."""

    x: float
    y: float
    z: float
    yaw: float


@dataclass(frozen=True)
class World:
    """A target and the drones around it.

    target: one of TARGETS; drones: how many, >= 1; seed: decides everything that is drawn by lot;
    poses: empty when the drones circle, else one fixed pose a drone. hard: the share of drones
    that see badly. troubles: of what there is for them; there is nothing else.
    """

    target: str
    drones: int
    seed: int
    poses: tuple[Pose, ...] = ()
    hard: float = HARD_VIEWS
    troubles: tuple[str, ...] = TROUBLES

    @staticmethod
    def create(
        target: str,
        drones: int,
        seed: int,
        poses: Sequence[Pose] = (),
        *,
        hard: float = HARD_VIEWS,
        troubles: tuple[str, ...] = TROUBLES,
    ) -> World:
        """Return a checked world; poses, if given, are held instead of circling.

        Raises Misuse for an unknown target or trouble, no drones, a bad seed or share, or poses
        that do not fit.
        """
        if not set(troubles) <= set(TROUBLES):
            raise Misuse(f"no trouble {troubles}.", remedy=f"Choose of {', '.join(TROUBLES)}.")
        if not 0 <= hard <= 1:
            raise Misuse(f"{hard} is no share of hard views.", remedy="Give a number from 0 to 1.")
        if target not in TARGETS:
            raise Misuse(
                f"The world has no target {target!r}.",
                remedy=f"Choose one of {', '.join(TARGETS)}.",
            )
        if not 1 <= drones <= MAX_DRONES:
            raise Misuse(
                f"A world has 1 to {MAX_DRONES} drones, not {drones}.",
                remedy="Give another number of drones.",
            )
        if not 0 <= seed <= MAX_SEED:
            raise Misuse(
                f"The seed {seed} is not between 0 and 2**63 - 1.", remedy="Give another seed."
            )
        if poses and len(poses) != drones:
            raise Misuse(
                f"{len(poses)} poses were given for {drones} drones.",
                remedy="Give one pose a drone, or none.",
            )
        for index, pose in enumerate(poses, start=1):
            finite = all(map(math.isfinite, (pose.x, pose.y, pose.z, pose.yaw)))
            if not finite or math.hypot(pose.x, pose.y) < MIN_DISTANCE:
                raise Misuse(
                    f"The pose of drone {index} is not finite or too near the target.",
                    remedy=f"Place it {MIN_DISTANCE} m or more from the target's axis.",
                )
        return World(target, drones, seed, tuple(poses), hard, troubles)

    def pose(self, drone: int, t: float) -> Pose:
        """Return the pose of drone (1-based) at t seconds.

        Raises Misuse for a drone that is not there.
        """
        if not 1 <= drone <= self.drones:
            raise Misuse(
                f"The world has no drone {drone}.",
                remedy=f"Drones are numbered 1 to {self.drones}.",
            )
        if not math.isfinite(t):
            raise Misuse(
                f"The time {t} is not a finite number of seconds.",
                remedy="Give seconds since the start.",
            )
        if self.poses:
            return self.poses[drone - 1]
        lots = np.random.default_rng([self.seed, _ORBIT_TAG])
        start, turn = lots.uniform(0.0, 2.0 * math.pi), lots.choice([-1.0, 1.0])
        own = np.random.default_rng([self.seed, _ORBIT_TAG, drone])
        spacing = 2.0 * math.pi / self.drones
        bearing = (
            start
            + spacing * (drone - 1 + own.uniform(-0.3, 0.3))
            + turn * own.uniform(0.02, 0.06) * t
        )
        radius = own.uniform(*ORBIT_RADIUS) + 0.15 * math.sin(0.5 * t + own.uniform(0.0, 6.28))
        z = own.uniform(*ORBIT_HEIGHT) + 0.08 * math.sin(0.7 * t + own.uniform(0.0, 6.28))
        x, y = radius * math.cos(bearing), radius * math.sin(bearing)
        return Pose(x, y, z, math.atan2(-y, -x))
