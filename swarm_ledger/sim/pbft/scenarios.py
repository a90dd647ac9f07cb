# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Twins scenarios: who leads each round and who hears whom in it, all of them, by number.

Twins (Bano et al., OPODIS 2021): give a faulty replica two instances, each of them honest, with
one key, and try every way in which a network can come between the instances. Equivocation,
amnesia and lost messages all follow from that, without any hand-written lie.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from swarm_ledger.errors import Misuse

MEMBERS = 4
TWIN = 0
"""The member with two instances: the instances 0 and 4; the instances 1 to 3 are honest."""

INSTANCES = MEMBERS + 1
SPLITS = (1 << (INSTANCES - 1)) - 1
"""Ways to split five instances into two sets, neither of them empty: S(5, 2) = 15."""

TWIN_LEADS = (TWIN,)
ANYBODY_LEADS = tuple(range(MEMBERS))
NAMES = ("0", "1", "2", "3", "0'")


@dataclass(frozen=True, slots=True)
class Round:
    """leader: the member that leads; sides: for each instance, the set in which it is: 0 or 1."""

    leader: int
    sides: tuple[int, ...]

    def __str__(self) -> str:
        sets = (
            " ".join(name for name, at in zip(NAMES, self.sides) if at == side)  # noqa: B905
            for side in (0, 1)
        )
        return f"{self.leader} leads; " + " | ".join(sets)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario. number: its place among all of as many rounds and the same leaders."""

    number: int
    rounds: tuple[Round, ...]

    def __str__(self) -> str:
        rounds = (f"  round {at}: {round_}" for at, round_ in enumerate(self.rounds))
        return "\n".join((f"scenario {self.number} of {len(self.rounds)} rounds", *rounds))


@dataclass(frozen=True, slots=True)
class Scenarios:
    """Every scenario of some rounds, in order: (15 splits x leaders) ** rounds of them.

    leaders: the members of which each round is led by one. With the twin alone, as in the paper's
    evaluation, there are 15 ** 4 = 50,625 scenarios of 4 rounds and 759,375 of 5; with all four,
    60 ** 4 = 12,960,000. The first round is the most significant digit: neighbours share their
    beginning. Misuse if there is nothing to choose from.
    """

    rounds: int
    leaders: tuple[int, ...] = TWIN_LEADS

    def __post_init__(self) -> None:
        known = set(self.leaders) <= set(ANYBODY_LEADS)
        if self.rounds < 1 or not self.leaders or not known:
            raise Misuse(f"no Twins scenarios of {self.rounds} rounds led by {self.leaders}.")
        if len(set(self.leaders)) != len(self.leaders):
            raise Misuse(f"a leader stands twice in {self.leaders}.")

    @property
    def choices(self) -> int:
        """In how many ways one round can go."""
        return SPLITS * len(self.leaders)

    @property
    def count(self) -> int:
        """How many scenarios there are."""
        count: int = self.choices**self.rounds
        return count

    def __iter__(self) -> Iterator[Scenario]:
        return map(self.__getitem__, range(self.count))

    def __getitem__(self, number: int) -> Scenario:
        """Return the scenario of a number from 0 to count - 1; Misuse outside of that."""
        if not 0 <= number < self.count:
            raise Misuse(f"there is no scenario {number}: they go from 0 to {self.count - 1}.")
        rounds, left = [], number
        for _ in range(self.rounds):
            left, choice = divmod(left, self.choices)
            leader, split = divmod(choice, SPLITS)
            rounds.append(Round(self.leaders[leader], _sides(split)))
        return Scenario(number, tuple(reversed(rounds)))

    def number(self, rounds: tuple[Round, ...]) -> int:
        """Return the number of the scenario with these rounds."""
        number = 0
        for round_ in rounds:
            choice = self.leaders.index(round_.leader) * SPLITS + _split(round_.sides)
            number = number * self.choices + choice
        return number


def _sides(split: int) -> tuple[int, ...]:
    """Instance 0 is in set 0; bit i says that instance i + 1 is there, too; never are all."""
    return (0, *(1 - (split >> i & 1) for i in range(INSTANCES - 1)))


def _split(sides: tuple[int, ...]) -> int:
    return sum((side == 0) << i for i, side in enumerate(sides[1:]))
