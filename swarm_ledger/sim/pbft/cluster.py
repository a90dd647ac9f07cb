# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A swarm in one thread: one queue of events, one true time, one seed."""

from __future__ import annotations

import hashlib
import heapq
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import count

from swarm_ledger.sim.pbft.checkers import Watch
from swarm_ledger.sim.pbft.disk import DiskFull
from swarm_ledger.sim.pbft.network import CALM, Air, Radio, Weather
from swarm_ledger.sim.pbft.node import Crash, Node
from swarm_ledger.sim.pbft.requests import Office, Roster, Vote
from swarm_ledger.sim.pbft.wire import Mint, Signatures, Tokens

TICK_MS = 50
START_MS = 1_000_000
OPTIONS: dict[str, int] = {
    "window": 16,
    "interval": 4,
    "pipeline": 4,
    "max_batch": 4,
    "request_timeout_ms": 500,
    "max_blocks_left_out": 8,
    "resend_ms": 100,
    "quota": 16,
}
_HEARD = 2_000

OnEvent = Callable[[int, str, int, bytes], None]
"""Receives each event before it happens: time in ms, kind, drone, bytes."""


class Cluster:
    """Drones 0 to n - 1 are members at genesis, the spare ones may be enrolled later.

    liars: which drones lie, and how. options: Settings that differ from OPTIONS.
    real: sign and encode for real. radio: all share one channel.
    """

    def __init__(
        self,
        n: int,
        seed: int,
        *,
        spares: int = 0,
        liars: Mapping[int, type[Node]] | None = None,
        honest: type[Node] = Node,
        weather: Weather = CALM,
        radio: Radio | None = None,
        real: bool = False,
        options: Mapping[str, int] | None = None,
        on_event: OnEvent | None = None,
    ) -> None:
        self.seed, self.rng = seed, random.Random(seed)  # noqa: S311 - a simulation
        self.now, self.steps = START_MS, 0
        self.faults: Counter[str] = Counter()
        self.options = {**OPTIONS, **(options or {})}
        self.genesis = tuple(range(n))
        self.rosters = {1: Roster(1, self.genesis)}
        self.watch = Watch({1: self.genesis}, frozenset(liars or {}))
        self.mint: Mint = (
            Signatures(self.watch.sealed, seed) if real else Tokens(self.watch.sealed)
        )
        self.office = Office(self.mint)
        self.air = Air(random.Random(f"{seed} air"), weather, radio)  # noqa: S311
        self.heard: list[bytes] = []
        """What was said lately, for liars who replay it."""
        self._on_event = on_event
        self._events: list[tuple[int, int, str, int, bytes]] = []
        self._order, self._question = count(), count()
        self._trace = hashlib.sha256()
        kinds = liars or {}
        self.nodes: list[Node] = []
        for me in range(n + spares):
            self.nodes.append(kinds.get(me, honest)(self, me))
            self.at(self.rng.randrange(TICK_MS), "tick", me)

    @property
    def honest(self) -> list[Node]:
        """The drones that do not lie."""
        return [node for node in self.nodes if node.honest]

    @property
    def newest(self) -> Roster:
        """The last roster that the operator signed, in force or not."""
        return self.rosters[max(self.rosters)]

    @property
    def trace(self) -> str:
        """A digest of everything that happened, in hex."""
        return self._trace.hexdigest()

    # what is sent

    def post(self, sender: int, to: int | None, raw: bytes) -> None:
        """Put bytes on the air, to one or to all others, whatever becomes of them."""
        if len(self.heard) < _HEARD:
            self.heard.append(raw)
        else:
            self.heard[self.rng.randrange(_HEARD)] = raw
        others: Sequence[int] = range(len(self.nodes)) if to is None else (to,)
        self._transmit(sender, others, raw, self.mint.size(raw))

    def _transmit(self, sender: int, others: Sequence[int], raw: bytes, size: int) -> None:
        events, now, order = self._events, self.now, self._order
        for delay, other, content in self.air.transmit(now, sender, others, raw, size):
            heapq.heappush(events, (now + delay, next(order), "raw", other, content))

    def vote(self, author: int, choice: int = 0, to: list[int] | None = None) -> bytes:
        """Have an author cast a vote on a new question, sent to all or to some."""
        return self.cast(Vote(author, next(self._question), choice), to)

    def cast(self, vote: Vote, to: list[int] | None = None) -> bytes:
        """Have a vote sent to all or to some, its author included."""
        body = self.office.sign(vote)
        self.watch.votes.add(body)
        others = [node.me for node in self.nodes] if to is None else to
        if vote.author in others:
            self.at(1, "raw", vote.author, body)
        self._transmit(vote.author, others, body, len(body) + 100)
        return body

    def repeat(self, body: bytes) -> None:
        """Have an author send its vote again, as it does until the ledger holds it."""
        for node in self.nodes:
            self.at(1 + int(self.rng.random() * 20), "raw", node.me, body)

    def enrol(self, members: tuple[int, ...]) -> bytes:
        """Have the operator sign the next roster, and send it to all until it is in force."""
        before = self.newest
        roster = Roster(before.version + 1, members)
        self.rosters[roster.version] = roster
        self.watch.rosters[roster.version] = members
        body = self.office.sign(roster)
        self.watch.votes.add(body)
        in_force = self.rosters[self.watch.epochs[-1][0]]
        for me in members:
            if me not in before.members or me not in in_force.members:
                self.nodes[me].home = roster.version  # its operator brings it along
        self.announce(roster)
        return body

    def announce(self, roster: Roster) -> None:
        """Have the operator send a roster to all, several times."""
        for again in range(4):
            for node in self.nodes:
                wait_ms = 400 * again + 1 + int(self.rng.random() * 20)
                self.at(wait_ms, "raw", node.me, roster.encode())

    # what happens

    def at(self, in_ms: int, kind: str, number: int, raw: bytes = b"") -> None:
        """Have something happen to a drone later: one of the kinds in _LATER."""
        heapq.heappush(self._events, (self.now + in_ms, next(self._order), kind, number, raw))

    def run(self, ms: int, *, until: int | None = None) -> None:
        """Let time pass; stop early after `until` steps in all."""
        end = self.now + ms
        events, trace = self._events, self._trace
        while events and events[0][0] <= end and (until is None or self.steps < until):
            self.now, _, kind, number, raw = heapq.heappop(events)
            trace.update(b"%d %d %s " % (self.now, number, kind.encode()) + raw)
            if self._on_event is not None:
                self._on_event(self.now, kind, number, raw)
            self.steps += 1
            self._event(kind, self.nodes[number], raw)
        if until is None or self.steps < until:
            self.now = end

    def _event(self, kind: str, node: Node, raw: bytes) -> None:
        try:
            if kind == "raw":
                if node.up and not node.paused:
                    node.receive(raw)
            elif kind == "tick":
                self.at(TICK_MS, "tick", node.me)
                if node.up and not node.paused:
                    node.tick()
                    if node.honest:
                        self.watch.bounds(node)
            else:
                _LATER[kind](self, node, raw)
        except (Crash, DiskFull):
            self.crash(node)

    def crash(self, node: Node) -> None:
        """A drone loses power now."""
        node.up = False
        node.disk.crash(node.rng)

    def start(self, node: Node) -> None:
        """Bring a drone up again, with what its disk kept."""
        if node.honest:
            self.watch.started(node)
        node.start()

    def heal(self) -> None:
        """End the faults: a calm network, right clocks, room on disks, and every drone up."""
        self.air.weather = replace(CALM, in_order=self.air.weather.in_order)
        self.air.cut.clear()
        for node in self.nodes:
            node.disk.full, node.doom, node.paused = False, None, False
            node.clock.correct(self.now, node.skew_ms)
            if not node.up:
                self.start(node)


def _up_again(cluster: Cluster, node: Node, _: bytes) -> None:
    node.doom, node.disk.full = None, False
    if not node.up:
        cluster.start(node)


def _resume(_: Cluster, node: Node, __: bytes) -> None:
    node.paused = False


def _right_clock(cluster: Cluster, node: Node, _: bytes) -> None:
    node.clock.correct(cluster.now, node.skew_ms)


def _post(cluster: Cluster, node: Node, raw: bytes) -> None:
    cluster.post(node.me, None, raw)


_LATER: dict[str, Callable[[Cluster, Node, bytes], None]] = {
    "up again": _up_again,
    "resume": _resume,
    "right the clock": _right_clock,
    "post": _post,
}
