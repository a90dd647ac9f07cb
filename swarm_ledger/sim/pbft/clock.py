# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Drones' clocks: off by a constant, drifting, and set wrong now and then."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Clock:
    """skew_ms: how far it is off; drift_ppm: how much faster than true time it runs.

    furthest_ms: the latest time that it ever showed.
    """

    skew_ms: int = 0
    drift_ppm: int = 0
    since_ms: int = 0
    furthest_ms: int = 0

    def read(self, true_ms: int) -> int:
        """Return what the clock shows."""
        drifted = (true_ms - self.since_ms) * self.drift_ppm // 1_000_000
        shown = true_ms + self.skew_ms + drifted
        self.furthest_ms = max(self.furthest_ms, shown)
        return shown

    def correct(self, true_ms: int, skew_ms: int) -> None:
        """Set it, as time synchronisation does once it is back."""
        self.skew_ms, self.drift_ppm, self.since_ms = skew_ms, 0, true_ms
