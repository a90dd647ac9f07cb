# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A small swarm in one thread: one seed decides every delay, loss, crash and lie."""

from __future__ import annotations

import hashlib
import heapq
import random
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count

from swarm_ledger.consensus.settings import Settings
from tests.sim.checkers import Watch
from tests.sim.fakes import Mint, request
from tests.sim.node import Crash, Node

TICK_MS = 25
START_MS = 1_000_000
SETTINGS = {
    "window": 16,
    "interval": 4,
    "pipeline": 4,
    "max_batch": 4,
    "request_timeout_ms": 500,
    "max_blocks_left_out": 8,
    "resend_ms": 100,
    "quota": 16,
}


@dataclass
class Weather:
    """How bad the network is. delay_ms: of a usual message; late: the share that takes longer."""

    loss: float = 0.0
    twice: float = 0.0
    delay_ms: int = 20
    late: float = 0.0


CALM = Weather()


class Cluster:
    def __init__(
        self,
        n: int,
        seed: int,
        *,
        liars: Mapping[int, type[Node]] | None = None,
        weather: Weather = CALM,
        **changes: int,
    ) -> None:
        self.rng, self.now, self.faults, self.steps = random.Random(seed), START_MS, 0, 0
        liars = liars or {}
        self.watch = Watch(n, frozenset(liars))
        self.mint = Mint(self.watch.sealed)
        self.weather = weather
        self.cut: set[tuple[int, int]] = set()
        self.heard: list[bytes] = []
        """What was said lately, for liars who replay it."""
        self._events: list[tuple[int, int, str, int, bytes]] = []
        self._order, self._number = count(), count()
        self._trace = hashlib.sha256()
        self.nodes = [
            liars.get(me, Node)(self, Settings(tuple(range(n)), me, **{**SETTINGS, **changes}))
            for me in range(n)
        ]
        for node in self.nodes:
            node.start()
            self._at(self.rng.randrange(TICK_MS), "tick", node.me)

    @property
    def honest(self) -> list[Node]:
        return [node for node in self.nodes if node.honest]

    @property
    def trace(self) -> str:
        return self._trace.hexdigest()

    def post(self, sender: int, to: int | None, raw: bytes) -> None:
        """Put bytes on the air, to one or to all others, whatever becomes of them."""
        if len(self.heard) < 4_000:
            self.heard.append(raw)
        else:
            self.heard[self.rng.randrange(4_000)] = raw
        for other in range(len(self.nodes)) if to is None else (to,):
            if other == sender or (sender, other) in self.cut:
                continue
            if self.rng.random() < self.weather.loss:
                continue
            for _ in range(1 + (self.rng.random() < self.weather.twice)):
                late = 20 if self.rng.random() < self.weather.late else 1
                self._at(self.rng.randint(1, late * self.weather.delay_ms), "raw", other, raw)

    def vote(self, author: int | None = None, to: list[int] | None = None) -> bytes:
        """Have an author cast a new vote, sent to all or to some."""
        author = self.rng.randrange(len(self.nodes)) if author is None else author
        body = request(author, next(self._number))
        self.watch.submitted(body)
        for other in range(len(self.nodes)) if to is None else to:
            if self.rng.random() >= self.weather.loss:
                self._at(self.rng.randint(1, self.weather.delay_ms), "raw", other, body)
        return body

    def crash_soon(self, number: int, point: str, back_ms: int) -> None:
        """Let a drone lose power at that point, and come back that long after it is told."""
        self.nodes[number].doom = point
        self._at(back_ms, "start", number)

    def heal(self) -> None:
        """End the faults: a calm network, and every honest drone up."""
        self.weather = CALM
        self.cut.clear()
        for node in self.honest:
            node.doom = None
            if not node.up:
                node.start()

    def run(self, ms: int) -> None:
        end = self.now + ms
        while self._events and self._events[0][0] <= end:
            self.now, _, kind, number, raw = heapq.heappop(self._events)
            self._trace.update(b"%d %d %s" % (self.now, number, kind.encode()) + raw)
            self._event(kind, self.nodes[number], raw)
            self.steps += 1
        self.now = end

    def _event(self, kind: str, node: Node, raw: bytes) -> None:
        try:
            if kind == "tick":
                self._at(TICK_MS, "tick", node.me)
                if node.up:
                    node.tick()
            elif kind == "start" and not node.up:
                node.start()
            elif kind == "start":
                node.doom = None
            elif kind == "raw" and node.up:
                # A request is an array of two, a sealed message one of three.
                (node.submit if raw[:1] == b"\x82" else node.receive)(raw)
        except Crash:
            node.up = False
        if node.up and node.honest:
            self.watch.bounds(node)

    def _at(self, in_ms: int, kind: str, number: int, raw: bytes = b"") -> None:
        heapq.heappush(self._events, (self.now + in_ms, next(self._order), kind, number, raw))
