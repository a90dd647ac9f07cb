# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Child processes of a mission: heard, lost, stopped; with children of a few lines."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from swarm_ledger.errors import Misuse
from swarm_ledger.sim import processes
from swarm_ledger.sim.events import PARENT, Event
from swarm_ledger.sim.mission import Mission
from swarm_ledger.sim.processes import Processes, commands, environment

_SAY = "from swarm_ledger.sim.events import StdoutEvents; say = StdoutEvents('a'); "
WAIT = _SAY + "import signal; say('up', {}); signal.pause()"
STUBBORN = _SAY + (
    "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); say('up', {}); "
    "[signal.pause() for _ in iter(int, 1)]"
)


def children(folder: Path, **code: str) -> Processes:
    return Processes(folder, {name: ["-c", text] for name, text in code.items()}, os.environ)


def following(running: Processes, word: str) -> Event:
    while (event := running.next_event(30)) is not None:
        if event.event == word:
            return event
    raise AssertionError(f"no {word} came")


def test_children_are_heard_and_their_stderr_is_kept(tmp_path: Path) -> None:
    text = (
        _SAY + "import sys; print('noise'); print('why', file=sys.stderr); say('hello', {'n': 1})"
    )
    with children(tmp_path, a=text) as running:
        assert following(running, "hello") == Event("a", "hello", {"n": 1})
        assert following(running, "lost") == Event("a", "lost", {"how": "exit 0"})
    assert (tmp_path / "a.log").read_text() == "why\n"


@pytest.mark.parametrize(
    ("text", "how"),
    [
        ("raise SystemExit(3)", "exit 3"),
        ("import os; os.kill(os.getpid(), 9)", "SIGKILL"),
        ("import os; os.abort()", "SIGABRT"),
    ],
)
def test_it_is_told_how_a_child_was_lost(tmp_path: Path, text: str, how: str) -> None:
    with children(tmp_path, b=text) as running:
        assert following(running, "lost") == Event("b", "lost", {"how": how})


def test_leaving_ends_all_children_and_calls_none_lost(tmp_path: Path) -> None:
    with children(tmp_path, a=WAIT, b=WAIT) as running:
        for _ in range(2):
            following(running, "up")
        pids = list(running.pids.values())
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert running.next_event(0) is None


def test_a_child_that_does_not_listen_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_STOP_SECONDS", 0.2)
    with children(tmp_path, a=STUBBORN) as running:
        following(running, "up")
        (pid,) = running.pids.values()
    assert not Path(f"/proc/{pid}").exists()


def test_children_know_who_started_them(tmp_path: Path) -> None:
    text = _SAY + f"import os; say('parent', {{'pid': os.environ['{PARENT}']}})"
    with children(tmp_path, a=text) as running:
        assert following(running, "parent").fields == {"pid": str(os.getpid())}


def test_a_terminal_s_ctrl_c_reaches_the_supervisor_alone(tmp_path: Path) -> None:
    """Children end when the supervisor says so, in order, not all at once with it."""
    with children(tmp_path, a=WAIT) as running:
        following(running, "up")
        (pid,) = running.pids.values()
        assert os.getpgid(pid) != os.getpgrp()
        os.kill(pid, signal.SIGTERM)
        assert following(running, "lost").fields == {"how": "SIGTERM"}


def test_a_start_that_fails_leaves_no_child(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        children(tmp_path / "nowhere", a=WAIT)


def test_a_child_that_was_killed_starts_again(tmp_path: Path) -> None:
    text = _SAY + "import sys; print('up', file=sys.stderr); " + WAIT
    with children(tmp_path, a=text, b=WAIT) as running:
        first = running.pids["a"]
        assert following(running, "up").event == following(running, "up").event == "up"
        with pytest.raises(Misuse, match="a runs already"):
            running.start("a")
        running.send("a", signal.SIGKILL)
        assert following(running, "lost").fields == {"how": "SIGKILL"}
        running.start("a")
        following(running, "up")
        assert running.pids["a"] != first
        assert (tmp_path / "a.log").read_text() == "up\nup\n", "its log goes on"


def test_every_drone_has_a_process_and_ros_a_world(tmp_path: Path) -> None:
    zmq = commands(Mission(run_dir=tmp_path, transport="zmq", drones=5))
    ros = commands(Mission(run_dir=tmp_path, transport="ros", drones=5))
    assert set(zmq) == {f"drone_{n}" for n in range(1, 6)}
    assert set(ros) == {*zmq, "world"}
    assert all(zmq[name][-1] == name for name in zmq)


def test_missions_on_ros_are_kept_to_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "ros_environment", lambda: {"ROS_DOMAIN_ID": "7"})
    mission = Mission(run_dir=tmp_path, transport="ros")
    found = [environment(mission) for _ in range(5)]
    assert len({one["ROS_DOMAIN_ID"] for one in found}) == 5
    assert {one["ROS_AUTOMATIC_DISCOVERY_RANGE"] for one in found} == {"LOCALHOST"}
    monkeypatch.setattr(processes, "ros_environment", lambda: None)
    with pytest.raises(Misuse):
        environment(mission)
