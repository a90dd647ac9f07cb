# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The real `ros2 launch` of the package as colcon installs it, where there is one."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from swarm_ledger.sim.ros_environment import ros_environment, ros_unavailable_reason
from tests.launching import ROOT

SIM = "sim.launch.py"
LIMIT_SECONDS = 480.0
ROS2 = [sys.executable, "-c", "import sys; from ros2cli.cli import main; sys.exit(main())"]


@dataclass(frozen=True)
class Installed:
    """The package as colcon installs it, in the environment to launch it in."""

    environment: dict[str, str]

    def ros2(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a `ros2` command to its end."""
        return subprocess.run(
            [*ROS2, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_SECONDS,
        )

    @contextmanager
    def launch(self, *arguments: str, file: str = SIM) -> Iterator[subprocess.Popen[str]]:
        """Start `ros2 launch` as a shell does, in its own process group; end what is left of it.

        Its input is a terminal, or else launch would pass an interrupt on a second time.
        """
        terminal, ours = os.openpty()
        child = subprocess.Popen(
            [*ROS2, "launch", "swarm_ledger", file, *arguments],
            env=self.environment,
            stdin=ours,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        # Whoever waits for a line that doesn't come then gets the end of the output.
        limit = threading.Timer(LIMIT_SECONDS, os.killpg, (child.pid, signal.SIGKILL))
        limit.start()
        try:
            with child:
                try:
                    yield child
                finally:
                    with suppress(ProcessLookupError):
                        os.killpg(child.pid, signal.SIGKILL)
        finally:
            limit.cancel()
            os.close(terminal)
            os.close(ours)


def read_until(child: subprocess.Popen[str], pattern: str, times: int) -> list[str]:
    """Return the child's lines up to the one that matches for that many times."""
    assert child.stdout is not None
    lines = []
    for line in child.stdout:
        lines.append(line)
        times -= bool(re.search(pattern, line))
        if not times:
            return lines
    raise AssertionError("".join(lines))


def lives(pid: int) -> bool:
    """Whether a process runs; one that has ended and isn't yet waited for doesn't."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def children(lines: list[str]) -> dict[str, int]:
    """Return the process ids that launch has told, by what it calls the process."""
    told = re.findall(r"\[(\w+)-\d+\]: process started with pid \[(\d+)\]", "".join(lines))
    return {name: int(pid) for name, pid in told}


def install(folder: Path) -> Installed:
    """Build the package into a folder; the test is skipped where it can't be launched."""
    environment = ros_environment()
    if environment is None:
        pytest.skip(ros_unavailable_reason())
    probe = [sys.executable, "-c", "import launch, launch_ros, ros2launch, ros2cli"]
    tried = subprocess.run(
        probe, env=environment, cwd="/", capture_output=True, text=True, check=False
    )
    if tried.returncode:
        pytest.skip(f"ros2 launch can't be used here: {tried.stderr.strip().splitlines()[-1]}")
    colcon = shutil.which("colcon", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if colcon is None:
        pytest.skip("colcon is not installed")
    command = [colcon, "--log-base", "log", "build", "--base-paths", str(ROOT)]
    command += ["--packages-select", "swarm_ledger", "--merge-install"]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (packages,) = folder.glob("install/lib/python*/site-packages")
    before = {"AMENT_PREFIX_PATH": folder / "install", "PYTHONPATH": packages}
    for name, path in before.items():
        environment[name] = f"{path}:{environment.get(name, '')}".strip(":")
    environment |= {
        "ROS_DOMAIN_ID": str(1 + os.getpid() % 100),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "ROS_LOCALHOST_ONLY": "1",
        "ROS_LOG_DIR": str(folder / "ros_log"),
    }
    return Installed(environment)
