# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Missions as processes: interrupted, killed, robbed of their leader, with none left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from swarm_ledger.audit.ledger import open_ledger
from swarm_ledger.envelope import Kind
from swarm_ledger.errors import Misuse
from swarm_ledger.sim.mission import Mission, prepare, utc_now
from swarm_ledger.sim.processes import Processes, commands, environment
from tests.patience import pause, until
from tests.system.command import Started, call, gone
from tests.system.conftest import needs

SLOW = ["--looks", 60]
"""So many looks that a mission takes six seconds from its question to its votes."""


def ledger_files(folder: Path) -> list[str]:
    """Return the names of what a ledger consists of: one file, once it has been closed."""
    return sorted(path.name for path in folder.glob("ledger.db*"))


def start(folder: Path, transport: str, *more: object) -> Started:
    needs(transport)
    return Started(["sim", "--transport", transport, "--run-dir", folder, "--seed", 5, *more])


@pytest.mark.parametrize(
    ("transport", "number"),
    [
        *(("zmq", number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)),
        *(("ros", number) for number in (signal.SIGINT, signal.SIGKILL)),
    ],
)
def test_nothing_outlives_its_supervisor(
    tmp_path: Path, transport: str, number: signal.Signals
) -> None:
    """SIGTERM ends the supervisor as SIGKILL does, which is seen over one transport."""
    with start(tmp_path / "run", transport, *SLOW) as mission:
        mission.until("question at height")
        children = mission.children()
        assert {f"drone_{n}" for n in range(1, 5)} <= children.keys()
        mission.process.send_signal(number)
        code = mission.end()
        assert code == (130 if number == signal.SIGINT else -number)
        assert gone(list(children.values())), "a child lives on"
    assert "Traceback" not in "".join(mission.said)
    for name in sorted(children):
        log = tmp_path / "run" / f"{name}.log"
        assert not log.exists() or "Traceback" not in log.read_text(), log.read_text()
    verified = [
        call("ledger", "verify", tmp_path / "run" / f"drone_{n}", "--json") for n in range(1, 5)
    ]
    assert [shown.code for shown in verified] == [0] * 4, verified
    assert max(shown.json["height"] for shown in verified) >= 1, "a question was on a ledger"
    if number == signal.SIGINT:
        assert ledger_files(tmp_path / "run" / "drone_1") == ["ledger.db"], "it wasn't closed"


@pytest.mark.parametrize("transport", ["zmq", "ros"])
def test_children_that_are_still_starting_do_not_outlive_it_either(
    tmp_path: Path, transport: str
) -> None:
    with start(tmp_path / "run", transport) as mission:
        mission.until("4 drones, 1 of them Byzantine")
        children: dict[str, int] = {}
        while "drone_4" not in children:
            assert mission.process.poll() is None
            pause()
            children = mission.children()
        mission.process.kill()
        mission.end()
        assert gone(list(children.values()))


@pytest.mark.slow(20)
@pytest.mark.parametrize(("transport", "victim"), [("zmq", "drone_3"), ("ros", "drone_1")])
def test_a_killed_drone_stops_neither_the_swarm_nor_its_own_ledger(
    tmp_path: Path, transport: str, victim: str
) -> None:
    """drone_1 leads in view 0: without it the others need a new view to go on.

    Who dies, and over what they speak, are judged apart from each other: two pairs have all. Over
    ZeroMQ a drill kills the leader, too.
    """
    folder = tmp_path / "run"
    with start(folder, transport, "--byzantine", 0, *SLOW, "--json") as mission:
        ready(folder, mission)
        os.kill(mission.children()[victim], signal.SIGKILL)
        code = mission.end()
    found = json.loads("".join(mission.said))
    assert code == 0, found
    assert found["lost"] == {victim: "SIGKILL"}
    assert found["decision"] is not None
    assert (found["agree"], found["verified"]) == (True, True)
    assert sum(found["votes"].values()) == 3, "the dead don't vote"
    shown = call("ledger", "verify", folder / victim, "--json")
    assert shown.code == 0, shown
    assert 1 <= shown.json["height"] < found["height"]
    others = [f"drone_{n}" for n in range(1, 5) if f"drone_{n}" != victim]
    for name in others:
        survivor = call("ledger", "verify", folder / name, "--json").json
        assert (survivor["root"], survivor["height"]) == (found["root"], found["height"])


def ready(folder: Path, mission: Started) -> None:
    """Wait until the question is on every drone's ledger."""
    for number in range(1, 5):
        drone = folder / f"drone_{number}"

        def runs() -> None:
            assert mission.process.poll() is None, mission.end()
            pause()

        until(f"{drone} has it", lambda drone=drone: asked(drone), runs)


def asked(folder: Path) -> bool:
    """Whether a question is on a drone's ledger."""
    with suppress(Misuse), open_ledger(folder) as store:
        return bool(store.find(Kind.QUESTION))
    return False


def test_a_mission_whose_drones_all_die_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with start(folder, "zmq", *SLOW, "--json") as mission:
        ready(folder, mission)
        drones = {n: pid for n, pid in mission.children().items() if n.startswith("drone_")}
        assert len(drones) == 4
        for pid in drones.values():
            os.kill(pid, signal.SIGKILL)
        code = mission.end()
    found = json.loads("".join(mission.said))
    assert code == 1
    assert len(found["lost"]) >= 3
    assert (found["decision"], found["agree"]) == (None, False)


def alone(folder: Path, transport: str, **more: Any) -> tuple[Mission, dict[str, str]]:
    needs(transport)
    mission = Mission(run_dir=folder, transport=transport, byzantine=0, **more)
    prepare(mission, now=utc_now())
    return mission, environment(mission)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("transport", "which"), [("zmq", "drone_2"), ("ros", "drone_2"), ("ros", "world")]
)
def test_each_process_ends_cleanly_when_asked(
    tmp_path: Path, transport: str, which: str, number: signal.Signals
) -> None:
    mission, surroundings = alone(tmp_path, transport)
    command = commands(mission)[which]
    with Processes(tmp_path, {which: command}, surroundings) as processes:
        if which == "world":
            wait_for_topic(surroundings)
        else:
            assert processes.next_event(60) is not None, (tmp_path / f"{which}.log").read_text()
        os.kill(processes.pids[which], number)
        while (event := processes.next_event(30)) is not None and event.event != "lost":
            pass
        assert event is not None, "it did not end"
    said = (tmp_path / f"{which}.log").read_text()
    assert event.fields["how"] == "exit 0", said
    assert "Traceback" not in said, said
    if which != "world":
        assert ledger_files(tmp_path / which) == ["ledger.db"], "the ledger was not closed"


_LISTENER = """
import rclpy
from nav_msgs.msg import Odometry
rclpy.init()
node = rclpy.create_node("listener")
heard = []
from rclpy.qos import qos_profile_sensor_data
node.create_subscription(Odometry, "/drone_2/odom", heard.append, qos_profile_sensor_data)
while not heard:
    rclpy.spin_once(node, timeout_sec=1.0)
"""


def wait_for_topic(surroundings: dict[str, str]) -> None:
    subprocess.run([sys.executable, "-c", _LISTENER], env=surroundings, timeout=60, check=True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--fleet", "nothing.yaml", "--drone", "drone_1"], "cannot read nothing.yaml"),
        (["--fleet", "fleet.yaml", "--drone", "drone_9"], "no drone 'drone_9'"),
    ],
)
def test_a_pilot_that_cannot_fly_says_why(
    tmp_path: Path, arguments: list[str], words: str
) -> None:
    _, surroundings = alone(tmp_path, "zmq")
    surroundings["PYTHONPATH"] = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-m", "swarm_ledger.sim.pilot", *arguments],
        env=surroundings,
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
        check=False,
    )
    said = done.stderr.decode()
    assert (done.returncode, done.stdout) == (1, b"")
    assert words in said
    assert "Traceback" not in said
