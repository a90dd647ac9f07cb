# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A drone's node stays in a conversation: its transport waits for answers, without executor."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
import rclpy

from swarm_ledger.nodes import drone
from swarm_ledger.nodes.drone import DroneNode
from swarm_ledger.nodes.transport import LINGER_MS, RosTransport
from swarm_ledger.sim.mission import Mission, prepare, utc_now
from tests.patience import PATIENCE_S, until

SAID = b"\x10said"
PATIENCE_MS = int(PATIENCE_S * 1_000)


@pytest.fixture
def ends(ros: None, tmp_path: Path) -> Iterator[list[RosTransport]]:
    """The ends of two drones that have found each other."""
    roster = prepare(Mission(tmp_path, transport="ros"), now=utc_now()).roster
    nodes = [rclpy.create_node(f"end_{index}") for index in range(2)]
    made = [RosTransport(node, roster, index) for index, node in enumerate(nodes)]
    ways = made[1]._everybody, made[1]._inboxes[0]
    until("they met", lambda: [way.get_subscription_count() for way in ways] == [2, 1])
    yield made
    for node in nodes:
        node.destroy_node()


def heard_waiting(
    end: RosTransport, patch: pytest.MonkeyPatch, speak: Callable[[], None]
) -> list[bytes]:
    """Return what an end hears of what another says only once it waits."""
    wait, begun = end._wait, threading.Event()

    def waits(timeout_ms: int) -> None:
        begun.set()
        wait(timeout_ms)

    def speaks() -> None:
        assert begun.wait(PATIENCE_S)
        speak()

    patch.setattr(end, "_wait", waits)
    threading.Thread(target=speaks, daemon=True).start()
    heard: list[bytes] = []
    until("it is heard", lambda: bool(heard), lambda: heard.extend(end.receive(PATIENCE_MS)))
    return heard


def test_an_answer_is_waited_for_without_an_executor(
    ends: list[RosTransport], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert heard_waiting(ends[0], monkeypatch, lambda: ends[1].broadcast(SAID)) == [SAID]
    assert heard_waiting(ends[0], monkeypatch, lambda: ends[1].send(0, SAID)) == [SAID]


def test_nothing_is_waited_for_in_vain(ends: list[RosTransport]) -> None:
    assert ends[0].receive(1) == []
    assert ends[0].receive(0) == []


def test_what_waits_already_is_not_waited_for(
    ends: list[RosTransport], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ends[0], "_wait", pytest.fail)
    ends[1].broadcast(SAID)
    heard: list[bytes] = []
    until("it is there", lambda: bool(heard), lambda: heard.extend(ends[0].receive(0)))
    ends[0].inbox.put(b"somebody", SAID, 0)
    ends[0].receive(PATIENCE_MS)


def stay(receive: Callable[[int], list[bytes]]) -> list[bytes]:
    """Have a drone's node work off what that returns; return what its drone heard."""
    heard: list[bytes] = []
    node = SimpleNamespace(
        _links=SimpleNamespace(receive=receive),
        _helm=SimpleNamespace(hear=lambda messages, _now_ms: heard.extend(messages)),
        time=SimpleNamespace(now_ms=lambda: 1),
    )
    DroneNode._work_off(node)  # type: ignore[arg-type]
    return heard


def test_answers_are_heard_before_the_node_does_anything_else() -> None:
    waits: list[int] = []
    script = iter([[b"a"], [b"b", b"c"], []])

    def receive(timeout_ms: int) -> list[bytes]:
        waits.append(timeout_ms)
        return next(script)

    assert stay(receive) == [b"a", b"b", b"c"]
    assert waits == [0, LINGER_MS, LINGER_MS], "a first look costs nothing"


def test_who_never_stops_talking_is_left_after_a_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = count()
    monkeypatch.setattr(drone, "monotonic", lambda: next(moments) * drone._TICK_S / 4)
    assert stay(lambda _timeout_ms: [b"again"]) == [b"again"] * 4
