# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""One half-duplex channel that all drones share and all are in reach on: reproducible by its seed.

Whoever wants to speak listens first. After each frame there is a short slot for each drone in
turn, beginning behind the one that spoke, and whoever has something to say begins in its own: the
order goes round, nobody needs a clock, and nobody collides (mini-slotted alternating priorities,
Kleinrock & Scholl 1980). What can wait does so for one more round of slots, in which whoever has
something urgent comes first. Who missed the frame before counts from another one, and may collide;
so may those who begin after a silence that is too long to count slots in. What collides is lost
for all, and whoever sent it can't tell.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from swarm_ledger.runtime.drone import Drone
from swarm_ledger.transport.radio import Link, Station

_SYNC_US = 2_000_000
"""Slots are counted from the last frame for that long; then clocks have drifted too far."""

_TURN_US = 500
_DETECT_BITS = 16
"""Until a carrier is heard: to turn from hearing to sending, and two bytes of preamble."""


@dataclass(slots=True)
class _Flight:
    """A frame on the air. lost: it collided."""

    sender: int
    frame: bytes
    end_us: int
    lost: bool


class Air:
    """The channel, as a network for VirtualSwarm. stations: how many drones; loss: of each frame
    at each who hears it, 0 to 1.

    air_us: how long the channel was busy. frames, air_bytes: sent, with what each frame takes
    beside its bytes. collisions: frames that were lost by them.
    """

    def __init__(self, stations: int, seed: int, link: Link, *, loss: float = 0.0) -> None:
        self.now_ms = 0
        self.link, self.loss = link, loss
        self._random = random.Random(f"air {seed}")  # noqa: S311  - a simulation, not a secret
        self._n = stations
        self._slot_us = _TURN_US + _DETECT_BITS * 1_000_000 // link.bit_rate
        self._last = [stations - 1] * stations
        self._wants: list[int | None] = [None] * stations
        self.stations = [Station(me, link, lambda: self.now_ms) for me in range(stations)]
        self._free_us = 0
        self._flying: list[_Flight] = []
        self.air_us = self.frames = self.air_bytes = self.collisions = 0

    def join(self, member: int, _audience: frozenset[int] | None = None) -> Station:
        """Return one member's end of the channel; whoever is in reach hears what is said there."""
        return self.stations[member]

    def board(self, member: int, drone: Drone) -> None:
        """Have a station know its drone: what it knows, and need not say any more."""
        station, engine = self.stations[member], drone.engine
        station.rosters = lambda: [seat.roster for seat in engine.epochs.seats()]
        station.needless = engine.needless

    def deliver(self, now_ms: int) -> Iterator[tuple[int, bytes]]:
        """Let time pass and return what is heard, as (member, sealed bytes), in order."""
        if not self.now_ms:
            self._free_us = now_ms * 1_000
        self.now_ms = now_ms
        now_us = now_ms * 1_000
        while True:
            if self._flying:
                if self._flying[0].end_us > now_us:
                    return
                yield from self._land()
            elif not self._take_off(now_us):
                return

    def _land(self) -> Iterator[tuple[int, bytes]]:
        flights, self._flying = self._flying, []
        self._free_us = flights[0].end_us
        if len(flights) > 1:
            self.collisions += len(flights)
            return
        flight = flights[0]
        for other in range(self._n):
            if other == flight.sender:
                self._last[other] = flight.sender
            elif self._random.random() >= self.loss:
                self._last[other] = flight.sender
                for raw in self.stations[other].hear(flight.frame):
                    yield other, raw

    def _take_off(self, now_us: int) -> bool:
        """Let whoever comes first begin, and who can't hear that yet; False if it is not time."""
        begins = {}
        for me, station in enumerate(self.stations):
            if not station.waiting:
                self._wants[me] = None
                continue
            since = self._wants[me]
            if since is None:
                since = self._wants[me] = now_us
            start = self._start_us(me, since)
            start += station.wait_us(start)
            begins[me] = start
        first = min(begins.values(), default=now_us + 1)
        if first > now_us:
            return False
        speakers = [me for me, start in sorted(begins.items()) if start < first + self._slot_us]
        frames = {me: self.stations[me].next_frame() for me in speakers}
        sizes = {me: len(frame) for me, frame in frames.items() if frame}
        for me in speakers:
            self._wants[me] = None
        if not sizes:
            return True
        end_us = first + max(self.link.airtime_us(size) for size in sizes.values())
        lost = len(sizes) > 1
        self._flying = [_Flight(me, frames[me], end_us, lost) for me in sizes]
        self.frames += len(sizes)
        self.air_bytes += sum(size + self.link.overhead for size in sizes.values())
        self.air_us += end_us - first
        return True

    def _start_us(self, me: int, since_us: int) -> int:
        """Return when a station that wants to speak since then may begin."""
        round_us = self._n * self._slot_us
        own = self._free_us + (1 + (me - self._last[me] - 1) % self._n) * self._slot_us
        if since_us - self._free_us > _SYNC_US:
            return since_us + self._random_slot(me)
        if not self.stations[me].urgent:
            own += round_us
        if own < since_us:
            own += -(-(since_us - own) // round_us) * round_us
        return own

    def _random_slot(self, me: int) -> int:
        """After a long silence: a slot by chance, the same until it is used."""
        chance = random.Random(f"{self._free_us} {me}").randrange(2 * self._n)  # noqa: S311
        return chance * self._slot_us
