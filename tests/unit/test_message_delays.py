# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Message delays and counts of one decision, in rounds in which everything sent arrives.

Replicas without keys: their messages are as in flight, and any size of swarm costs milliseconds.
`swarm-ledger bench scale` measures whole drones the same way.
"""

from __future__ import annotations

from collections import Counter

import pytest

from swarm_ledger.consensus.messages import (
    Checkpoint,
    Message,
    NewView,
    Prepared,
    Signed,
    ViewChange,
    parse,
)
from swarm_ledger.consensus.quorum import quorum
from swarm_ledger.consensus.replica import Replica
from swarm_ledger.consensus.settings import Settings
from swarm_ledger.encoding import encode
from swarm_ledger.envelope import MAX_ENVELOPE_BYTES
from swarm_ledger.identity.roster import MAX_MEMBERS
from swarm_ledger.sim.scale_bench import CountedNetwork, formula, measure


class Rounds:
    """n replicas. delays: rounds since the votes were handed in; sent: how many of which kind."""

    def __init__(self, n: int) -> None:
        settings = [Settings(tuple(range(n)), me) for me in range(n)]
        self.n, self.delays, self.sent = n, 0, Counter[str]()
        self.replicas = [Replica(one, self._open, now_ms=0) for one in settings]
        self.applied = [0] * n
        self._flying: list[tuple[int, Signed[Message]]] = []

    def _open(self, raw: bytes) -> Signed[Message]:
        return Signed(raw[0], parse(raw[1:]), raw)

    def vote(self, body: bytes) -> None:
        """One delay: a vote that its author says to all."""
        self.delays += 1
        for replica in self.replicas:
            replica.submit(body, 0, 10 * self.delays)
        self._drain()

    def turn(self) -> None:
        """Let all that was sent arrive."""
        self.delays += 1
        arriving, self._flying = self._flying, []
        for to, signed in arriving:
            self.replicas[to].step(signed)
        self._drain()

    def _drain(self) -> None:
        for me, replica in enumerate(self.replicas):
            while replica.busy:
                ready = replica.ready()
                for decided in ready.apply:
                    replica.applied(decided)
                    self.applied[me] = decided.seq
                    replica.checkpoint(Checkpoint(decided.seq, 9, bytes(32), bytes(72)))
                for outgoing in ready.send:
                    raw = bytes([me]) + encode(outgoing.message)
                    signed: Signed[Message] = Signed(me, outgoing.message, raw)
                    self.sent[type(outgoing.message).__name__] += self.n - 1
                    replica.step(signed)
                    others = (to for to in range(self.n) if to != me)
                    self._flying += ((to, signed) for to in others)


@pytest.mark.parametrize("n", [4, 7, 16, 31])
def test_a_decision_takes_four_message_delays_and_its_certificate_one_more(n: int) -> None:
    swarm = Rounds(n)
    swarm.vote(b"the last vote")
    while min(swarm.applied) < 1:
        swarm.turn()
        assert swarm.delays <= 5
    assert swarm.delays == 4  # to all, pre-prepare, prepares, commits
    while min(replica.stable_seq for replica in swarm.replicas) < 1:
        swarm.turn()
    assert swarm.delays == 5
    sent = {
        "PrePrepare": n - 1,
        "Prepare": (n - 1) ** 2,
        "Commit": n * (n - 1),
        "Checkpoint": n * (n - 1),
    }
    assert swarm.sent == sent


def test_the_formula_counts_what_was_sent() -> None:
    network, n = CountedNetwork(4), 4
    sizes = {"vote": 100, "PrePrepare": 90, "Prepare": 80, "Commit": 70, "Checkpoint": 60}
    times = {"vote": 12, "PrePrepare": 6, "Prepare": 18, "Commit": 24, "Checkpoint": 12}
    for name, size in sizes.items():
        network.sent[0, name], network.bytes[0, name] = times[name], times[name] * size
    total = sum(network.bytes.values())
    assert formula(network, n, blocks=2, checkpoints=1) == total / n


def test_whole_drones_decide_within_five_delays_and_a_committee_s_followers_one_later() -> None:
    found = measure(6, 4)
    assert found.decided <= 5
    assert found.followed <= found.decided + 1 + 0.4  # their loop turns every 0.2 delays
    assert found.certified <= 7
    assert found.formula_bytes < found.bytes  # followers are served beside
    assert found.new_view_bytes < found.view_change_bytes < 1 << 22
    assert 0 < found.view_change <= 3


def test_the_largest_view_change_of_the_largest_roster_fits_a_message() -> None:
    n, window = MAX_MEMBERS, Settings((0, 1, 2, 3), 0).window
    pre_prepare, prepare, checkpoint = bytes(102 + 34 * 100), bytes(126), bytes(204)
    prepared = Prepared(pre_prepare, (prepare,) * (quorum(n) - 1))
    said = encode(ViewChange(1, 1, (checkpoint,) * quorum(n), (prepared,) * window))
    assert isinstance(parse(said), ViewChange)
    assert len(said) < MAX_ENVELOPE_BYTES // 2
    assert len(encode(NewView(1, (bytes(32),) * quorum(n)))) < 3_000
