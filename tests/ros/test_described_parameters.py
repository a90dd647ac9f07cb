# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Every table, declared for real: descriptors say what the table and its page say."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from typing import Any

import pytest
import rclpy
from rclpy.node import Node
from rclpy.parameter import Parameter as Override

import swarm_ledger.nodes
from swarm_ledger.nodes.declaring import declare
from swarm_ledger.nodes.lifecycle import ManagedNode
from swarm_ledger.nodes.parameters import Parameter, Table, Type
from swarm_ledger.nodes.tables import tables

TYPES = {Type.FLAG: 1, Type.WHOLE: 2, Type.NUMBER: 3, Type.TEXT: 4, Type.TEXTS: 9}


def span(described: Any) -> tuple[float, float] | None:
    for one in (*described.integer_range, *described.floating_point_range):
        return one.from_value, one.to_value
    return None


@pytest.mark.parametrize("table", tables().values(), ids=tables().keys())
def test_descriptors_are_what_the_table_says(ros: None, table: Table) -> None:
    given = {p.name: "x" for p in table.parameters if p.required and p.type is Type.TEXT}
    overrides = [Override(name, value=value) for name, value in given.items()]
    node = rclpy.create_node("node", parameter_overrides=overrides)
    read = declare(node, table)
    for parameter in table.parameters:
        described = node.describe_parameter(parameter.name)
        assert described.type == TYPES[parameter.type], parameter.name
        assert described.description == parameter.description
        assert described.read_only == parameter.read_only
        assert span(described) == parameter.span
        assert all(choice in described.additional_constraints for choice in parameter.choices)
        assert parameter.constraints in described.additional_constraints
        _check_default(read, parameter, given)
    node.destroy_node()


def _check_default(read: Any, parameter: Parameter, given: dict[str, str]) -> None:
    getters = {
        Type.FLAG: read.flag,
        Type.WHOLE: read.whole,
        Type.NUMBER: read.number,
        Type.TEXT: read.text,
        Type.TEXTS: read.texts,
    }
    wanted = [] if parameter.type is Type.TEXTS else parameter.default
    assert getters[parameter.type](parameter.name) == given.get(parameter.name, wanted)


def test_every_node_has_a_table_and_every_lifecycle_node_says_so() -> None:
    names = [
        f"swarm_ledger.nodes.{one.name}"
        for one in pkgutil.iter_modules(swarm_ledger.nodes.__path__)
    ]
    found: dict[str, type] = {}
    for name in names:
        module = importlib.import_module(name)
        for node in vars(module).values():
            own = inspect.isclass(node) and node.__module__ == name and issubclass(node, Node)
            if own and node is not ManagedNode:
                found[name] = node
                assert module.TABLE in tables().values(), name
                assert module.TABLE.lifecycle == issubclass(node, ManagedNode), name
    assert len(found) == len(tables())
