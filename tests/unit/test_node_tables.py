# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The nodes' parameters, as tables: complete, consistent, and named as ROS names things."""

from __future__ import annotations

import re

import pytest

from swarm_ledger.nodes.parameters import AUTOSTART, Parameter, Table, Type, suggestion
from swarm_ledger.nodes.tables import tables
from tests.launching import entry_points

TABLES = tables()
EVERY = [
    pytest.param(t, p, id=f"{t.node}-{p.name}") for t in TABLES.values() for p in t.parameters
]


def test_every_executable_of_nodes_has_its_tables() -> None:
    started = {name for name, where in entry_points().items() if ".nodes." in where}
    assert started == {name for table in TABLES.values() for name in table.executables}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES.keys())
def test_a_table_is_whole(table: Table) -> None:
    names = [parameter.name for parameter in table.parameters]
    assert len(set(names)) == len(names)
    assert re.fullmatch(r"[a-z_]+", table.node)
    assert re.fullmatch(r"[A-Z].*\.", table.purpose)
    assert (AUTOSTART in table.parameters) == table.lifecycle


@pytest.mark.parametrize(("table", "parameter"), EVERY)
def test_a_parameter_is_described(table: Table, parameter: Parameter) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*", parameter.name)
    assert parameter.description
    assert not parameter.description.endswith(".")
    held = {Type.FLAG: bool, Type.WHOLE: int, Type.NUMBER: float, Type.TEXT: str}
    if parameter.default is not None:
        assert type(parameter.default) is held[parameter.type]
    numeric = parameter.type in (Type.WHOLE, Type.NUMBER)
    assert (parameter.span is not None) == numeric
    if parameter.span and parameter.default is not None:
        low, high = parameter.span
        assert low <= parameter.default <= high
    if parameter.choices:
        assert parameter.default in parameter.choices


def test_a_slip_of_the_pen_is_recognised() -> None:
    assert suggestion("wndow_ms", ["window_ms", "anchor_ms"]) == "Did you mean window_ms?"
    assert suggestion("zzz", ["b", "a"]) == "It knows a, b."


def test_a_name_that_a_table_lacks_is_our_own_mistake() -> None:
    with pytest.raises(KeyError):
        TABLES["drone"].named("speed")
