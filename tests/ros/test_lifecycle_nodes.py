# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""ManagedNode and run(): what opens, takes part, fails, is tried again and ends, in order."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import rclpy
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter as Override
from std_msgs.msg import String

from swarm_ledger.errors import Misuse
from swarm_ledger.nodes.lifecycle import ManagedNode
from swarm_ledger.nodes.parameters import AUTOSTART, Table, text, whole
from swarm_ledger.nodes.process import run
from tests.patience import until

TABLE = Table("probe", "Probes.", (), (AUTOSTART, whole("size", "a size", 3, (1, 9))), True)


class Probe(ManagedNode):
    """Notes what it is asked to do; fails where `fails` says so."""

    def __init__(
        self, said: list[str], name: str = "probe", *, rings: bool = False, **named: Any
    ) -> None:
        super().__init__(name, TABLE, **named)
        self.said, self.fails, self.ticks = said, dict[str, Exception](), 0
        self.rings = rings

    def _do(self, step: str) -> None:
        self.said.append(f"{self.get_name()} {step}")
        if step in self.fails:
            raise self.fails[step]

    def open(self) -> None:
        self.out = self.create_publisher(String, "out", 1)
        self._do("open")

    def start(self) -> None:
        self.create_subscription(String, "in", lambda message: self._do("heard"), 1)
        if self.rings:
            self.create_timer(0.001, self._on_timer)
        self._do("start")

    def stop(self) -> None:
        self._do("stop")

    def close(self) -> None:
        self._do("close")

    def _on_timer(self) -> None:
        self.ticks += 1
        if self.ticks > 2:
            self._do("tick")
            os.kill(os.getpid(), signal.SIGINT)


def state(node: ManagedNode) -> str:
    return str(node._state_machine.current_state[1])


def counts(node: Node) -> tuple[int, int, int]:
    return len(list(node.publishers)), len(list(node.subscriptions)), len(list(node.timers))


@contextmanager
def probe(**named: Any) -> Iterator[Probe]:
    node = Probe([], **named)
    yield node
    node.destroy_node()


def test_what_a_step_creates_is_gone_after_the_step_that_undoes_it(ros: None) -> None:
    with probe(rings=True) as node:
        before = counts(node)
        for _ in range(2):
            node.trigger_configure()
            assert (state(node), node.active) == ("inactive", False)
            assert counts(node) == (before[0] + 1, before[1], before[2])
            node.trigger_activate()
            assert (state(node), node.active) == ("active", True)
            assert counts(node) == (before[0] + 1, before[1] + 1, before[2] + 1)
            node.trigger_deactivate()
            assert (state(node), node.active) == ("inactive", False)
            assert counts(node) == (before[0] + 1, before[1], before[2])
            node.trigger_cleanup()
            assert (state(node), counts(node)) == ("unconfigured", before)
        node.end()
        assert state(node) == "finalized"
        assert node.said == ["probe open", "probe start", "probe stop", "probe close"] * 2


def test_a_failure_to_open_leaves_nothing_open_and_can_be_tried_again(ros: None) -> None:
    with probe() as node:
        before = counts(node)
        node.fails["open"] = Misuse("no key.", remedy="Plug it in.")
        node.trigger_configure()
        assert (state(node), counts(node)) == ("unconfigured", before)
        assert node.trouble is node.fails["open"]
        assert node.said == ["probe open", "probe close"]
        del node.fails["open"]
        node.trigger_configure()
        assert (state(node), node.trouble) == ("inactive", None)


def test_a_failure_to_start_leaves_the_node_inactive(ros: None) -> None:
    with probe() as node:
        node.fails["start"] = Misuse("no session.")
        node.trigger_configure()
        ready = counts(node)
        node.trigger_activate()
        assert (state(node), node.active, counts(node)) == ("inactive", False, ready)
        node.fails.clear()
        node.trigger_activate()
        assert state(node) == "active"


@pytest.mark.parametrize("step", ["open", "start", "stop", "close"])
def test_what_nobody_expected_ends_in_an_unconfigured_node(ros: None, step: str) -> None:
    with probe() as node:
        before = counts(node)
        node.fails[step] = ZeroDivisionError()
        for trigger in ("configure", "activate", "deactivate", "cleanup"):
            if state(node) != "unconfigured" or trigger == "configure":
                getattr(node, f"trigger_{trigger}")()
        assert (state(node), node.active, counts(node)) == ("unconfigured", False, before)
        node.fails.clear()
        node.trigger_configure()
        assert state(node) == "inactive"


def test_an_error_in_a_callback_stops_and_closes(ros: None) -> None:
    with probe() as node:
        before = counts(node)
        node.fails["heard"] = Misuse("the disk is full.")
        node.trigger_configure()
        node.trigger_activate()
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        publisher = node.create_publisher(String, "in", 1)
        until(
            "it has failed",
            lambda: node.trouble is not None,
            lambda: (publisher.publish(String()), executor.spin_once(timeout_sec=0.01)),
        )
        assert node.trouble is node.fails["heard"]
        assert (state(node), counts(node)) == ("unconfigured", before)


def test_a_lifecycle_manager_drives_it(ros: None) -> None:
    manager = rclpy.create_node("manager")
    with probe(parameter_overrides=[Override("autostart", value=False)]) as node:
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        executor.add_node(manager)
        change = manager.create_client(ChangeState, "/probe/change_state")
        ask = manager.create_client(GetState, "/probe/get_state")

        def call(client: Any, request: Any) -> Any:
            until("it serves", client.service_is_ready, lambda: executor.spin_once(0.01))
            future = client.call_async(request)
            executor.spin_until_future_complete(future)
            return future.result()

        def to(transition: int) -> bool:
            request = ChangeState.Request(transition=Transition(id=transition))
            return bool(call(change, request).success)

        def now() -> int:
            return int(call(ask, GetState.Request()).current_state.id)

        node.fails["open"] = Misuse("no key.")
        assert not to(Transition.TRANSITION_CONFIGURE)
        assert now() == State.PRIMARY_STATE_UNCONFIGURED
        node.fails.clear()
        assert to(Transition.TRANSITION_CONFIGURE)
        assert to(Transition.TRANSITION_ACTIVATE)
        assert now() == State.PRIMARY_STATE_ACTIVE
        assert to(Transition.TRANSITION_ACTIVE_SHUTDOWN)
        assert now() == State.PRIMARY_STATE_FINALIZED
        assert node.said[-2:] == ["probe stop", "probe close"]
    manager.destroy_node()


def test_a_process_starts_its_nodes_in_order_and_ends_them_backwards() -> None:
    said: list[str] = []

    def make() -> Iterable[Node]:
        yield Probe(said, "one", rings=True)
        yield Probe(said, "two", rings=True)

    assert run(make) == 0
    assert said[:4] == ["one open", "one start", "two open", "two start"]
    assert said[-4:] == ["two stop", "two close", "one stop", "one close"]
    assert {"one tick", "two tick"} & set(said)


@pytest.mark.parametrize("step", ["open", "start", "tick"])
def test_a_process_ends_with_a_sentence_if_a_node_cannot_go_on(
    step: str, capfd: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []

    def make() -> Iterable[Node]:
        yield Probe(said, "one")
        two = Probe(said, "two", rings=True)
        two.fails[step] = Misuse("there is no key.", remedy="Plug it in.")
        yield two

    assert run(make) == 1
    assert "there is no key. Plug it in." in capfd.readouterr().err.splitlines()
    assert [line for line in said if line.endswith("close")][-1] == "one close"
    assert said.count("two close") == 1


def test_without_autostart_nothing_is_opened() -> None:
    said: list[str] = []

    def make() -> Iterable[Node]:
        yield Probe(said, "one", parameter_overrides=[Override("autostart", value=False)])
        yield Probe(said, "two", rings=True)

    assert run(make) == 0
    assert not [line for line in said if line.startswith("one")]


def overridden(*values: tuple[str, Any], name: str = "probe") -> Any:
    return lambda: [
        Probe([], name, parameter_overrides=[Override(key, value=value) for key, value in values])
    ]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([("seize", 3)], "the parameter seize. Did you mean size?"),
        ([("zzzzzz", 3)], "the parameter zzzzzz. It knows autostart, size"),
        ([("size", 10)], "size of /probe can't be 10. Give a whole number from 1 to 9: a size."),
        ([("size", "big")], "size of /probe can't be 'big'. Give a whole number from 1 to 9"),
        ([("autostart", 1)], "autostart of /probe can't be 1. Give true or false"),
    ],
)
def test_overrides_are_checked(
    values: list[tuple[str, Any]], words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(overridden(*values)) == 1
    said = capfd.readouterr().err
    assert words in said
    assert "Traceback" not in said


def test_what_one_node_alone_was_given_it_has_to_declare(
    capfd: pytest.CaptureFixture[str],
) -> None:
    other = Table("other", "Others.", (), (AUTOSTART, text("colour", "a colour", "red")), True)

    def make(given: str) -> Iterable[Node]:
        yield Probe([], parameter_overrides=[Override(given, value="x")])
        yield ManagedNode("other", other)

    assert run(lambda: make("colour")) == 1
    assert "/probe does not have the parameter colour." in capfd.readouterr().err
