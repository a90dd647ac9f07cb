# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Encrypted ZeroMQ links, end by end: who gets through, what a network sees, what fails closed."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import zmq

from swarm_ledger.envelope import MAX_ENVELOPE_BYTES
from swarm_ledger.errors import Misuse
from swarm_ledger.identity.channel import ChannelKeys
from swarm_ledger.identity.roster import Role, Roster, parse_roster, render_roster
from swarm_ledger.transport import curve as curves
from swarm_ledger.transport.curve import Curve, Gate
from swarm_ledger.transport.zmq import ZmqTransport
from tests.crew import Crew, key
from tests.patience import until
from tests.wired import free_port

CREW = Crew()
SAID = b"the cup stands at 47.1 N, 8.5 E; " * 8


def keys(name: str) -> ChannelKeys:
    return ChannelKeys(key(f"channel {name}").public_key)


def roster(version: int = 1, revoked: Iterable[str] = (), **other: ChannelKeys) -> Roster:
    """A roster whose drones have the channel keys of their names, or others."""
    members = [
        replace(
            member,
            roles=frozenset() if member.name in revoked else member.roles,
            channel=other.get(member.name, keys(member.name)).public,
        )
        if Role.VALIDATOR in member.roles
        else member
        for member in Crew(7).roster.members
    ]
    return parse_roster(render_roster("test", version, members))


def curve(name: str, *rosters: Roster) -> Curve:
    return Curve.among(keys(name), rosters or [roster()])


def places(count: int) -> dict[int, str]:
    return {index: f"tcp://127.0.0.1:{free_port()}" for index in range(count)}


def hears(sender: ZmqTransport, to: int, receiver: ZmqTransport, data: bytes = b"x") -> None:
    """Wait until what one sends arrives at the other."""
    heard: list[bytes] = []

    def there() -> bool:
        sender.receive(1)
        sender.send(to, data)
        heard.extend(receiver.receive(20))
        return data in heard

    until("it is heard", there)


def refused(end: ZmqTransport, reason: str, *others: ZmqTransport) -> None:
    """Wait until one more connection is refused for that reason."""
    before = end.refused[reason]

    def counted() -> bool:
        for other in (end, *others):
            other.receive(5)
        end.strangers()
        return end.refused[reason] > before

    until(f"somebody is refused: {reason}", counted)


def test_members_hear_each_other() -> None:
    where = places(2)
    with (
        ZmqTransport(0, where, curve("drone_1")) as one,
        ZmqTransport(1, where, curve("drone_2")) as two,
    ):
        assert one.links == two.links == "curve"
        hears(one, 1, two, SAID)
        hears(two, 0, one, bytes(MAX_ENVELOPE_BYTES))

        def heard() -> bool:
            two.broadcast(b"to all")  # again: it may be over the share that strangers have
            return b"to all" in one.receive(50)

        until("it arrives", heard)
        assert not one.strangers()
        assert not one.refused


class _Tap:
    """A relay of TCP connections that keeps all bytes that pass."""

    def __init__(self, target: int) -> None:
        self.seen, self._target = bytearray(), target
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        started = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._carry, "127.0.0.1", 0), self._loop
        )
        self.port: int = started.result(10).sockets[0].getsockname()[1]

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far = await asyncio.open_connection("127.0.0.1", self._target)
        await asyncio.gather(self._pump(reader, far), self._pump(far_reader, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            self.seen += data
            writer.write(data)
        writer.close()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)


@pytest.mark.parametrize("encrypted", [True, False])
def test_an_eavesdropper_sees_what_is_said_only_in_plain(encrypted: bool) -> None:
    where = places(2)
    tap = _Tap(int(where[1].rpartition(":")[2]))
    tapped = {**where, 1: f"tcp://127.0.0.1:{tap.port}"}
    one_curve, two_curve = (curve("drone_1"), curve("drone_2")) if encrypted else (None, None)
    with (
        ZmqTransport(0, tapped, one_curve) as one,
        ZmqTransport(1, where, two_curve) as two,
    ):
        hears(one, 1, two, SAID)
        until("it has passed", lambda: len(tap.seen) > len(SAID))
        assert (SAID in tap.seen) is not encrypted
        assert (SAID[:16] in tap.seen) is not encrypted
    tap.close()


def test_who_is_revoked_is_cut_and_who_comes_later_gets_in() -> None:
    where = places(3)
    later = roster(2, revoked=["drone_2"])
    five = roster(1, drone_3=keys("nobody"))
    with (
        ZmqTransport(0, where, curve("drone_1", five)) as one,
        ZmqTransport(1, where, curve("drone_2")) as two,
        ZmqTransport(2, where, curve("drone_3")) as three,
    ):
        hears(two, 0, one)
        hears(one, 1, two)
        refused(one, "unknown_key", three)
        one.learn(where, curve("drone_1", five, roster(2)))
        hears(three, 0, one)
        hears(two, 0, one)
        one.learn(where, curve("drone_1", later))
        refused(one, "unknown_key", two)
        hears(three, 0, one, b"still here")
        two.send(0, b"not any more")
        one.broadcast(b"nor to it")
        hears(three, 0, one)
        assert b"not any more" not in one.receive(100)
        assert b"nor to it" not in two.receive(100)


def test_a_peer_is_reached_by_either_of_its_keys_while_they_change() -> None:
    where = places(2)
    after = roster(2, drone_2=keys("new"))
    both = curve("drone_1", roster(), after)
    assert both.peers[1] == {keys("drone_2").curve, keys("new").curve}
    with ZmqTransport(0, where, both) as one:
        with ZmqTransport(1, where, curve("drone_2")) as two:
            hears(one, 1, two)
            hears(two, 0, one)
            two.learn(where, Curve.among(keys("new"), [roster(), after]))
            hears(one, 1, two)
            hears(two, 0, one)
        one.learn(where, curve("drone_1", after))
        with ZmqTransport(1, where, curve("drone_2")) as two:
            refused(one, "unknown_key", two)


def test_revoked_members_observers_and_operators() -> None:
    found = roster(2, revoked=["drone_2"])
    made = Curve.among(keys("drone_1"), [found])
    assert 1 not in made.peers
    assert keys("drone_2").curve not in made.admitted
    assert len(made.admitted) == 6


@contextmanager
def talker(address: str, answer: bytes) -> Iterator[list[int]]:
    """Whoever listens at an address, and answers each connection with the same bytes."""
    host, _, port = address.removeprefix("tcp://").partition(":")
    came: list[int] = []
    with socket.create_server((host, int(port))) as server:

        def work() -> None:
            while True:
                try:
                    end, _ = server.accept()
                except OSError:
                    return
                with end:
                    came.append(1)
                    end.sendall(answer)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        yield came
        server.shutdown(socket.SHUT_RDWR)
    thread.join(10)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(48),
        b"\xff" + bytes(8) + b"\x7f\x03\x00CURVE" + bytes(47) + b"\x04\x20" + bytes(32),
        b"",
    ],
    ids=["http", "null", "curve", "nothing"],
)
@pytest.mark.parametrize("encrypted", [True, False])
def test_who_takes_an_address_for_a_moment_does_not_cut_the_link(
    encrypted: bool, answer: bytes
) -> None:
    """libzmq itself never dials again once what answers broke the protocol."""
    where = places(2)
    one_curve, two_curve = (curve("drone_1"), curve("drone_2")) if encrypted else (None, None)
    with ZmqTransport(0, where, one_curve) as one:
        with talker(where[1], answer) as came:
            until("it was called", lambda: one.receive(20) == [] and bool(came))
        with ZmqTransport(1, where, two_curve) as two:
            hears(one, 1, two)


def test_nobody_gets_in_where_nobody_answers_for_keys(monkeypatch: Any) -> None:
    """libzmq lets everybody in without ZAP's handler, unless it is told not to."""
    where = places(2)
    with ZmqTransport(1, where, curve("drone_2")) as two:
        monkeypatch.setattr(Gate, "__init__", lambda self, context, admitted: None)
        monkeypatch.setattr(Gate, "close", lambda self: None)
        with ZmqTransport(0, where, curve("drone_1")) as one:
            heard: list[bytes] = []

            def failed() -> bool:
                two.receive(1)
                two.send(0, b"x")
                heard.extend(one.receive(20))
                return bool(one._port and one._port.refusals())

            until("it is refused", failed)
            assert not heard


def test_the_inbox_is_opened_again_when_its_address_is_free() -> None:
    where = places(2)
    port = int(where[0].rpartition(":")[2])
    with (
        ZmqTransport(0, where, curve("drone_1")) as one,
        ZmqTransport(1, where, curve("drone_2")) as two,
    ):
        hears(two, 0, one)
        held: list[socket.socket] = []
        opened = one._open_anew

        def taken() -> None:
            if one._port is not None:
                one._port.close()
                one._port = None
                held.append(socket.create_server(("127.0.0.1", port)))
            opened()

        one._open_anew = taken  # type: ignore[method-assign]
        with pytest.raises(Misuse, match="cannot use"):
            one.learn(where, curve("drone_1", roster(2, revoked=["drone_7"])))
        assert one.receive(1) == []
        assert one.strangers() == {}
        held[0].close()
        hears(two, 0, one)


def test_floods_of_strangers_are_counted_and_cost_nobody_his_place() -> None:
    where = places(2)
    mine, stranger = curve("drone_1"), ChannelKeys(os.urandom(32))
    with (
        ZmqTransport(0, where, mine) as one,
        ZmqTransport(1, where, curve("drone_2")) as two,
        zmq.Context() as context,
    ):
        hears(two, 0, one)
        guests = []
        for number in range(60):
            guest = context.socket(zmq.DEALER)
            guest.set(zmq.LINGER, 0)
            if number % 2:
                guest.set(zmq.CURVE_SERVERKEY, keys("drone_1").curve)
                guest.set(zmq.CURVE_PUBLICKEY, stranger.curve)
                guest.set(zmq.CURVE_SECRETKEY, stranger.curve_secret)
            guest.connect(where[0])
            guest.send(b"from a stranger", zmq.DONTWAIT)
            guests.append(guest)

        def all_refused() -> bool:
            assert b"from a stranger" not in one.receive(10)
            one.strangers()
            return one.refused["unknown_key"] >= 30 and one.refused["no_curve"] >= 30

        until("all are refused", all_refused)
        hears(two, 0, one, b"still here")
        assert set(one.refused) <= {"unknown_key", "no_curve", "bad_handshake"}
        for guest in guests:
            guest.close(linger=0)


def test_a_libzmq_without_curve(monkeypatch: Any) -> None:
    monkeypatch.setattr(curves.zmq, "has", lambda what: what != "curve")
    with pytest.raises(Misuse, match="has no CURVE") as caught:
        curve("drone_1")
    assert "pyzmq" in caught.value.remedy
