# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The ground station's node where no drone flies: what it says to those who ask all the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import rclpy
from builtin_interfaces.msg import Duration
from rclpy.action import ActionClient
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from swarm_interfaces.action import Decide

from swarm_ledger.errors import Misuse
from swarm_ledger.nodes.ground_station import GroundStationNode
from swarm_ledger.sim.mission import KEY, OPERATOR, Mission, prepare, utc_now
from tests.patience import until


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    prepare(Mission(run_dir=tmp_path / "run", transport="ros", byzantine=0), now=utc_now())
    return tmp_path / "run"


@contextmanager
def station(folder: Path, **given: str | int) -> Iterator[GroundStationNode]:
    values = {"fleet": str(folder / "fleet.yaml"), **given}
    node = GroundStationNode(
        parameter_overrides=[Parameter(name, value=value) for name, value in values.items()]
    )
    yield node
    node.destroy_node()


def asked(node: GroundStationNode, seconds: int = 5) -> Any:
    """Send a goal from another node; return its result."""
    client_node = rclpy.create_node("client")
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    executor.add_node(client_node)
    client = ActionClient(client_node, Decide, "/swarm/decide")

    def wait(what: str, holds: Any) -> None:
        until(what, holds, lambda: executor.spin_once(timeout_sec=0.05))

    wait("it serves", client.server_is_ready)
    goal = Decide.Goal(subject="What?", labels=["a", "b"], rule=1, deadline=Duration(sec=seconds))
    sent = client.send_goal_async(goal)
    wait("it is accepted", sent.done)
    ended = sent.result().get_result_async()
    wait("it has ended", ended.done)
    client.destroy()
    client_node.destroy_node()
    return ended.result().result


def operator(folder: Path) -> str:
    return f"file:{folder / OPERATOR / KEY}"


def test_without_a_key_nobody_is_asked(ros: None, folder: Path) -> None:
    with station(folder) as node:
        node.begin()
        result = asked(node)
    assert result.error_code == Decide.Result.ERROR_NOT_OPERATOR
    assert "no operator's key here" in result.error_msg


def test_where_nobody_answers_there_is_no_quorum(ros: None, folder: Path) -> None:
    with station(folder, operator=operator(folder), patience_ms=1_000) as node:
        node.begin()
        result = asked(node, 60)
    assert result.error_code == Decide.Result.ERROR_NO_QUORUM
    assert "0 of 4 validators were heard" in result.error_msg


def test_who_is_not_active_says_so_and_can_be_activated_again(ros: None, folder: Path) -> None:
    with station(folder, operator=operator(folder), patience_ms=1_000) as node:
        node.trigger_configure()
        assert asked(node).error_code == Decide.Result.ERROR_UNAVAILABLE
        node.trigger_activate()
        assert asked(node).error_code == Decide.Result.ERROR_NO_QUORUM
        node.trigger_deactivate()
        result = asked(node)
        assert "not active" in result.error_msg
        node.trigger_cleanup()
        node.trigger_configure()
        assert asked(node).error_code == Decide.Result.ERROR_UNAVAILABLE


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"operator": "file:/nowhere.pem"}, "/nowhere.pem"),
        ({"operator": "drone_1", "operator_name": OPERATOR}, "is drone_1's in the roster"),
        ({"operator": OPERATOR, "operator_name": "operator_2"}, "not operator_2's"),
        ({"fleet": "/nowhere.yaml"}, "cannot read /nowhere.yaml"),
    ],
)
def test_what_it_can_not_use_is_explained(
    ros: None, folder: Path, given: dict[str, str], words: str
) -> None:
    key = given.get("operator", "")
    if key and ":" not in key:
        given = {**given, "operator": f"file:{folder / key / KEY}"}
    with station(folder, **given) as node, pytest.raises(Misuse, match=words):
        node.begin()


def test_constants_are_those_of_the_interfaces() -> None:
    from swarm_interfaces.srv import GetBlock

    from swarm_ledger.runtime.asker import Code
    from swarm_ledger.runtime.extract import MAX_ENTRIES, Trouble

    for code in Code:
        assert getattr(Decide.Result, f"ERROR_{code.name}") == code
    for trouble in Trouble:
        assert getattr(GetBlock.Response, f"ERROR_{trouble.name}") == trouble
    assert MAX_ENTRIES == 512
