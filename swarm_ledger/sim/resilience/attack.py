# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What liars say, given what honest drones say, and what the ledger has learnt of both.

The truth is label 0. Liars claim to be certain.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, pairwise
from math import comb, factorial, prod

from swarm_ledger.voting.reputation import Reputation
from swarm_ledger.voting.rules import Ballot

SURE_PPM = 1_000_000

STRATEGIES = {
    "independent": "each says some wrong label",
    "colluding": "all say one wrong label",
    "adaptive": "all hear the honest drones first, and say the wrong label with most votes",
    "sleeper": "all said the truth as long as history goes, and now collude",
}


@dataclass(frozen=True)
class Setting:
    """Who votes about what. accuracy: how often an honest drone is right, 0..1.

    history: how many questions were decided before: honest drones were right as often, sleepers
    always, other liars never. 0: nobody knows anybody.
    """

    drones: int
    labels: int
    accuracy: float
    history: int

    @property
    def faulty(self) -> int:
        """How many liars voting is made for, f."""
        return (self.drones - 1) // 3

    @property
    def honest_ppm(self) -> int:
        """How reliable an honest drone is known to be."""
        return known_reliability(self.accuracy, self.history)

    def liar_ppm(self, strategy: str) -> int:
        """How reliable a liar is taken for."""
        return known_reliability(1.0 if strategy == "sleeper" else 0.0, self.history)


@lru_cache(maxsize=64)
def known_reliability(rate: float, history: int) -> int:
    """Return the reliability of who was right at that rate, evenly spread, in millionths."""
    reputation = Reputation(0)
    for answer in range(history):
        reputation = reputation.after(right=int((answer + 1) * rate) > int(answer * rate))
    return reputation.reliability_ppm


def lies(
    setting: Setting, strategy: str, counts: Sequence[int], liars: int
) -> Iterator[tuple[float, tuple[int, ...]]]:
    """Yield with which probability how many liars say each label; the counts are of honest votes.

    All but the independent ones say one thing.
    """
    wrong = range(1, setting.labels)
    if strategy == "independent":
        share = 1 / len(wrong) ** liars
        for split in splits(liars, len(wrong)):
            yield share * ways(split), (0, *split)
        return
    target = max(wrong, key=lambda label: (counts[label], -label))
    if strategy != "adaptive":
        target = 1
    yield 1.0, tuple(liars * (label == target) for label in range(setting.labels))


def splits(total: int, parts: int) -> Iterator[tuple[int, ...]]:
    """Yield all ways to write a total as so many counts, in order."""
    for bars in combinations(range(total + parts - 1), parts - 1):
        edges = (-1, *bars, total + parts - 1)
        yield tuple(after - before - 1 for before, after in pairwise(edges))


def split_count(total: int, parts: int) -> int:
    """Return how many splits there are."""
    return comb(total + parts - 1, parts - 1)


def ways(split: Sequence[int]) -> int:
    """Return in how many orders drones can say what makes these counts."""
    return factorial(sum(split)) // prod(factorial(count) for count in split)


def ballots(counts: Sequence[int], confidence_ppm: int, reliability_ppm: int) -> list[Ballot]:
    """Return ballots that make these counts, from bearings spread around the target."""
    said = [label for label, count in enumerate(counts) for _ in range(count)]
    return [
        Ballot(place, label, confidence_ppm, reliability_ppm=reliability_ppm)
        for place, label in enumerate(said)
    ]
