# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Arguments that several launch files have, and what they mean for a process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from launch.actions import DeclareLaunchArgument

from swarm_ledger.launching.arguments import Given, argument, flag

LEVELS = ("debug", "info", "warn", "error", "fatal")


def node_arguments() -> list[DeclareLaunchArgument]:
    """Return the arguments of a launch file for real machines."""
    return [
        argument("params_file", "File with more parameters (YAML); if empty, none.", ""),
        flag("respawn", "Start a process that ended once more."),
        argument("respawn_delay", "Seconds before that.", "2.0"),
        argument("log_level", "What nodes log at least.", "info", LEVELS),
        flag("use_sim_time", "Follow /clock instead of this machine's clock."),
    ]


def as_given(given: Given) -> dict[str, Any]:
    """Return what process() takes of node_arguments(); Misuse for what can't be."""
    files: list[Path] = [given.path("params_file")] if given.text("params_file") else []
    return {
        "files": files,
        "respawn": given.flag("respawn"),
        "respawn_delay": given.number("respawn_delay"),
        "ros_arguments": ["--log-level", given.text("log_level")],
    }
