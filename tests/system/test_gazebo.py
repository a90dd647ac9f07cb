# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Gazebo itself, headless for some seconds, where it is: drones, clock, images, a decision."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from swarm_ledger.audit.ledger import open_ledger
from swarm_ledger.runtime.export import find_decision
from tests.patience import PATIENCE_S
from tests.system.launched import Installed, install, read_until

PACKAGES = ("ros_gz_sim", "ros_gz_bridge")
PROBE = (
    "from ament_index_python.packages import get_package_prefix as p; "
    f"print(*[p(one) for one in {PACKAGES}])"
)
LISTEN = """
import sys, time
import rclpy
from nav_msgs.msg import Odometry
from rclpy.qos import qos_profile_sensor_data as sensor
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image

rclpy.init()
node = rclpy.create_node("listener")
heard = {}
wanted = {"/clock": Clock}
for number in range(1, 5):
    wanted[f"/drone_{number}/odom"] = Odometry
    wanted[f"/drone_{number}/camera/image"] = Image
for topic, kind in wanted.items():
    keep = lambda message, topic=topic: heard.setdefault(topic, []).append(message)
    node.create_subscription(kind, topic, keep, sensor)
deadline = time.monotonic() + float(sys.argv[1])
while time.monotonic() < deadline and not all(len(heard.get(one, ())) > 2 for one in wanted):
    rclpy.spin_once(node, timeout_sec=0.2)
print("missing:", *[one for one in wanted if len(heard.get(one, ())) <= 2])
ticks = [one.clock.sec + one.clock.nanosec / 1e9 for one in heard.get("/clock", [])]
print("ticks:", ticks == sorted(ticks) and ticks[-1] > ticks[0])
"""


@pytest.fixture(scope="module")
def gazebo(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The package installed, with a Gazebo of its own: no other one is heard."""
    installed = install(tmp_path_factory.mktemp("gazebo"))
    command = [sys.executable, "-c", PROBE]
    found = subprocess.run(
        command, env=installed.environment, capture_output=True, text=True, check=False
    )
    if found.returncode:
        pytest.skip(f"needs Gazebo with {' and '.join(PACKAGES)}, which aren't installed here")
    installed.environment["GZ_PARTITION"] = f"swarm_ledger_{uuid.uuid4().hex}"
    return installed


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_swarm_flies_and_decides_in_gazebo(gazebo: Installed, tmp_path: Path) -> None:
    given = ("headless:=true", "target:=two_faces", "byzantine:=0", f"run_dir:={tmp_path}")
    with gazebo.launch(*given, file="gazebo.launch.py") as child:
        listened = subprocess.run(
            [sys.executable, "-c", LISTEN, str(PATIENCE_S)],
            env=gazebo.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        if re.search(r"missing:( /drone_\d/camera/image)+$", listened.stdout, re.M):
            pytest.skip("cameras render nothing here: they need ogre2 with a GPU, or EGL")
        assert listened.stdout.splitlines() == ["missing:", "ticks: True"]
        lines = read_until(child, r"drone_\d: holding", times=4)
        lines += read_until(child, r"drone_\d: Decision 1 ", times=4)
        lines += read_until(child, r"drone_\d: clear$", times=4)
        os.killpg(child.pid, signal.SIGINT)
        child.communicate()
    assert "two_faces 4" in "".join(lines)
    with open_ledger(tmp_path / "drone_1") as store:
        assert find_decision(store, 1)[1].answer == "two_faces"
