# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Tests that import rclpy, all in one process: tests/system/test_ros_inside.py starts it.

Importing rclpy from wheels would start the interpreter anew, so pytest leaves them out elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

INSIDE = "SWARM_LEDGER_TESTS_INSIDE_ROS"

if INSIDE not in os.environ:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture
def ros() -> Iterator[None]:
    """rclpy, for nodes that a test makes itself."""
    import rclpy

    rclpy.init(args=[])
    yield
    rclpy.try_shutdown()
