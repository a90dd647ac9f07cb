# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A relay beside a swarm over ROS: what it signed is anchored, whoever is restarted in between."""

from __future__ import annotations

import importlib.util
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from swarm_ledger.runtime.courier import WANTED
from swarm_ledger.sim.mission import Mission, prepare, utc_now
from swarm_ledger.sim.processes import Processes, commands, environment
from tests.bags import write_bag
from tests.patience import PATIENCE_S, until
from tests.system.command import call
from tests.system.conftest import needs
from tests.system.test_ros_relay import node

_RECORDER = """
import sys, time
import rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy
from swarm_interfaces.msg import SignedMessage

rclpy.init()
recorder = rclpy.create_node("recorder")
many = QoSProfile(depth=1000, reliability=ReliabilityPolicy.RELIABLE)
hear = lambda raw: print(raw.hex(), flush=True)
recorder.create_subscription(SignedMessage, "/swarm/signed", hear, many, raw=True)
print("ready", flush=True)
deadline = time.monotonic() + 4 * float(sys.argv[1])
while time.monotonic() < deadline:
    rclpy.spin_once(recorder, timeout_sec=0.2)
"""


class Company:
    """The processes of a swarm, and what happened to whom."""

    def __init__(self, processes: Processes) -> None:
        self.processes = processes

    def until(self, holds: Callable[[str, str, dict[str, Any]], bool]) -> None:
        """Wait for an event."""
        held = False

        def take() -> None:
            nonlocal held
            event = self.processes.next_event(PATIENCE_S)
            held = event is not None and holds(event.drone, event.event, event.fields)

        until("it has happened", lambda: held, take)

    def until_anchored(self, sequence: int, *at: str) -> None:
        """Wait until each of those holds an anchor, in any order."""
        missing = set(at)

        def all_do(drone: str, event: str, fields: dict[str, Any]) -> bool:
            if (event, fields.get("sequence")) == ("anchor", sequence):
                missing.discard(drone)
            return not missing

        self.until(all_do)


def test_anchored_whoever_restarts(tmp_path: Path) -> None:
    needs("ros")
    mission = Mission(run_dir=tmp_path, transport="ros", byzantine=0, seed=5)
    prepare(mission, now=utc_now())
    env = environment(mission)
    given = {
        "fleet": tmp_path / "fleet.yaml",
        "drone": "drone_1",
        "topics": "['/drone_1/odom']",
        "anchor_ms": 12_000,
    }
    script = [sys.executable, "-c", _RECORDER, str(PATIENCE_S)]
    with ExitStack() as running:
        recorder = running.enter_context(subprocess.Popen(script, env=env, stdout=subprocess.PIPE))
        running.callback(recorder.kill)
        assert recorder.stdout is not None
        assert recorder.stdout.readline() == b"ready\n"
        processes = running.enter_context(Processes(tmp_path, commands(mission), env))
        company = Company(processes)
        company.until(lambda drone, event, _: (drone, event) == ("drone_1", "decision"))
        recorded: list[bytes] = []
        with node("relay", given, env):
            while len(recorded) < 15:
                recorded.append(recorder.stdout.readline())
        company.until_anchored(1, "drone_2")  # it was handed in as the relay ended
        with node("relay", given, env):
            count = len(recorded)
            while len(recorded) < count + 15:
                recorded.append(recorder.stdout.readline())
            processes.send("drone_1", signal.SIGKILL)
            company.until(lambda drone, event, _: (drone, event) == ("drone_1", "lost"))
        assert (tmp_path / "drone_1" / WANTED).exists()
        processes.start("drone_1")
        company.until_anchored(2, "drone_1", "drone_2")
        company.until(
            lambda drone, event, fields: (
                (drone, event) == ("drone_2", "status") and fields["stable"] == fields["height"]
            )
        )
        recorder.send_signal(signal.SIGKILL)
        recorded += recorder.stdout.readlines()
    for name in mission.names():
        assert call("ledger", "verify", tmp_path / name).code == 0
    shown = call("ledger", "show", tmp_path / "drone_2", "--last", 1000, "--json").json
    assert sum(block["kinds"].get("anchor", 0) for block in shown["blocks"]) == 2
    if importlib.util.find_spec("rosbags"):
        _check(tmp_path, [bytes.fromhex(line.decode()) for line in recorded])


def _check(folder: Path, raws: list[bytes]) -> None:
    """The bag and the ledger of another drone fit together."""
    words = ("--roster", folder / "roster", "--ledger", folder / "drone_2", "--json")
    said = call("relay", "verify", write_bag(folder / "bag", raws), *words)
    found = said.json
    assert [one["sequence"] for one in found["anchors"]] == [1, 2]
    odom = next(one for one in found["topics"] if one["topic"] == "/drone_1/odom")
    # DDS may match the second relay's recorder only after that relay has begun: what was signed
    # before was never recorded, and is found missing. All else has to fit.
    unheard = odom["missing"]["middle"]
    assert (said.code, found["whole"]) == (int(unheard > 0), unheard == 0), json.dumps(found)
    assert odom["contradicted"] == odom["missing"]["end"] == 0, odom
    assert odom["recorded"] >= 20
    assert odom["anchored"] + odom["unproven"] + odom["not_anchored"] == odom["recorded"]
    assert odom["anchored"] > 0


def test_a_relay_that_would_anchor_too_often(tmp_path: Path) -> None:
    needs("ros")
    mission = Mission(run_dir=tmp_path, transport="ros", byzantine=0)
    prepare(mission, now=utc_now())
    given = {"fleet": tmp_path / "fleet.yaml", "drone": "drone_1", "anchor_ms": 5_000}
    arguments = [part for name, value in given.items() for part in ("-p", f"{name}:={value}")]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "swarm_ledger.nodes.relay", "--ros-args", *arguments),
            *("-p", "topics:=['a']"),
        ],
        env=environment(mission),
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 1
    assert b"anchor_ms is 5000" in done.stderr
    assert b"Traceback" not in done.stderr
