# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Runs tests/ros, which import rclpy, in a process that has found ROS 2."""

from __future__ import annotations

import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from swarm_ledger.sim.mission import Mission
from swarm_ledger.sim.processes import environment
from tests.ros.conftest import INSIDE
from tests.system.command import ROOT
from tests.system.conftest import needs

LIMIT_S = 850


@pytest.mark.slow(200)
def test_nodes_from_inside(tmp_path: Path) -> None:
    needs("ros")
    surroundings = environment(Mission(run_dir=tmp_path, transport="ros"))
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*pytest, "tests/ros"],
        env={**surroundings, INSIDE: "1"},
        cwd=ROOT,
        capture_output=True,
        timeout=LIMIT_S,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    for again in re.findall(r"^RERUN .*", done.stdout, re.MULTILINE):
        warnings.warn(again, stacklevel=1)  # the summary lists what was tried once more
