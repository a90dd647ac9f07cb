# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The prover and the observer as processes over ROS 2: what holds is published, a fork not."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from swarm_ledger.identity.trust import write_files
from swarm_ledger.identity.tuf import ROOT, ROSTER, TARGETS
from swarm_ledger.light_client.follower import load
from swarm_ledger.sim.mission import Mission
from swarm_ledger.sim.processes import environment
from tests.crew import T0_S, Crew
from tests.light import FIRST_FOUR, decided
from tests.system.command import PATIENCE_S
from tests.system.conftest import needs
from tests.system.test_ros_relay import node

_TESTER = """
import array, itertools, json, sys, time
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.qos import DurabilityPolicy, QoSProfile
from rosgraph_msgs.msg import Clock
from swarm_interfaces.msg import Decision
from swarm_interfaces.srv import GetProof

rclpy.init()
node = rclpy.create_node("tester")
clock = node.create_publisher(Clock, "/clock", 10)
latched = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
decisions, told, tenths_s = [], [], itertools.count(10 * int(sys.argv[2]))
node.create_subscription(Decision, "verified_decisions", decisions.append, latched)
node.create_subscription(DiagnosticArray, "/diagnostics", lambda m: told.extend(m.status), 10)
client = node.create_client(GetProof, "get_proof")


def until(holds):
    deadline = time.monotonic() + 2 * float(sys.argv[1])
    while not holds():
        assert time.monotonic() < deadline, "not in time"
        now = Clock()
        now.clock.sec, tenths = divmod(next(tenths_s), 10)
        now.clock.nanosec = tenths * 100_000_000
        clock.publish(now)
        rclpy.spin_once(node, timeout_sec=0.05)


until(client.service_is_ready)
junk = client.call_async(GetProof.Request(request=array.array("B", b"junk")))
until(junk.done)
print(json.dumps(bytes(junk.result().answer)[:3].hex()), flush=True)
until(lambda: decisions)
print(json.dumps([decisions[0].number, decisions[0].label, decisions[0].ledger_index]), flush=True)
sys.stdin.readline()
level = lambda status: int.from_bytes(status.level, "big")
until(lambda: any(level(status) == 2 for status in told))
error = next(status for status in told if level(status) == 2)
print(json.dumps([error.name, error.message, len(decisions)]), flush=True)
"""


def test_a_ledger_is_followed_over_ros_until_it_forks(tmp_path: Path) -> None:
    needs("ros")
    crew = Crew()
    root, (targets, roster) = crew.anchor
    write_files(tmp_path / "roster", {ROOT: root, ROSTER: roster, TARGETS: targets})
    honest = decided(crew, tmp_path / "drone_1")
    other = decided(crew, tmp_path / "liars", *FIRST_FOUR[1:], "drone_1")
    for mark, one in enumerate((honest, other)):
        one.blocks(1, mark)
        one.checkpoint()
        one.close()
    env = environment(Mission(run_dir=tmp_path, transport="ros", byzantine=0))
    script = [sys.executable, "-c", _TESTER, str(PATIENCE_S), str(T0_S)]
    state = tmp_path / "state"
    light = {"root": tmp_path / "roster" / ROOT, "state": state, "every_ms": 200}
    with ExitStack() as running:
        tester = running.enter_context(
            subprocess.Popen(script, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        )
        running.callback(tester.kill)
        assert tester.stdin is not None
        assert tester.stdout is not None
        served = {"ledger": tmp_path / "drone_1", "roster": tmp_path / "roster"}
        running.enter_context(node("prover", served, env))
        running.enter_context(node("observer", {**light, "use_sim_time": "true"}, env))
        assert json.loads(tester.stdout.readline()) == "830201"  # a refusal: a bad request
        number, label, index = json.loads(tester.stdout.readline())
        assert (number, label) == (1, "cup")
        known = load(root, state.read_bytes()).checkpoint
        assert index < known.size
        (tmp_path / "liars" / "ledger.db").replace(tmp_path / "drone_1" / "ledger.db")
        tester.stdin.write(b"go on\n")
        tester.stdin.flush()
        name, said, decisions = json.loads(tester.stdout.readline())
        assert tester.wait(PATIENCE_S) == 0
    assert (name, decisions) == ("observer: ledger", 1)
    assert "two logs" in said
    assert (tmp_path / "state.fork" / "claimed.note").exists()
    assert load(root, state.read_bytes()).checkpoint == known


@pytest.mark.parametrize(
    ("module", "parameters", "words"),
    [
        ("prover", [], "ledger of /prover is not set"),
        ("prover", ["ledger:=/nowhere", "roster:=/nowhere"], "cannot read /nowhere/root.json"),
        ("observer", ["root:=/nowhere", "state:=/nowhere"], "cannot read /nowhere"),
    ],
)
def test_a_node_refuses_what_it_can_not_use(
    module: str, parameters: list[str], words: str, tmp_path: Path
) -> None:
    needs("ros")
    arguments = [part for word in parameters for part in ("-p", word)]
    done = subprocess.run(
        [sys.executable, "-m", f"swarm_ledger.nodes.{module}", "--ros-args", *arguments],
        env=environment(Mission(run_dir=tmp_path, transport="ros", byzantine=0)),
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 1, done
    assert words in done.stderr.decode()
    assert b"Traceback" not in done.stderr
