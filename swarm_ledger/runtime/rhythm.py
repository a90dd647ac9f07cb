# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""How often a drone says what nobody asked for; what consensus says has settings of its own."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rhythm:
    """Milliseconds. hello_ms: between the first times that a drone shows its session while it
    misses somebody, then doubled each time up to hello_again_ms; anew where somebody else comes or
    an epoch begins. Who misses nobody shows it each hello_again_ms.

    answer_ms: how soon somebody is answered again; answer_known_ms: somebody whose session the
    ledger has. clock_first_ms, clock_ms: between readings of the clock, the first ones and later.
    tick_ms: how soon a block is asked for again because a time is up. hand_in_ms: how soon a
    roster is handed in again.
    """

    hello_ms: int = 100
    hello_again_ms: int = 5_000
    answer_ms: int = 100
    answer_known_ms: int = 500
    clock_first_ms: int = 1_000
    clock_ms: int = 5_000
    tick_ms: int = 1_000
    hand_in_ms: int = 5_000


USUAL = Rhythm()
