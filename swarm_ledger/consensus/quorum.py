# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""How many may lie, and how many must agree."""

from __future__ import annotations

from swarm_ledger.errors import Misuse


def faulty(n: int) -> int:
    """Most faulty validators that n tolerate: floor((n - 1) / 3)  (Castro & Liskov 2002, 2)."""
    if n < 1:
        raise Misuse(f"a swarm has at least 1 validator, not {n}.")
    return (n - 1) // 3


def quorum(n: int) -> int:
    """Smallest number of validators of which any two sets share an honest one.

    n: validators, >= 1. With f = faulty(n), ceil((n + f + 1) / 2)  (Castro & Liskov 2002, 4.2);
    2f + 1 only where n = 3f + 1.
    """
    return (n + faulty(n) + 2) // 2
