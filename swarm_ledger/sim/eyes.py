# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""From the built-in world's camera to a look that a drone can vote with."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from swarm_ledger.encoding import digest
from swarm_ledger.perception import Classifier
from swarm_ledger.runtime.voter import Look
from swarm_ledger.sim.camera import render
from swarm_ledger.sim.world import Pose, World

FRAME_MS = 100
"""Cameras run at 10 Hz."""


def judge(image: NDArray[np.uint8], pose: Pose, classifier: Classifier, stamp_ms: int) -> Look:
    """Judge one image, (height, width, 3) RGB, taken from `pose` of a target at the origin."""
    return Look(
        perceived=classifier.classify(image),
        stamp_ms=stamp_ms,
        image=digest(image.tobytes()),
        bearing=math.atan2(pose.y, pose.x),
        distance=math.hypot(pose.x, pose.y, pose.z),
    )


def look(
    world: World,
    drone: int,
    t: float,
    classifier: Classifier,
    stamp_ms: int,
    *,
    flown: Pose | None = None,
) -> Look:
    """Take and judge what drone number `drone` (1-based) sees t seconds into the flight.

    flown: where a pilot has brought it, if one flies it.
    """
    pose = flown or world.pose(drone, t)
    return judge(render(world, drone, t, flown), pose, classifier, stamp_ms)
