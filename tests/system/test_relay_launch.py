# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The relay's launch file against the nodes that it starts, loaded without ROS 2."""

from __future__ import annotations

import importlib.util
import re
import sys
from typing import Any

import pytest

from swarm_ledger.nodes.tables import tables
from tests.system.command import ROOT
from tests.system.test_launch import Recorded, Recording, entry_points

FILE = ROOT / "launch" / "relay.launch.py"
GIVEN = {"fleet": "/run/fleet.yaml", "drone": "drone_2"}
PAGE = (ROOT / "docs" / "relay.md").read_text()


@pytest.fixture
def relay(monkeypatch: pytest.MonkeyPatch) -> Any:
    for name in re.findall(r"^from (launch[\w.]*) import", FILE.read_text(), re.M):
        monkeypatch.setitem(sys.modules, name, Recording(name))
    spec = importlib.util.spec_from_file_location("relay_launch", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def started(relay: Any, **given: str) -> list[dict[str, Any]]:
    defaults = {one.name: one.named.get("default_value", "") for one in relay.ARGUMENTS}
    context = Recorded()
    context.launch_configurations = {**defaults, **GIVEN, **given}  # type: ignore[attr-defined]
    return [node.named for node in relay.nodes(context)]


def declared(node: str) -> set[str]:
    """Return the parameters that a node declares."""
    return {parameter.name for parameter in tables()[node].parameters}


def test_nodes_are_what_the_package_has(relay: Any) -> None:
    both = started(relay, receive="true", topics="odom, imu", batched="/a/*", radio_domain="42")
    assert [node["executable"] for node in both] == ["secure_relay", "secure_receiver"]
    for node in both:
        module, function = entry_points()[node["executable"]].split(":")
        path = module.replace(".", "/")
        assert f"def {function}(" in (ROOT / f"{path}.py").read_text()
        (parameters,) = node["parameters"]
        assert parameters.keys() <= declared(node["executable"])
        assert (parameters["drone"].given, parameters["radio_domain"]) == (("drone_2",), 42)
        assert node["namespace"] == "/drone_2"
    (parameters,) = both[0]["parameters"]
    assert (parameters["topics"], parameters["batched"]) == (["odom", "imu"], ["/a/*"])


def test_what_is_left_out_is_not_passed(relay: Any) -> None:
    """ROS has no empty list of texts."""
    (one,) = started(relay, topics="odom")
    (parameters,) = one["parameters"]
    assert "batched" not in parameters
    assert (parameters["window_ms"], parameters["begin_session"]) == (50, False)
    assert parameters["anchor_ms"] == 30_000


def test_arguments_are_described_here_and_on_the_page(relay: Any) -> None:
    for argument in relay.ARGUMENTS:
        assert argument.named["description"]
        assert f"`{argument.name}" in PAGE


@pytest.mark.parametrize("node", ["secure_relay", "secure_receiver"])
def test_parameters_are_on_the_page(node: str) -> None:
    rows = set(re.findall(r"`(\w+)`", "\n".join(re.findall(r"^\| (.*?) \|", PAGE, re.M))))
    assert declared(node) <= rows
