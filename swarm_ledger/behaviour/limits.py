# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What bounds a flight. Metres, seconds and radians."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from swarm_ledger.errors import Misuse


@dataclass(frozen=True)
class Limits:
    """Misuse for figures that can't be flown.

    speed: of a command, in all directions together; turn: of its yaw rate, rad/s. separation:
    that drones steer to keep from one another, heights counted half, since rotors push air down;
    clearance: from the target's vertical axis. fence: how far from that axis a drone flies;
    floor, ceiling: below and above the target's middle. stale: for how long a position counts.
    near, around, far: distances from the axis to approach to, to look from, and to keep clear at.
    """

    speed: float = 1.0
    turn: float = 1.0
    separation: float = 1.0
    clearance: float = 1.7
    fence: float = 30.0
    floor: float = -1.0
    ceiling: float = 10.0
    stale: float = 0.5
    near: float = 2.1
    around: float = 3.2
    far: float = 5.5

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            low = -math.inf if one.name in ("floor", "ceiling") else 0.0
            if not (math.isfinite(value) and value > low):
                raise Misuse(f"the limit {one.name} can't be {value:g}.")
        if not self.clearance < self.near <= self.around <= self.far < self.fence:
            raise Misuse(
                "these distances can't be flown.",
                remedy="Take clearance < near <= around <= far < fence.",
            )
        if not self.floor + 1.0 < self.ceiling:
            raise Misuse("there must be a metre and more between floor and ceiling.")
