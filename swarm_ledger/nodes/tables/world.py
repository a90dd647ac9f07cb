# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What the built-in world can be told."""

from swarm_ledger.nodes.parameters import Table, flag, text

TABLE = Table(
    node="world",
    purpose="The built-in world: a camera and odometry for each drone of a fleet.",
    executables=("world",),
    parameters=(
        text("fleet", "path of the fleet file, which must have a world"),
        flag("drive_clock", "publish /clock from 0 on, as Gazebo does, for use_sim_time"),
    ),
)
