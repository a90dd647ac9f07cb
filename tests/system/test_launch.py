# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The launch files under the real `ros2 launch`, where it is; see unit/test_launch_files.py."""

from __future__ import annotations

import os
import re
import select
import shlex
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from swarm_ledger.ledger.store import Store
from swarm_ledger.runtime.export import find_decision
from swarm_ledger.runtime.fleet import LEDGER
from tests.launching import FILES, ROOT, stand_ins
from tests.patience import until
from tests.system.launched import Installed, children, install, lives, read_until

README = (ROOT / "README.md").read_text()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    made = install(tmp_path_factory.mktemp("launch"))
    yield made
    made.ros2("daemon", "stop")  # which `ros2 node list` and others start


@pytest.mark.parametrize("file", FILES)
def test_launch_shows_its_arguments(installed: Installed, file: str) -> None:
    with installed.launch("--show-args", file=file) as child:
        shown, _ = child.communicate()
    assert child.returncode == 0, shown
    with stand_ins() as loader:
        arguments = loader.load(file).arguments
    assert re.findall(r"^    '(\w+)':$", shown, re.M) == [one.name for one in arguments]
    assert "No description given" not in shown


@pytest.mark.parametrize(
    ("argument", "sentence"),
    [
        ("drones:=3", "3 drones can't be flown."),
        ("target:=dog", 'Argument "target" provided value "dog" is not valid.'),
    ],
)
def test_launch_ends_with_a_sentence(
    installed: Installed, tmp_path: Path, argument: str, sentence: str
) -> None:
    with installed.launch(argument, f"run_dir:={tmp_path}") as child:
        shown, _ = child.communicate()
    assert child.returncode == 1
    assert sentence in shown
    assert "Traceback" not in shown
    assert children([shown]) == {}


@pytest.mark.slow
def test_launch_decides_and_ends_on_interrupt(installed: Installed, tmp_path: Path) -> None:
    given = (f"run_dir:={tmp_path}", "target:=two_faces", "seed:=5", "behaviour:=true")
    with installed.launch(*given) as child:
        lines = read_until(child, r"drone_\d: Decision 1 ", times=4)
        lines += read_until(child, r"drone_\d: clear$", times=4)
        pids = children(lines)
        names = [f"drone_{number}" for number in range(1, 5)]
        assert set(pids) == {"world", *names, *(f"{name}_pilot" for name in names)}
        assert all(map(lives, pids.values()))
        os.killpg(child.pid, signal.SIGINT)
        rest, _ = child.communicate()
    assert not any(map(lives, pids.values()))
    assert rest.count("process has finished cleanly") == 9, rest
    assert "Traceback" not in "".join(lines) + rest
    settled = set()
    for number in range(1, 5):
        store = Store.open(tmp_path / f"drone_{number}" / LEDGER, read_only=True)
        settled.add(find_decision(store, 1))
        store.close()
    ((_, decided),) = settled  # the same for all, at the same place of their logs
    assert decided.decision.voters == 4
    assert decided.text in "".join(lines)


@pytest.mark.slow
def test_launch_ends_with_its_world(installed: Installed, tmp_path: Path) -> None:
    with installed.launch(f"run_dir:={tmp_path}") as child:
        pids = children(read_until(child, "process started", times=5))
        os.kill(pids["world"], signal.SIGKILL)
        rest, _ = child.communicate()
    assert "process[world-1] was required: shutting down" in rest
    assert not any(map(lives, pids.values()))


@pytest.mark.slow
def test_nothing_outlives_a_killed_launch(installed: Installed, tmp_path: Path) -> None:
    with installed.launch(f"run_dir:={tmp_path}") as child:
        pids = children(read_until(child, r"drone_\d: Decision 1 ", times=1))
        watched = [os.pidfd_open(pid) for pid in pids.values()]
        os.kill(child.pid, signal.SIGKILL)
        ended = [select.select([handle], [], [], 20.0)[0] for handle in watched]
        for handle in watched:
            os.close(handle)
    assert len(ended) == 5
    assert all(ended)


@pytest.mark.slow
def test_the_readme_can_be_followed(installed: Installed, tmp_path: Path) -> None:
    shown = re.search(r"<!-- ros2:begin -->\n```console\n(.*?)```", README, re.S)
    assert shown is not None
    launch, *others = [shlex.split(line[2:]) for line in shown[1].splitlines()]
    assert launch[:3] == ["ros2", "launch", "swarm_ledger"]
    said = {}
    with installed.launch(*launch[4:], f"run_dir:={tmp_path}", file=launch[3]) as child:
        read_until(child, r"drone_\d: clear$", times=4)
        for command in others:
            done = installed.ros2(*command[1:])
            assert done.returncode == 0, (command, done.stdout, done.stderr)
            said[" ".join(command[1:3]), command[-1]] = done.stdout
        read_until(child, "drone_1: waiting", times=1)
        nodes = {"/drone_1/drone", "/drone_4/perception", "/drone_4/pilot", "/world"}
        until(  # the daemon that the first of these commands starts has to discover them
            "all nodes are listed",
            lambda: nodes <= set(installed.ros2("node", "list").stdout.split()),
        )
    assert "label: two_faces" in said["topic echo", "/swarm/decisions"]
    assert "child_frame_id: drone_1/base_link" in said["topic echo", "/drone_1/odom"]
    assert re.search(
        r"string\S*\s+label\b", said["interface show", "swarm_interfaces/msg/Decision"]
    )
    asked = next(said[name] for name in said if name[0] == "action send_goal")
    assert "label: two_faces" in asked, asked
    assert "error_code: 0" in asked
    assert "c2sp.org/tlog-proof@v1" in asked
    assert "active" in said["lifecycle get", "/drone_1/drone"]
    assert "1.0" in said["param get", "separation"]
