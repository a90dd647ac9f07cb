# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What every process of nodes does: parameters checked, spun, ended cleanly."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import rclpy
from rcl_interfaces.msg import IntegerRange, ParameterDescriptor
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.signals import SignalHandlerOptions

from swarm_ledger.errors import Misuse, SwarmLedgerError
from swarm_ledger.sim.events import die_with_parent
from swarm_ledger.sim.stop import Stop

_SPIN_S = 0.1


def text_parameter(node: Node, name: str, description: str) -> str:
    """Declare a read-only text parameter that must be given; Misuse if it is not."""
    descriptor = ParameterDescriptor(description=description, read_only=True)
    value = str(node.declare_parameter(name, "", descriptor).value)
    if not value:
        raise Misuse(
            f"the parameter {name} of {node.get_fully_qualified_name()} is not set.",
            remedy=f"Give it: -p {name}:=... ({description}).",
        )
    return value


def default_parameter(node: Node, name: str, default: str, description: str) -> str:
    """Declare a read-only text parameter that may be left out."""
    descriptor = ParameterDescriptor(description=description, read_only=True)
    return str(node.declare_parameter(name, default, descriptor).value)


def list_parameter(node: Node, name: str, description: str) -> list[str]:
    """Declare a read-only list of texts, empty unless it is given."""
    descriptor = ParameterDescriptor(description=description, read_only=True)
    node.declare_parameter(name, Parameter.Type.STRING_ARRAY, descriptor)
    given = node.get_parameter_or(name).value
    return [str(item) for item in given or ()]


def flag_parameter(node: Node, name: str, description: str) -> bool:
    """Declare a read-only flag, false unless it is given."""
    descriptor = ParameterDescriptor(description=description, read_only=True)
    return bool(node.declare_parameter(name, False, descriptor).value)


def whole_parameter(
    node: Node, name: str, default: int, span: tuple[int, int], description: str
) -> int:
    """Declare a read-only whole number within a span, its ends included."""
    descriptor = ParameterDescriptor(
        description=description,
        read_only=True,
        integer_range=[IntegerRange(from_value=span[0], to_value=span[1], step=0)],
    )
    return int(node.declare_parameter(name, default, descriptor).value)


def refuse_unknown(nodes: Sequence[Node]) -> None:
    """Raise Misuse for a parameter that was given and that no node declares: a typing error."""
    given = {name for node in nodes for name in node._parameter_overrides}
    unknown = [name for name in given if not any(node.has_parameter(name) for node in nodes)]
    if unknown:
        raise Misuse(f"no node here has the parameter {min(unknown)}.")


def run(make: Callable[[], Sequence[Node]]) -> int:
    """Spin the nodes that `make` returns until Ctrl-C; return the process's exit code.

    rclpy's own signal handlers would take the context from under a callback that publishes.
    """
    die_with_parent()
    stop = Stop()
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    nodes: Sequence[Node] = ()
    try:
        nodes = make()
        refuse_unknown(nodes)
        executor = SingleThreadedExecutor()
        for node in nodes:
            executor.add_node(node)
        while not stop.asked and rclpy.ok():
            executor.spin_once(timeout_sec=_SPIN_S)
    except ExternalShutdownException:
        pass
    except SwarmLedgerError as error:
        print(error.explain(), file=sys.stderr)
        return 1
    finally:
        for node in nodes:
            node.destroy_node()
        rclpy.try_shutdown()
    return 0
