# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The arena of Valentini et al. 2016 and Strobel et al. 2018: tiles, walls and e-pucks on them.

Many runs are stepped at once. A robot's state never depends on which other runs are beside it.
Lengths in metres, times in ticks of 0.1 s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from swarm_ledger.errors import Misuse
from swarm_ledger.sim.arena.exact import TURN, Bools, Floats, Ints, Streams, directions

ROBOTS = 20
SIDE = 2.0
TILES = 20
"""Along each side: 400 tiles of 10 cm."""

TICKS_PER_SECOND = 10
RADIO = 0.22
WHITE, BLACK = 0, 1

_SPEED = 0.01
"""Metres a tick, straight ahead; half of it in a curve."""

_SPIN = round(TURN * 0.1 * (0.1 / 0.0265) / 6.283185307179586)
"""Directions a tick, both wheels at 10 cm/s against each other on an axle of 5.3 cm."""

_CURVE = _SPIN // 2
_BODY = 0.035
_SENSED = 0.1
"""Range of an e-puck's proximity sensors, from its body on."""

_WALK_TICKS = 400.0
_TURN_TICKS = 45
_AHEAD = 0.9848
"""Cosine of 10 degrees: what is straight ahead isn't curved around (the authors' controller)."""

_BLOCKED = 0.05
"""Distance from a body at which what is straight ahead is evaded, too."""


@dataclass(frozen=True)
class Contacts:
    """Which robots hear which: flat indices of hearer and heard, ordered by hearer, then heard."""

    hearer: Ints
    heard: Ints


def seeds_of(seed: int, runs: Sequence[int]) -> list[np.random.SeedSequence]:
    """Return the seeds of some runs of a series: run 7 has the same whatever else is run."""
    return [np.random.SeedSequence(entropy=seed, spawn_key=(run,)) for run in runs]


class Floor:
    """Some runs of the arena, stepped together. black: percent of the tiles that are black.

    colours: WHITE or BLACK by run and tile. runs: which of the series are still going on.
    x, y, tile: where robots are, flat, robot by robot and run by run.
    """

    def __init__(self, seed: int, runs: Sequence[int], black: int) -> None:
        if not runs or not 0 < black < 100:
            raise Misuse("an arena needs a run at least, and 1 to 99 percent of black tiles.")
        seeds = seeds_of(seed, runs)
        self.runs = np.array(runs)
        self.draw = Streams(seeds, ROBOTS)
        tiles = TILES * TILES
        self._order = Streams([one.spawn(1)[0] for one in seeds], tiles)
        # The tiles with the smallest random numbers are black: a fair draw of exactly so many.
        lots = self._order.uniform(np.arange(len(runs) * tiles)).reshape(-1, tiles)
        ranks = np.argsort(np.argsort(lots, axis=1, kind="stable"), axis=1, kind="stable")
        self.colours = (ranks < round(tiles * black / 100)).astype(np.int8)
        self._cos, self._sin = directions()
        robots = np.arange(len(runs) * ROBOTS)
        room = SIDE - 2 * _BODY
        self.x = _BODY + room * self.draw.uniform(robots)
        self.y = _BODY + room * self.draw.uniform(robots)
        self._heading = self.draw.below(robots, TURN)
        self._spin = np.zeros(len(robots), np.int64)
        self._walk = self._stretch(robots)
        self._lay_out()
        self._near = self._measure()

    def _lay_out(self) -> None:
        count = len(self.runs)
        self.all = np.arange(count * ROBOTS)
        self._run_of = np.repeat(np.arange(count), ROBOTS)
        self._apart = np.broadcast_to(~np.eye(ROBOTS, dtype=bool), (count, ROBOTS, ROBOTS))

    def keep(self, going: Bools) -> None:
        """Go on with some runs only."""
        robots = np.flatnonzero(np.repeat(going, ROBOTS))
        self.runs, self.colours = self.runs[going], self.colours[going]
        self.draw.keep(robots)
        self.x, self.y, self._walk = self.x[robots], self.y[robots], self._walk[robots]
        self._heading, self._spin = self._heading[robots], self._spin[robots]
        self._lay_out()
        self._near = self._measure()

    def sense(self) -> Ints:
        """Return the colour below each robot."""
        column = (self.x * (TILES / SIDE)).astype(np.int64)
        row = (self.y * (TILES / SIDE)).astype(np.int64)
        sensed: Ints = self.colours[self._run_of, row * TILES + column]
        return sensed

    def contacts(self) -> Contacts:
        """Return who hears whom now."""
        hearer, heard, _, _, square = self._near
        close = square <= RADIO * RADIO
        return Contacts(hearer[close], heard[close])

    def step(self) -> None:
        """Let a tick pass."""
        over = np.flatnonzero(self._walk <= 0)
        if len(over):
            self._turn(over)
        self._walk -= 1
        straight = self._spin == 0
        ahead, aside = self._obstacles()
        curve = straight & (aside != 0)
        speed = np.where(straight, np.where(curve, _SPEED / 2, _SPEED), 0.0)
        self._heading += np.where(curve, -aside * _CURVE, self._spin)
        self._heading &= TURN - 1
        self._move(speed, ahead)
        self._near = self._measure()

    def _turn(self, over: Ints) -> None:
        """Begin to turn, or to go straight, where the time for the other is over."""
        was_straight = self._spin[over] == 0
        begins, ends = over[was_straight], over[~was_straight]
        if len(begins):
            self._walk[begins] = self.draw.below(begins, _TURN_TICKS)
            left = self.draw.uniform(begins) < 0.5
            self._spin[begins] = np.where(left, _SPIN, -_SPIN)
        if len(ends):
            self._spin[ends] = 0
            self._walk[ends] = self._stretch(ends)

    def _stretch(self, robots: Ints) -> Ints:
        return np.ceil(self.draw.exponential(robots) * _WALK_TICKS).astype(np.int64)

    def _measure(self) -> tuple[Ints, Ints, Floats, Floats, Floats]:
        """Return pairs within radio range: hearer, heard, the way there, and its square."""
        shape = (-1, ROBOTS)
        x, y = self.x.reshape(shape), self.y.reshape(shape)
        dx, dy = x[:, None, :] - x[:, :, None], y[:, None, :] - y[:, :, None]
        square = dx * dx + dy * dy
        pair = np.flatnonzero((square <= RADIO * RADIO) & self._apart)
        hearer = pair // ROBOTS
        heard = hearer - hearer % ROBOTS + pair % ROBOTS
        return hearer, heard, dx.ravel()[pair], dy.ravel()[pair], square.ravel()[pair]

    def _obstacles(self) -> tuple[Floats, Ints]:
        """Return how much stands ahead, and on which side: 1 left, -1 right, 0 nothing to evade.

        Proximity readings fall with the distance (1/d in ARGoS' e-puck) and are added as vectors.
        """
        hearer, _, dx, dy, square = self._near
        distance = np.sqrt(square)
        gap = np.maximum(distance - 2 * _BODY, 0.01)
        reach = np.where(gap < _SENSED, 0.01 / (gap * np.maximum(distance, 0.01)), 0.0)
        count = len(self.x)
        walls_x = _wall(SIDE - self.x) - _wall(self.x)
        walls_y = _wall(SIDE - self.y) - _wall(self.y)
        push_x = walls_x + np.bincount(hearer, dx * reach, count)
        push_y = walls_y + np.bincount(hearer, dy * reach, count)
        cos, sin = self._cos[self._heading], self._sin[self._heading]
        ahead = cos * push_x + sin * push_y
        left = cos * push_y - sin * push_x
        length = np.sqrt(push_x * push_x + push_y * push_y)
        evade = (length > 0) & ((ahead < _AHEAD * length) | (length > 0.01 / _BLOCKED))
        aside = np.where(evade, np.where(left >= 0, 1, -1), 0)
        return ahead, aside

    def _move(self, speed: Floats, ahead: Floats) -> None:
        """Go where nothing stands: a body stops another one, and slides along a wall."""
        hearer, _, dx, dy, square = self._near
        cos, sin = self._cos[self._heading], self._sin[self._heading]
        touching = (square < 4 * _BODY * _BODY) & (dx * cos[hearer] + dy * sin[hearer] > 0)
        speed = np.where(np.bincount(hearer[touching], minlength=len(speed)) > 0, 0.0, speed)
        self.x = np.minimum(np.maximum(self.x + speed * cos, _BODY), SIDE - _BODY)
        self.y = np.minimum(np.maximum(self.y + speed * sin, _BODY), SIDE - _BODY)


def _wall(distance: Floats) -> Floats:
    """Return how strongly a wall at that distance from a robot's middle is sensed."""
    gap = np.maximum(distance - _BODY, 0.01)
    return np.where(gap < _SENSED, 0.01 / gap, 0.0)
