# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""How long news takes in the arena: what any agreement among robots that meet has to wait for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from swarm_ledger.errors import Misuse
from swarm_ledger.sim.arena.floor import ROBOTS, TICKS_PER_SECOND, Floor

_BLACK = 34
"""Any share: nobody looks at the floor."""


def spread(
    seed: int, runs: Sequence[int], *, silent: int, known: int, limit_s: int
) -> list[float | None]:
    """Return for each run after how many seconds every robot that carries has heard of `known`.

    Each has one piece of news, and hands on all that it has to whoever is near, at once. silent:
    how many neither speak nor carry. None where that took longer than the limit.
    """
    if not (0 <= silent < ROBOTS and 1 <= known <= ROBOTS - silent):
        raise Misuse(f"with {silent} silent robots of {ROBOTS}, nobody hears of {known}.")
    floor = Floor(seed, runs, _BLACK)
    count = len(floor.runs)
    carries = floor.all % ROBOTS < ROBOTS - silent
    news = np.tile(np.eye(ROBOTS, dtype=bool), (count, 1))
    found: list[float | None] = [None] * count
    for tick in range(1, limit_s * TICKS_PER_SECOND + 1):
        floor.step()
        near = floor.contacts()
        both = carries[near.hearer] & carries[near.heard]
        hearer, told = near.hearer[both], news[near.heard[both]]
        np.logical_or.at(news, hearer, told)
        enough = (news.sum(axis=1) >= known) | ~carries
        for place in np.flatnonzero(enough.reshape(count, ROBOTS).all(axis=1)).tolist():
            if found[place] is None:
                found[place] = tick / TICKS_PER_SECOND
        if None not in found:
            break
    return found
