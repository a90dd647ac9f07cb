# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A network within one process, in simulated time: reproducible from its seed."""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator


class MemoryNetwork:
    """Carries messages between members with a random delay, and may lose them.

    members: roster indices; seed decides all; delay_ms: shortest and longest; loss: 0 to 1.
    """

    def __init__(
        self, members: range, seed: int, *, delay_ms: tuple[int, int] = (1, 8), loss: float = 0.0
    ) -> None:
        self.now_ms = 0
        self._members = members
        self._random = random.Random(seed)  # noqa: S311  - a simulation, not a secret
        self.delay_ms, self._loss = delay_ms, loss
        self._sent = 0
        self._flying: list[tuple[int, int, int, bytes]] = []

    def join(self, member: int, audience: frozenset[int] | None = None) -> MemoryTransport:
        """Return one member's end of the network. audience: who hears a broadcast, if not all."""
        return MemoryTransport(self, member, audience)

    def carry(self, sender: int, to: int, data: bytes) -> None:
        """Take one message on its way; dropped if nobody is there."""
        if to in self._members and self._random.random() >= self._loss:
            self._sent += 1
            arrival = self.now_ms + self._random.randint(*self.delay_ms)
            heapq.heappush(self._flying, (arrival, self._sent, to, data))

    def others(self, member: int) -> Iterator[int]:
        """Return everybody else."""
        return (other for other in self._members if other != member)

    def deliver(self, now_ms: int) -> Iterator[tuple[int, bytes]]:
        """Let time pass and return what arrives, as (member, bytes), in order."""
        self.now_ms = now_ms
        while self._flying and self._flying[0][0] <= now_ms:
            _, _, to, data = heapq.heappop(self._flying)
            yield to, data


class MemoryTransport:
    """One member's end of a MemoryNetwork."""

    def __init__(
        self, network: MemoryNetwork, member: int, audience: frozenset[int] | None
    ) -> None:
        self._network, self._member, self._audience = network, member, audience

    def send(self, to: int, data: bytes) -> None:
        """Send to one member."""
        self._network.carry(self._member, to, data)

    def broadcast(self, data: bytes) -> None:
        """Send to all other members of the audience."""
        for other in self._network.others(self._member):
            if self._audience is None or other in self._audience:
                self._network.carry(self._member, other, data)
