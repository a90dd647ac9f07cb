# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The launch files: against what they name, and under the real `ros2 launch` where it is."""

from __future__ import annotations

import configparser
import importlib.util
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
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import pytest

from swarm_ledger.ledger.store import Store
from swarm_ledger.nodes.tables import tables
from swarm_ledger.runtime.export import find_decision
from swarm_ledger.runtime.fleet import FLEET, LEDGER, Fleet
from swarm_ledger.sim.events import PARENT
from swarm_ledger.sim.ros_environment import ros_environment, ros_unavailable_reason

ROOT = Path(__file__).parents[2]
SIM = ROOT / "launch" / "sim.launch.py"
GIVEN = {
    "drones": "4",
    "byzantine": "1",
    "target": "cup",
    "seed": "0",
    "attack": "lie",
    "allow_unsafe": "false",
    "run_dir": "",
}
LIMIT_SECONDS = 120.0
ROS2 = [sys.executable, "-c", "import sys; from ros2cli.cli import main; sys.exit(main())"]


class Recorded:
    """Stands in for any class of launch: keeps what it was made with."""

    def __init__(self, *given: Any, **named: Any) -> None:
        self.given, self.named = given, named
        self.name = given[0] if given else ""


class Recording(ModuleType):
    """Stands in for any module of launch."""

    def __getattr__(self, name: str) -> type[Recorded]:
        return type(name, (Recorded,), {})


@pytest.fixture
def sim(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The launch file as a module, loaded without ROS 2."""
    imported = re.findall(r"^from (launch[\w.]*) import", SIM.read_text(), re.M)
    assert "launch_ros.actions" in imported
    for name in imported:
        monkeypatch.setitem(sys.modules, name, Recording(name))
    spec = importlib.util.spec_from_file_location("sim_launch", SIM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def declared_parameters(executable: str) -> set[str]:
    """Return the parameters that have to be given to an executable's nodes."""
    started = [table for table in tables().values() if executable in table.executables]
    assert started
    return {one.name for table in started for one in table.parameters if one.required}


def entry_points() -> dict[str, str]:
    """Return setup.py's executables, by name, as module:function."""
    listed = re.search(r'"console_scripts": \[(.*?)\]', (ROOT / "setup.py").read_text(), re.S)
    assert listed is not None
    parser = configparser.ConfigParser()
    parser.read_string("[all]\n" + "\n".join(re.findall(r'"([^"]+)"', listed[1])))
    return dict(parser["all"])


def test_nodes_are_what_the_package_has(sim: Any) -> None:
    started = sim.nodes(Path("/run/fleet.yaml"), ["drone_1", "drone_2"], {"A": "1"})
    package = ElementTree.parse(ROOT / "package.xml").getroot().findtext("name")
    executables = entry_points()
    for node in started:
        assert node.named["package"] == package
        module, function = executables[node.named["executable"]].split(":")
        assert f"def {function}(" in (ROOT / f"{module.replace('.', '/')}.py").read_text()
        (parameters,) = node.named["parameters"]
        assert set(parameters) == declared_parameters(node.named["executable"])
        assert parameters["fleet"].given == ("/run/fleet.yaml",)
        assert node.named["additional_env"] == {"A": "1"}
        assert "name" not in node.named  # it would name a process's nodes alike
    world, *drones = started
    assert world.named["executable"] == "world"
    assert "namespace" not in world.named
    assert "on_exit" in world.named
    for drone, name in zip(drones, ("drone_1", "drone_2"), strict=True):
        assert drone.named["namespace"] == f"/{name}"
        assert drone.named["parameters"][0]["drone"].given == (name,)


def test_arguments_are_described(sim: Any) -> None:
    (description,) = sim.generate_launch_description().given
    arguments = description[:-1]
    assert {argument.name: argument.named["default_value"] for argument in arguments} == GIVEN
    assert all(argument.named["description"] for argument in arguments)
    choices = {a.name: a.named["choices"] for a in arguments if "choices" in a.named}
    assert choices["target"] == ["cup", "two_faces"]
    assert choices["attack"] == ["lie", "equivocate", "silent"]


def test_page_on_ros2_has_the_arguments(sim: Any) -> None:
    page = (ROOT / "docs" / "ros2.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \|(?: `?(\w+)`?)? \|", page, re.M))
    assert {name: rows[name] for name in GIVEN} == GIVEN
    for argument in sim.ARGUMENTS:
        row = next(line for line in page.splitlines() if line.startswith(f"| `{argument.name}`"))
        choices = argument.named.get("choices", [])
        assert all(f"`{choice}`" in row for choice in choices)


def test_default_arguments_make_a_mission(sim: Any) -> None:
    mission = sim.mission(GIVEN)
    assert (mission.drones, mission.byzantine, mission.transport) == (4, 1, "ros")
    assert mission.run_dir.is_absolute()
    assert mission.run_dir.parent == Path.cwd() / "runs"
    assert sim.mission({**GIVEN, "run_dir": "/a/b", "seed": "7"}).run_dir == Path("/a/b")


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"drones": "3"}, "3 drones can't be flown. Take 4 to 100"),
        ({"drones": "four"}, "drones:=four is not a whole number."),
        ({"byzantine": "1.5"}, "byzantine:=1.5 is not a whole number."),
        ({"byzantine": "2"}, "or pass allow_unsafe to see it fail."),
        ({"seed": "-1"}, "the seed -1 is not from 0"),
        ({"target": "dog"}, "unknown target 'dog'."),
    ],
)
def test_bad_arguments_end_in_a_sentence(
    sim: Any, tmp_path: Path, wrong: dict[str, str], sentence: str
) -> None:
    context = Recorded()
    context.launch_configurations = {**GIVEN, "run_dir": str(tmp_path), **wrong}  # type: ignore[attr-defined]
    with pytest.raises(RuntimeError, match=re.escape(sentence)) as caught:
        sim.fly(context)
    assert caught.value.__cause__ is None
    assert "--" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_folder_with_a_run_is_left_alone(sim: Any, tmp_path: Path) -> None:
    (tmp_path / FLEET).write_text("mine")
    context = Recorded()
    context.launch_configurations = {**GIVEN, "run_dir": str(tmp_path)}  # type: ignore[attr-defined]
    with pytest.raises(RuntimeError, match=r"already holds a run. Give another run_dir\."):
        sim.fly(context)
    assert (tmp_path / FLEET).read_text() == "mine"


def test_flight_is_prepared(sim: Any, tmp_path: Path) -> None:
    context = Recorded()
    context.launch_configurations = {**GIVEN, "run_dir": str(tmp_path), "seed": "3"}  # type: ignore[attr-defined]
    started = [entity for entity in sim.fly(context) if "executable" in entity.named]
    fleet = Fleet.load(tmp_path / FLEET)
    assert [entry.name for entry in fleet.file.drones] == [
        node.named["parameters"][0]["drone"].given[0] for node in started[1:]
    ]
    assert fleet.file.world is not None
    assert (fleet.file.world.target, fleet.file.world.seed) == ("cup", 3)
    assert [entry.attack for entry in fleet.file.drones].count("lie") == 1


def test_nodes_know_their_parent_unless_a_debugger_is(sim: Any) -> None:
    context = Recorded()
    context.launch_configurations = dict(GIVEN)  # type: ignore[attr-defined]
    assert sim.environment(context)[PARENT] == str(os.getpid())
    context.launch_configurations["launch-prefix"] = "gdb --args"  # type: ignore[attr-defined]
    assert PARENT not in sim.environment(context)


def test_decisions_are_told(sim: Any) -> None:
    output = Recorded()
    output.text = (  # type: ignore[attr-defined]
        b'{"swarm_ledger": "decision", "drone": "drone_2", "fields": {"text": "It is a cup."}}\n'
        b'{"swarm_ledger": "status", "drone": "drone_2", "fields": {}}\n\xffnoise\n{"swarm_l'
    )
    assert [told.named["msg"] for told in sim.tell(output)] == ["drone_2: It is a cup."]


@dataclass(frozen=True)
class Installed:
    """The package as colcon installs it, in the environment to launch it in."""

    environment: dict[str, str]

    @contextmanager
    def launch(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """Start `ros2 launch` as a shell does, in its own process group; end what is left of it.

        Its input is a terminal, or else launch would pass an interrupt on a second time.
        """
        terminal, ours = os.openpty()
        child = subprocess.Popen(
            [*ROS2, "launch", "swarm_ledger", SIM.name, *arguments],
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


def test_launch_shows_its_arguments(installed: Installed) -> None:
    with installed.launch("--show-args") as child:
        shown, _ = child.communicate()
    assert child.returncode == 0, shown
    assert re.findall(r"^    '(\w+)':$", shown, re.M) == list(GIVEN)
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
    with installed.launch(f"run_dir:={tmp_path}", "target:=two_faces", "seed:=5") as child:
        lines = read_until(child, r"drone_\d: Decision 1 ", times=4)
        pids = children(lines)
        assert set(pids) == {"world", *(f"drone_{number}" for number in range(1, 5))}
        assert all(map(lives, pids.values()))
        os.killpg(child.pid, signal.SIGINT)
        rest, _ = child.communicate()
    assert not any(map(lives, pids.values()))
    assert rest.count("process has finished cleanly") == 5, rest
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
