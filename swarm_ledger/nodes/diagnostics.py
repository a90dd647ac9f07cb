# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a node tells about itself on /diagnostics, as ROS's own tools read it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

from swarm_ledger.nodes.health import Finding
from swarm_ledger.nodes.publishing import publish
from swarm_ledger.nodes.qos import DIAGNOSTICS as QOS

DIAGNOSTICS = "/diagnostics"

_LEVELS = (DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR)


def status(
    level: bytes, name: str, said: str, hardware_id: str, values: Mapping[str, object]
) -> DiagnosticStatus:
    """Return one status. level: OK, WARN, ERROR; hardware_id: the drone's id and key."""
    return DiagnosticStatus(
        level=level,
        name=name,
        message=said,
        hardware_id=hardware_id,
        values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
    )


class Board:
    """A node's place on /diagnostics."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._publisher = node.create_publisher(DiagnosticArray, DIAGNOSTICS, QOS)

    def show(self, *found: DiagnosticStatus) -> bool:
        """Publish statuses, stamped now; False where DDS did not take them."""
        array = DiagnosticArray(status=list(found))
        array.header.stamp = self._node.get_clock().now().to_msg()
        return publish(self._publisher, array)


class Reporter:
    """A node's publisher of findings. about: what the node is of, such as a drone's name."""

    def __init__(self, node: Node, about: str, hardware_id: str) -> None:
        self._title, self._hardware_id = f"{node.get_name()}: {about}", hardware_id
        self._board = Board(node)

    def report(self, findings: Iterable[Finding]) -> bool:
        """Publish them; False where DDS did not take it."""
        return self._board.show(
            *(
                status(
                    _LEVELS[one.level],
                    f"{self._title}: {one.name}",
                    one.said,
                    self._hardware_id,
                    one.values,
                )
                for one in findings
            )
        )
