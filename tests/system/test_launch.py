# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The launch files under the real `ros2 launch`, where it is; see unit/test_launch_files.py."""

from __future__ import annotations

import os
import re
import select
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

from swarm_ledger.ledger.store import Store
from swarm_ledger.runtime.export import find_decision
from swarm_ledger.runtime.fleet import LEDGER
from swarm_ledger.sim.ros_environment import ros_environment, ros_unavailable_reason
from tests.launching import FILES, ROOT, stand_ins

SIM = "sim.launch.py"
LIMIT_SECONDS = 240.0
ROS2 = [sys.executable, "-c", "import sys; from ros2cli.cli import main; sys.exit(main())"]


@dataclass(frozen=True)
class Installed:
    """The package as colcon installs it, in the environment to launch it in."""

    environment: dict[str, str]

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


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
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
    folder = tmp_path_factory.mktemp("launch")
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
