# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What launch files share: arguments, processes, recording. Besides them, only this needs launch.

    ARGUMENTS = [argument("drones", "How many drones fly; 4-100.", "4")]

    def fly(given: Given) -> list[LaunchDescriptionEntity]:
        return [process("world", {"fleet": "/run/fleet.yaml"}, given)]

    def generate_launch_description() -> LaunchDescription:
        return describe(ARGUMENTS, fly)

A Misuse in there ends the launch with its sentence and status 1.
"""

from swarm_ledger.launching.arguments import Given, argument, describe, flag
from swarm_ledger.launching.processes import (
    bag,
    process,
    rviz,
    tell_events,
)

__all__ = ["Given", "argument", "bag", "describe", "flag", "process", "rviz", "tell_events"]
