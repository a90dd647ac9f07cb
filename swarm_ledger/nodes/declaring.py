# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Declares a table of parameters on a node, with descriptors, and reads what was given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import rclpy
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, ParameterType
from rclpy.exceptions import ParameterException
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter

from swarm_ledger.errors import Misuse
from swarm_ledger.nodes.parameters import Parameter, Table, Type, suggestion

_TYPES = {
    Type.FLAG: (ParameterType.PARAMETER_BOOL, RosParameter.Type.BOOL),
    Type.WHOLE: (ParameterType.PARAMETER_INTEGER, RosParameter.Type.INTEGER),
    Type.NUMBER: (ParameterType.PARAMETER_DOUBLE, RosParameter.Type.DOUBLE),
    Type.TEXT: (ParameterType.PARAMETER_STRING, RosParameter.Type.STRING),
    Type.TEXTS: (ParameterType.PARAMETER_STRING_ARRAY, RosParameter.Type.STRING_ARRAY),
}


class Given:
    """What a node was told, by the names of its table. KeyError for any other name."""

    def __init__(self, node: Node, table: Table) -> None:
        self._node, self._table = node, table

    def text(self, name: str) -> str:
        """Return a text."""
        return str(self._value(name))

    def texts(self, name: str) -> list[str]:
        """Return a list of texts."""
        return [str(item) for item in self._value(name) or ()]

    def whole(self, name: str) -> int:
        """Return a whole number."""
        return int(self._value(name))

    def number(self, name: str) -> float:
        """Return a number."""
        return float(self._value(name))

    def flag(self, name: str) -> bool:
        """Return a flag."""
        return bool(self._value(name))

    def _value(self, name: str) -> Any:
        self._table.named(name)
        return self._node.get_parameter_or(name, RosParameter(name)).value


def declare(node: Node, table: Table) -> Given:
    """Declare a table's parameters; Misuse for one that is missing or not as it has to be."""
    for parameter in table.parameters:
        _declare(node, parameter)
    return Given(node, table)


def descriptor(parameter: Parameter) -> ParameterDescriptor:
    """Return what ros2 param describe tells of it."""
    allowed = f"one of {', '.join(parameter.choices)}" if parameter.choices else ""
    constraints = "; ".join(filter(None, (allowed, parameter.constraints)))
    described = ParameterDescriptor(
        name=parameter.name,
        type=_TYPES[parameter.type][0],
        description=parameter.description,
        additional_constraints=constraints,
        read_only=parameter.read_only,
    )
    if parameter.span is not None:
        low, high = parameter.span
        if parameter.type is Type.WHOLE:
            described.integer_range = [IntegerRange(from_value=int(low), to_value=int(high))]
        else:
            described.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
    return described


def refuse_unknown(nodes: Sequence[Node]) -> None:
    """Raise Misuse for a parameter that was given and is not declared: a typing error.

    What was given to all nodes of the process, one of them must declare; what was given to a node
    by its name, that node.
    """
    heard = [node for node in nodes if node.context is rclpy.get_default_context()]
    given = [set(node._parameter_overrides) for node in heard]
    for_all = set.intersection(*given) if given else set()
    for node, names in zip(heard, given, strict=True):
        for name in sorted(names):
            asked = heard if name in for_all else [node]
            if not any(one.has_parameter(name) for one in asked):
                known = {other for one in asked for other in one._parameters}
                alone = f"{node.get_fully_qualified_name()} does not have"
                who = "no node here has" if asked == heard else alone
                raise Misuse(f"{who} the parameter {name}.", remedy=suggestion(name, known))


def _declare(node: Node, parameter: Parameter) -> None:
    name, default = parameter.name, parameter.default
    if parameter.type is Type.TEXTS:
        default = _TYPES[parameter.type][1]
    elif parameter.required and name not in node._parameter_overrides:
        raise _missing(node, parameter)
    try:
        if parameter.required:
            default = _TYPES[parameter.type][1]
        value = node.declare_parameter(name, default, descriptor(parameter)).value
    except ParameterException as error:
        raise Misuse(
            f"the parameter {name} of {node.get_fully_qualified_name()} can't be "
            f"{node._parameter_overrides[name].value!r}.",
            remedy=f"Give {_form(parameter)}: {parameter.description}.",
        ) from error
    if parameter.required and value == "":
        raise _missing(node, parameter)
    if parameter.choices and value not in parameter.choices:
        raise Misuse(
            f"the parameter {name} of {node.get_fully_qualified_name()} can't be {value!r}.",
            remedy=f"Give {_form(parameter)}: {parameter.description}.",
        )


def _missing(node: Node, parameter: Parameter) -> Misuse:
    return Misuse(
        f"the parameter {parameter.name} of {node.get_fully_qualified_name()} is not set.",
        remedy=f"Give it: -p {parameter.name}:=... ({parameter.description}).",
    )


def _form(parameter: Parameter) -> str:
    """Return what kind of value it takes, for a sentence."""
    if parameter.choices:
        return f"one of {', '.join(parameter.choices)}"
    kinds = {
        Type.FLAG: "true or false",
        Type.WHOLE: "a whole number",
        Type.NUMBER: "a number with a point",
        Type.TEXT: "a text (in quotes, if it looks like a number)",
        Type.TEXTS: "a list of texts, such as \"['a', 'b']\"",
    }
    kind = kinds[parameter.type]
    if parameter.span is None:
        return kind
    low, high = parameter.span
    return f"{kind} from {low:g} to {high:g}"
