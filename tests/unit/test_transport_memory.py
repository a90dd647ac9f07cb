# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The network in memory: one seed decides what arrives, and when."""

from __future__ import annotations

from swarm_ledger.transport.memory import MemoryNetwork


def arrivals(seed: int, loss: float = 0.0) -> list[tuple[int, int, bytes]]:
    network = MemoryNetwork(range(4), seed, delay_ms=(1, 9), loss=loss)
    ends = [network.join(member) for member in range(4)]
    for number in range(50):
        ends[number % 4].broadcast(b"all %d" % number)
        ends[number % 4].send((number + 1) % 4, b"one %d" % number)
    return [(now, to, data) for now in range(1, 20) for to, data in network.deliver(now)]


def test_one_seed_one_run() -> None:
    assert arrivals(1) == arrivals(1) != arrivals(2)
    assert arrivals(1, loss=0.5) == arrivals(1, loss=0.5)


def test_everything_arrives_once_at_everybody_else() -> None:
    got = [(to, data) for _, to, data in arrivals(3)]
    assert len(got) == len(set(got)) == 200
    for number in range(50):
        others = sorted(to for to, data in got if data == b"all %d" % number)
        assert others == [member for member in range(4) if member != number % 4]
        assert ((number + 1) % 4, b"one %d" % number) in got


def test_delays_and_losses_are_as_asked_for() -> None:
    assert {now for now, _, _ in arrivals(4)} == set(range(1, 10))
    assert 60 < len(arrivals(4, loss=0.5)) < 140
    assert arrivals(4, loss=1.0) == []


def test_nothing_arrives_before_its_time() -> None:
    network = MemoryNetwork(range(2), 1, delay_ms=(5, 5))
    network.join(0).broadcast(b"x")
    assert list(network.deliver(4)) == []
    assert list(network.deliver(5)) == [(1, b"x")]
    assert list(network.deliver(5)) == []
