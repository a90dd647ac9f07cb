# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""ZeroMQ on the loopback: what is sent arrives, what doesn't fit is dropped, nothing blocks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import zmq

from swarm_ledger.envelope import MAX_ENVELOPE_BYTES
from swarm_ledger.errors import Misuse
from swarm_ledger.sim.ports import free_ports
from swarm_ledger.transport.zmq import ZmqTransport


def free(count: int) -> dict[int, str]:
    return {i: f"tcp://127.0.0.1:{port}" for i, port in enumerate(free_ports(count))}


def collect(end: ZmqTransport, count: int) -> list[bytes]:
    got: list[bytes] = []
    for _ in range(40):
        got += end.receive(250)
        if len(got) >= count:
            break
    return got


def connect(sender: ZmqTransport, to: int, receiver: ZmqTransport) -> list[bytes]:
    """Wait until what one sends arrives at the other; return all that the other heard."""
    heard: list[bytes] = []
    for _ in range(400):
        sender.send(to, b"hello")
        heard += receiver.receive(50)
        if heard:
            break
    sender.send(to, b"that's all")
    for _ in range(40):
        if b"that's all" in heard:
            return heard
        heard += receiver.receive(250)
    raise AssertionError(f"they never met: {len(heard)} messages, {heard[:3]}")


@pytest.fixture
def ends() -> Iterator[list[ZmqTransport]]:
    endpoints = free(3)
    made = [ZmqTransport(member, endpoints) for member in range(3)]
    for member, sender in enumerate(made):
        for to in {0, 1, 2} - {member}:
            connect(sender, to, made[to])
    yield made
    for end in made:
        end.close()


def test_sent_and_received(ends: list[ZmqTransport]) -> None:
    ends[0].broadcast(b"to all")
    ends[0].send(2, b"to one")
    assert collect(ends[1], 1) == [b"to all"]
    assert sorted(collect(ends[2], 2)) == [b"to all", b"to one"]
    assert ends[0].receive(0) == []


def test_the_largest_message_passes(ends: list[ZmqTransport]) -> None:
    data = bytes(MAX_ENVELOPE_BYTES)
    ends[1].send(0, data)
    assert collect(ends[0], 1) == [data]


def test_many_are_taken_a_bounded_number_at_once(ends: list[ZmqTransport]) -> None:
    for number in range(600):
        ends[0].send(1, b"%d" % number)
    got: list[bytes] = []
    for _ in range(40):
        some = ends[1].receive(250)
        assert len(some) <= 256
        got += some
        if len(got) == 600:
            break
    assert got == [b"%d" % number for number in range(600)]


def test_a_peer_that_is_not_there_blocks_nobody() -> None:
    with ZmqTransport(0, free(2)) as end:
        for _ in range(5_000):
            end.broadcast(bytes(100))
        assert end.receive(0) == []


def test_who_was_away_hears_nothing_of_it() -> None:
    """A backlog would come first, as if it were new, and keep what is new out of the queue."""
    endpoints = free(2)
    with ZmqTransport(0, endpoints) as end:
        for _ in range(1_000):
            end.send(1, b"said to nobody")
        with ZmqTransport(1, endpoints) as late:
            assert set(connect(end, 1, late)) == {b"hello", b"that's all"}


def test_what_no_peer_sends_is_dropped_unread() -> None:
    endpoints = free(2)
    with ZmqTransport(0, endpoints) as end, zmq.Context() as context:
        stranger = context.socket(zmq.DEALER)
        stranger.connect(endpoints[0])
        stranger.send_multipart([b"", b"a", b"last"])
        stranger.send(b"")
        assert collect(end, 1) == [b""]
        assert end.inbox.dropped == {"malformed": 1}
        stranger.close(linger=0)


def test_a_connection_with_too_many_refused_is_not_heard_for_a_while(
    ends: list[ZmqTransport],
) -> None:
    with zmq.Context() as context:
        stranger = context.socket(zmq.DEALER)
        stranger.connect(ends[0]._own)
        for number in range(1_000):
            stranger.send(b"junk %d" % number)
        judged = 0
        while not ends[0].inbox.dropped["refused"]:
            got = ends[0].receive(250)
            junk = [place for place, data in enumerate(got) if data.startswith(b"junk")]
            judged += len(junk)
            ends[0].judge(junk)
        assert judged <= 400, "200 a second, in at most two of them"
        ends[1].send(0, b"honest")
        assert b"honest" in [data for _ in range(20) for data in ends[0].receive(20)]
        stranger.close(linger=0)


def test_an_oversize_message_is_dropped_with_its_connection() -> None:
    endpoints = free(3)
    with (
        ZmqTransport(0, endpoints) as end,
        ZmqTransport(1, endpoints) as honest,
        zmq.Context() as context,
    ):
        connect(honest, 0, end)
        stranger = context.socket(zmq.DEALER)
        stranger.connect(endpoints[0])
        stranger.send(bytes(MAX_ENVELOPE_BYTES + 4096))
        honest.send(0, b"still here")
        assert collect(end, 1) == [b"still here"]
        stranger.close(linger=0)


@pytest.mark.parametrize("bad", ["tcp://256.0.0.1:1", "nonsense", ""])
def test_addresses_that_cannot_be_used(bad: str) -> None:
    peers = [] if bad.startswith("tcp") else [{**free(1), 1: bad}]  # looked up while connecting
    for endpoints in ({0: bad}, *peers):
        with pytest.raises(Misuse, match="cannot use") as caught:
            ZmqTransport(0, endpoints)
        assert repr(bad) in caught.value.what


def test_an_address_that_is_taken() -> None:
    endpoints = free(1)
    with (
        ZmqTransport(0, endpoints),
        pytest.raises(Misuse, match="Address already in use") as caught,
    ):
        ZmqTransport(0, endpoints)
    assert "address of its own" in caught.value.explain()


def test_who_comes_later_is_reached_and_who_shares_an_address_hears_it_once() -> None:
    """A drone with a new key has a second index, and one that moved another address."""
    endpoints = free(4)
    both = {0: endpoints[0], 1: endpoints[1]}
    with ZmqTransport(0, both) as end, ZmqTransport(2, endpoints) as late:
        end.send(2, b"nobody yet")
        end.learn({2: endpoints[2], 5: endpoints[2]})
        connect(end, 5, late)
        end.broadcast(b"to all")
        end.send(2, b"to one")
        assert collect(late, 2) == [b"to all", b"to one"]
        end.learn({2: endpoints[3], 5: endpoints[3]})
        with ZmqTransport(3, endpoints) as moved:
            connect(end, 2, moved)
        end.broadcast(b"not to the old address")
        assert late.receive(300) == []
        with pytest.raises(Misuse, match="cannot use 'nonsense'"):
            end.learn({7: "nonsense"})
        end.send(7, b"nobody")


def test_members_without_an_endpoint(ends: list[ZmqTransport]) -> None:
    ends[0].send(9, b"nobody hears this")  # such as the answer to an operator's delegation
    with pytest.raises(Misuse, match="member 5 has no endpoint"):
        ZmqTransport(5, free(2))
