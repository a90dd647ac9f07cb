# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a node tells about itself on /diagnostics, as ROS's own tools read it."""

from __future__ import annotations

from collections.abc import Mapping

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

DIAGNOSTICS = "/diagnostics"


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
