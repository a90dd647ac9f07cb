# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Links that can be cut: bytes pass while they are whole, else real sockets close."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from swarm_ledger.sim.links import Links
from swarm_ledger.transport.zmq import ZmqTransport
from tests.patience import PATIENCE_S


@pytest.fixture
def links() -> Iterator[Links]:
    with Links(["a", "b", "c"]) as made:
        yield made


def address(endpoint: str) -> tuple[str, int]:
    host, _, port = endpoint.removeprefix("tcp://").partition(":")
    return host, int(port)


def home(links: Links, name: str) -> socket.socket:
    return socket.create_server(address(links.endpoints(name)[name]))


def dial(links: Links, near: str, far: str) -> socket.socket:
    return socket.create_connection(address(links.endpoints(near)[far]), PATIENCE_S)


def answer(server: socket.socket) -> socket.socket:
    server.settimeout(PATIENCE_S)
    end, _ = server.accept()
    end.settimeout(PATIENCE_S)
    return end


def ended(end: socket.socket) -> bool:
    try:
        return end.recv(1) == b""
    except ConnectionError:
        return True


def test_each_has_an_address_of_its_own_and_a_way_to_each_peer(links: Links) -> None:
    by_name = {name: links.endpoints(name) for name in "abc"}
    assert all(set(endpoints) == set("abc") for endpoints in by_name.values())
    assert len({port for endpoints in by_name.values() for port in endpoints.values()}) == 9


def test_bytes_pass_both_ways(links: Links) -> None:
    with home(links, "b") as server, dial(links, "a", "b") as near, answer(server) as far:
        near.sendall(b"there" * 100_000)
        got = b""
        while len(got) < 500_000:
            got += far.recv(1 << 16)
        assert got == b"there" * 100_000
        far.sendall(b"back")
        assert near.recv(16) == b"back"
        near.close()
        assert ended(far), "a close passes too"


def test_cutting_closes_connections_and_refuses_new_ones(links: Links) -> None:
    with home(links, "b") as server, home(links, "c") as third:
        near = dial(links, "a", "b")
        within = dial(links, "b", "c")
        with near, within, answer(server) as far, answer(third) as other:
            near.sendall(b"x")
            assert far.recv(1) == b"x"
            links.cut("a", "bc")
            assert ended(near)
            assert ended(far)
            for one, two in ("ab", "ba", "ac", "ca"):
                with pytest.raises(ConnectionRefusedError):
                    dial(links, one, two)
            within.sendall(b"y")
            assert other.recv(1) == b"y", "what is within a group stays"
        links.heal()
        with dial(links, "a", "b") as near, answer(server) as far:
            near.sendall(b"z")
            assert far.recv(1) == b"z"


def test_who_is_not_at_home_is_found_out_by_the_caller(links: Links) -> None:
    with dial(links, "a", "b") as near:
        assert ended(near)


def test_leaving_cuts_everything_and_gives_the_ports_back() -> None:
    with Links(["a", "b"]) as links, home(links, "b") as server:
        near = dial(links, "a", "b")
        far = answer(server)
    with closing(near), closing(far):
        assert ended(near)
        assert ended(far)
    links.close()
    for endpoint in links.endpoints("a").values():
        with socket.socket() as anybody:
            anybody.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            anybody.bind(address(endpoint))
            anybody.listen()


def test_ports_stay_ours_while_nobody_listens(links: Links) -> None:
    links.cut()
    for endpoint in links.endpoints("a").values():
        with socket.socket() as stranger, pytest.raises(OSError, match="in use"):
            stranger.bind(address(endpoint))


def test_zeromq_reconnects_by_itself(links: Links) -> None:
    ways = [dict(enumerate(links.endpoints(name)[to] for to in "ab")) for name in "ab"]
    with ZmqTransport(0, ways[0]) as a, ZmqTransport(1, ways[1]) as b:
        assert heard(a, b)
        links.cut("a", "b")
        b.receive(0)
        links.heal()
        assert heard(a, b)


def heard(sender: ZmqTransport, receiver: ZmqTransport) -> bool:
    """Say things until one of them arrives."""
    for _ in range(int(PATIENCE_S * 20)):
        sender.send(1, b"hello")
        if receiver.receive(50):
            return True
    return False
