# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The published ways to decide without a ledger: DMVD, DC and DMMD (Valentini et al. 2016).

As in the code of Strobel et al. 2018: robots explore, then say their opinion and its quality to
whoever is near, listen in the last 3 s of that, and change their opinion by a rule. A liar always
says black, at quality 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np

from swarm_ledger.errors import Misuse
from swarm_ledger.sim.arena.exact import Bools, Floats, Ints
from swarm_ledger.sim.arena.floor import (
    BLACK,
    ROBOTS,
    TICKS_PER_SECOND,
    WHITE,
    Floor,
)

Dynamic: TypeAlias = Literal["dmvd", "dc", "dmmd"]
DYNAMICS: tuple[Dynamic, ...] = get_args(Dynamic)
LIMIT_S = 4_000
BLACK_AT_FIRST = ROBOTS // 2

_MEAN_TICKS = 100.0
_LISTEN = 30
_KEPT = 2
_NOBODY = -1


@dataclass(frozen=True)
class Ended:
    """How one run ended. right: every honest robot said white; seconds: when they all agreed."""

    run: int
    agreed: bool
    right: bool
    seconds: float


class Crowd:
    """The opinions of the robots of some runs, which are in the same order as on their floor."""

    def __init__(self, floor: Floor, dynamic: Dynamic, liars: int) -> None:
        if not 0 <= liars <= BLACK_AT_FIRST:
            raise Misuse(f"{liars} liars: there are 0 to {BLACK_AT_FIRST}, who begin black.")
        if dynamic not in DYNAMICS:
            raise Misuse(f"no dynamic {dynamic!r}.", remedy=f"Take {', '.join(DYNAMICS)}.")
        self.floor, self._dynamic = floor, dynamic
        white = float(np.mean(floor.colours[0] == WHITE))
        self._best = max(white, 1 - white)
        count = len(floor.all)
        place = floor.all % ROBOTS
        self.opinion = np.where(place < BLACK_AT_FIRST, BLACK, WHITE)
        self.liar = place < liars  # robots are alike but for where they start, which is random
        self._quality = np.zeros(count)
        self._own = np.zeros(count, np.int64)
        self._sensed = np.zeros(count, np.int64)
        self._diffusing = np.zeros(count, bool)
        self._left = self._ticks(floor.all, np.full(count, _MEAN_TICKS))
        self._kept = np.full((count, _KEPT), _NOBODY)
        self._kept_opinion = np.zeros((count, _KEPT), np.int64)
        self._kept_quality = np.zeros((count, _KEPT))
        self._heard = np.zeros(count, np.int64)
        self._known = np.zeros((count, ROBOTS), bool)

    def keep(self, going: Bools) -> None:
        """Go on with some runs only; the floor must have been told."""
        robots = np.repeat(going, ROBOTS)
        for name in ("opinion", "liar", "_quality", "_own", "_sensed", "_diffusing", "_left"):
            setattr(self, name, getattr(self, name)[robots])
        for name in ("_kept", "_kept_opinion", "_kept_quality", "_heard", "_known"):
            setattr(self, name, getattr(self, name)[robots])

    def _ticks(self, robots: Ints, mean: Floats) -> Ints:
        return np.ceil(self.floor.draw.exponential(robots) * mean).astype(np.int64)

    def step(self) -> None:
        """Let a tick pass, after the floor's."""
        self._left -= 1
        exploring = ~self._diffusing
        self._own += exploring & (self.floor.sense() == self.opinion)
        self._sensed += exploring
        self._listen()
        over = self._left <= 0
        begin, end = np.flatnonzero(over & exploring), np.flatnonzero(over & self._diffusing)
        if len(begin):
            self._begin_to_diffuse(begin)
        if len(end):
            self._decide(end)

    def _listen(self) -> None:
        listening = self._diffusing & (self._left < _LISTEN)
        near = self.floor.contacts()
        said = listening[near.hearer] & self._diffusing[near.heard]
        hearer, heard = near.hearer[said], near.heard[said]
        fresh = ~self._known[hearer, heard % ROBOTS]
        for to, by in zip(hearer[fresh].tolist(), heard[fresh].tolist(), strict=True):
            place = self._heard[to] % _KEPT
            self._known[to, by % ROBOTS] = True
            self._kept[to, place] = by
            self._kept_opinion[to, place] = self.opinion[by]
            self._kept_quality[to, place] = self._quality[by]
            self._heard[to] += 1

    def _begin_to_diffuse(self, begin: Ints) -> None:
        share = self._own[begin] / self._sensed[begin]
        self._quality[begin] = np.where(self.liar[begin], 1.0, share)
        self._own[begin] = self._sensed[begin] = 0
        self._diffusing[begin] = True
        direct = self._dynamic == "dc"
        weight = np.full(len(begin), self._best) if direct else self._quality[begin]
        self._left[begin] = _LISTEN + self._ticks(begin, _MEAN_TICKS * weight)
        self._heard[begin] = 0
        self._known[begin] = False

    def _decide(self, end: Ints) -> None:
        taken = np.minimum(self._heard[end], _KEPT)
        some, kept = end[taken > 0], taken[taken > 0]
        place = self.floor.draw.below(some, 1_000_000) % kept
        theirs = self._kept_opinion[some, place]
        if self._dynamic == "dmmd":
            enough = (kept == _KEPT) & (self._heard[some] == _KEPT)
            alike = self._kept_opinion[some, 0] == self._kept_opinion[some, 1]
            change = enough & alike
        elif self._dynamic == "dc":
            change = self._kept_quality[some, place] > self._quality[some]
        else:
            change = np.ones(len(some), bool)
        change &= ~self.liar[some]
        self.opinion[some] = np.where(change, theirs, self.opinion[some])
        self._diffusing[end] = False
        self._left[end] = self._ticks(end, np.full(len(end), _MEAN_TICKS))

    def agreed(self) -> tuple[Bools, Bools]:
        """Return in which runs all honest robots agree, and in which of those on white."""
        black = ((self.opinion == BLACK) & ~self.liar).reshape(-1, ROBOTS).any(axis=1)
        white = ((self.opinion == WHITE) & ~self.liar).reshape(-1, ROBOTS).any(axis=1)
        return black != white, white & ~black


def decide(
    dynamic: Dynamic,
    *,
    liars: int,
    black: int,
    seed: int,
    runs: Sequence[int],
    limit_s: int = LIMIT_S,
) -> list[Ended]:
    """Run some runs of a series until all agree, or to the limit; in the order of their numbers.

    Each is the same whichever others it is run with.
    """
    floor = Floor(seed, runs, black)
    crowd = Crowd(floor, dynamic, liars)
    ended: list[Ended] = []
    for tick in range(1, limit_s * TICKS_PER_SECOND + 1):
        floor.step()
        crowd.step()
        agreed, right = crowd.agreed()
        if agreed.any():
            seconds = tick / TICKS_PER_SECOND
            for place in np.flatnonzero(agreed).tolist():
                ended.append(Ended(int(floor.runs[place]), True, bool(right[place]), seconds))
            if agreed.all():
                break
            floor.keep(~agreed)
            crowd.keep(~agreed)
    else:
        ended += [Ended(int(run), False, False, float(limit_s)) for run in floor.runs]
    return sorted(ended, key=lambda one: one.run)
