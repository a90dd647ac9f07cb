# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What becomes of bytes on their way: weather, partitions, and a radio channel that all share."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

Arrival = tuple[int, int, bytes]
"""In how many ms, at which drone, and what."""


@dataclass(frozen=True, slots=True)
class Weather:
    """How bad the network is. Shares are of all messages; times in milliseconds.

    loss, twice, corrupted: lost, delivered twice, with a byte changed. delay_ms: of a usual
    message, uniform from 1; late: the share that takes much longer (a heavy tail).
    slow: a link that takes ten times as long, as (from, to). in_order: nothing overtakes on its
    link, as in a TCP connection: what is said first is heard first, each time.
    """

    loss: float = 0.0
    twice: float = 0.0
    corrupted: float = 0.0
    delay_ms: int = 20
    late: float = 0.0
    slow: tuple[int, int] | None = None
    in_order: bool = False


CALM = Weather()


@dataclass(frozen=True, slots=True)
class Radio:
    """A channel that all share. bit_rate: bits a second; header_bytes: what each frame adds.

    guard_ms: two that start within it do not hear each other, and collide; nor does a drone hear
    a share `hidden` of the others.
    """

    bit_rate: int = 250_000
    header_bytes: int = 24
    guard_ms: int = 1
    hidden: float = 0.05
    queue: int = 64


@dataclass
class Air:
    """Carries bytes between drones, and counts them.

    cut: pairs (from, to) between which nothing passes. air_bytes: bytes sent, once for each
    transmission: a broadcast costs as much as a message to one.
    """

    rng: random.Random
    weather: Weather = CALM
    radio: Radio | None = None
    cut: set[tuple[int, int]] = field(default_factory=set)
    sent: int = 0
    air_bytes: int = 0
    collisions: int = 0
    _busy_until: float = 0.0
    _started: float = -1e9
    _last_ms: dict[tuple[int, int], int] = field(default_factory=dict)

    def transmit(
        self, now_ms: int, sender: int, to: Sequence[int], raw: bytes, size: int
    ) -> list[Arrival]:
        """Send to some drones; returns what arrives, where, and how many ms later."""
        self.sent += 1
        wait = 1
        if self.radio is not None:
            arrives = self._on_the_air(now_ms, size)
            if arrives is None:
                return []
            wait += int(arrives - now_ms)
        else:
            self.air_bytes += size * len(to)
        arrivals: list[Arrival] = []
        for other in to:
            if other != sender and (sender, other) not in self.cut:
                self._deliver(now_ms, (sender, other), raw, wait, arrivals)
        return arrivals

    def _on_the_air(self, now_ms: int, size: int) -> float | None:
        """Wait for a free channel, send; None if another transmission destroyed this one."""
        radio = self.radio
        assert radio is not None  # noqa: S101 - asked by the caller
        duration = 8_000 * (size + radio.header_bytes) / radio.bit_rate
        begins = max(float(now_ms), self._busy_until)
        if begins - now_ms > radio.queue * max(duration, 1.0):
            return None  # the sender's queue is full
        unheard = self.rng.random() < radio.hidden and begins > now_ms
        if begins > now_ms and not unheard:
            begins += self.rng.random() * 4 * radio.guard_ms
        self.air_bytes += size + radio.header_bytes
        if unheard or abs(begins - self._started) < radio.guard_ms:
            self.collisions += 1
            self._busy_until = max(self._busy_until, now_ms + duration)
            return None
        self._started, self._busy_until = begins, begins + duration
        return begins + duration

    def _deliver(
        self, now_ms: int, link: tuple[int, int], raw: bytes, wait: int, arrivals: list[Arrival]
    ) -> None:
        weather, chance = self.weather, self.rng.random
        if weather.loss and chance() < weather.loss:
            return
        copies = 2 if weather.twice and chance() < weather.twice else 1
        for _ in range(copies):
            span = weather.delay_ms
            if weather.late and chance() < weather.late:
                span = int(span * min(self.rng.paretovariate(1.1), 50.0))
            if weather.slow == link:
                span *= 10
            content = raw
            if weather.corrupted and chance() < weather.corrupted:
                content = self._changed(raw)
            after_ms = wait + int(chance() * span)
            if weather.in_order:
                after_ms = max(after_ms, self._last_ms.get(link, 0) - now_ms)
                self._last_ms[link] = now_ms + after_ms
            arrivals.append((after_ms, link[1], content))

    def _changed(self, raw: bytes) -> bytes:
        changed = bytearray(raw)
        changed[self.rng.randrange(len(raw))] ^= self.rng.randint(1, 255)
        return bytes(changed)
