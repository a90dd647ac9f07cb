# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Missions that many tests look at, each flown once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache, partial
from pathlib import Path

import pytest

from swarm_ledger.sim.ros_environment import ros_environment, ros_unavailable_reason
from tests.once import for_all_workers
from tests.system.command import MISSION, Flight, call, run


@lru_cache(maxsize=1)
def why_no_ros() -> str:
    return "" if ros_environment() is not None else ros_unavailable_reason()


def needs(transport: str) -> None:
    """Skip, and say why, what needs a ROS 2 that isn't here."""
    if transport == "ros" and why_no_ros():
        pytest.skip(why_no_ros())


@pytest.fixture(scope="session")
def flown(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Flight]:
    """The issue's own mission over a transport: its run folder and what the command said."""

    @cache
    def fly(transport: str) -> Flight:
        needs(transport)
        return for_all_workers(tmp_path_factory, f"flown_{transport}", partial(mission, transport))

    return fly


def mission(transport: str, folder: Path) -> Flight:
    run_dir = folder / "run"
    return run_dir, run("sim", *MISSION, "--transport", transport, "--run-dir", run_dir, "--json")


@pytest.fixture(scope="session")
def four(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of the smallest swarm, flown in memory."""
    return for_all_workers(tmp_path_factory, "four", smallest)


def smallest(folder: Path) -> Path:
    run_dir = folder / "run"
    said = call("sim", "--transport", "memory", "--seed", 1, "--run-dir", run_dir, "--json")
    assert said.code == 0, said
    return run_dir
