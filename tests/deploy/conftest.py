# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Fixtures of what is deployed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from swarm_ledger.sim.ros_environment import ros_environment, ros_unavailable_reason
from tests.deploy.surroundings import Peers


@pytest.fixture
def peers() -> Iterator[Peers]:
    """Start processes with ROS 2 that end with the test; skipped where there is none."""
    around = ros_environment()
    if around is None:
        pytest.skip(ros_unavailable_reason())
    made = Peers(around)
    try:
        yield made
    finally:
        made.end()
