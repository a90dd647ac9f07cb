# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What drones' nodes tell on /diagnostics about one another's clocks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from swarm_ledger.sim.mission import Mission, prepare, utc_now
from swarm_ledger.sim.processes import Processes, commands, environment
from tests.patience import PATIENCE_S
from tests.system.conftest import needs

_LISTENER = """
import json, sys, time
import rclpy
from diagnostic_msgs.msg import DiagnosticArray

rclpy.init()
node = rclpy.create_node("listener")
told = {}

def hear(message):
    for status in message.status:
        if not status.name.endswith(": clocks"):
            continue
        values = {pair.key: pair.value for pair in status.values}
        told[status.name] = [int.from_bytes(status.level, "big"), status.hardware_id, values]

node.create_subscription(DiagnosticArray, "/diagnostics", hear, 100)
print("listening", flush=True)
deadline = time.monotonic() + float(sys.argv[1])
whole = lambda: len(told) == 4 and all(len(values) == 6 for _, _, values in told.values())
while not whole() and time.monotonic() < deadline:
    rclpy.spin_once(node, timeout_sec=0.2)
print(json.dumps(told))
"""


def test_clocks_on_diagnostics(tmp_path: Path) -> None:
    needs("ros")
    mission = Mission(run_dir=tmp_path, transport="ros", byzantine=0, seed=5)
    fleet = prepare(mission, now=utc_now())
    env = environment(mission)
    with subprocess.Popen(
        [sys.executable, "-c", _LISTENER, str(PATIENCE_S)], env=env, stdout=subprocess.PIPE
    ) as listener:
        assert listener.stdout is not None
        assert listener.stdout.readline() == b"listening\n"
        with Processes(tmp_path, commands(mission), env):
            told = json.loads(listener.stdout.read())
        assert listener.wait(PATIENCE_S) == 0
    names = mission.names()
    assert told.keys() == {f"drone: {name}: clocks" for name in names}
    for name in names:
        _, hardware, values = told[f"drone: {name}: clocks"]
        assert hardware == fleet.roster.named(name).drone_id
        for peer in set(names) - {name}:
            ahead, error = (int(values[f"{peer} {what}"]) for what in ("ahead_ms", "error_ms"))
            assert abs(ahead) <= error  # one clock for all of them here
