# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Three honest drones that fly, and drone_4, which is played by the test."""

from __future__ import annotations

from tests.crew import Crew
from tests.lab import Lab

HONEST = (0, 1, 2)


def beset(lab: Lab, crew: Crew) -> Lab:
    """Start the honest drones, and have them know drone_4's session; return the same swarm."""
    lab.liars.add("drone_4")
    for member in HONEST:
        lab.start(member)
    tell(lab, crew.identity("drone_4").delegation)
    return lab


def tell(lab: Lab, raw: bytes, members: tuple[int, ...] = HONEST) -> None:
    """Have these drones hear something now."""
    for member in members:
        lab.drones[member].receive(raw, lab.clock_ms(member))
