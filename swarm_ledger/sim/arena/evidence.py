# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""How a robot comes to a vote: it drives, senses, and says so once it is sure.

It knows how far it drove and what colour was below it, and not where it is. Tiles of 10 cm make
neighbouring samples alike: a path of length L is worth about L / 9.5 cm independent ones (twice
the integral of the chance that two points of a straight line are on one tile, over all
directions). Of n such samples, with s more of one colour than of the other, the robot votes when
s is at least INTERCEPT + SLOPE * n: a sequential test whose line rises, so that a clear floor is
called within a minute and a close one isn't called early by chance.
"""

from __future__ import annotations

import numpy as np

from swarm_ledger.encoding import digest, encode
from swarm_ledger.sim.arena.exact import Bools, Floats, Ints
from swarm_ledger.sim.arena.floor import BLACK, WHITE
from swarm_ledger.voting.limits import ABSTAIN
from swarm_ledger.voting.observation import Observation

SAMPLE_M = 0.095
INTERCEPT = 8.0
SLOPE = 0.12
LEAST_SURE = 1.0
"""In standard deviations: who is less sure than that when patience ends abstains."""

_MILLION = 1_000_000


class Evidence:
    """What each robot of a run has seen so far."""

    def __init__(self, robots: int) -> None:
        self.driven = np.zeros(robots)
        self.lead = np.zeros(robots)
        """Metres on white less metres on black."""

    def add(self, moved: Floats, colours: Ints) -> None:
        """Take in how far each robot moved in a tick, in metres, and what is below it."""
        self.driven += moved
        self.lead += np.where(colours == WHITE, moved, -moved)

    def sure(self) -> Bools:
        """Return who has seen enough."""
        found: Bools = np.abs(self.lead) >= INTERCEPT * SAMPLE_M + SLOPE * self.driven
        return found

    def observation(self, robot: int, question: bytes, now_ms: int) -> Observation:
        """Return the vote of one robot, by what it has seen.

        image: the digest of its evidence in millimetres, as there is no picture.
        """
        samples = float(self.driven[robot]) / SAMPLE_M
        lead = float(self.lead[robot]) / SAMPLE_M
        deviations = abs(lead) / samples**0.5 if samples > 0 else 0.0
        label = ABSTAIN
        if deviations >= LEAST_SURE:
            label = WHITE if lead > 0 else BLACK
        seen = encode((round(float(self.driven[robot]) * 1000), round(abs(lead) * 1000)))
        right = probability(deviations)
        confidence = right if label != ABSTAIN else 1 - right
        ppm = round(confidence * _MILLION)
        return Observation(question, label, ppm, now_ms, digest(seen), 0, 0)


def probability(deviations: float) -> float:
    """Return the chance that a normal variate is below so many standard deviations (0 or more).

    By its series (Abramowitz & Stegun 26.2.10 in powers), in operations that round alike on every
    processor; above 5 deviations it makes no difference.
    """
    x = min(deviations, 5.0)
    term = total = x
    for n in range(1, 80):
        term *= -x * x / (2 * n)
        total += term / (2 * n + 1)
    return min(0.5 + total * 0.3989422804014327, 1.0)
