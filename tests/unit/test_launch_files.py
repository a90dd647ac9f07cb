# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The launch files against what they name: nodes, parameters, files, models, topics, the page."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from swarm_ledger.errors import Misuse
from swarm_ledger.runtime.fleet import FLEET, LEDGER, Fleet
from swarm_ledger.sim import gazebo
from swarm_ledger.sim.events import PARENT
from swarm_ledger.sim.mission import Mission, prepare, utc_now
from tests.launching import (
    FILES,
    ROOT,
    Launch,
    Loader,
    Recorded,
    entry_points,
    named,
    nodes,
    parameters_of,
    stand_ins,
    values,
)

SIM, GAZEBO, DRONE = "sim.launch.py", "gazebo.launch.py", "drone.launch.py"
REPLAY, STATION, RELAY = "replay.launch.py", "ground_station.launch.py", "relay.launch.py"
PAGE = (ROOT / "docs" / "ros2.md").read_text()
THEIRS = {"ros_gz_sim", "ros_gz_bridge", "rviz2"}


@pytest.fixture
def loader() -> Iterator[Loader]:
    with stand_ins() as found:
        yield found


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    mission = Mission(run_dir=tmp_path / "swarm", transport="memory")
    prepare(mission, now=utc_now())
    return mission.run_dir / FLEET


def launched(loader: Loader, file: str, tmp_path: Path, swarm: Path, **given: str) -> list[Any]:
    """Start a launch file with what it has to be given."""
    loader.index.installed |= {"ros_gz_sim", "ros_gz_bridge", "rviz2"}
    needed = {
        SIM: {"run_dir": str(tmp_path / "run")},
        GAZEBO: {"run_dir": str(tmp_path / "run")},
        DRONE: {"fleet": str(swarm), "drone": "drone_2"},
        REPLAY: {"bag": str(tmp_path), "run_dir": str(tmp_path / "run")},
        STATION: {"fleet": str(swarm), "operator": "file:operator_1/key.pem"},
        RELAY: {"fleet": str(swarm), "drone": "drone_2", "topics": "odom"},
    }[file]
    return loader.load(file).start(**{**needed, **given})


MOST = {
    SIM: {"behaviour": "true", "record": "true", "rviz": "true", "ground_station": "true"},
    GAZEBO: {"record": "true", "rviz": "true", "ground_station": "true"},
    DRONE: {"behaviour": "true", "record": "bag"},
    REPLAY: {"rviz": "true"},
    STATION: {"rviz": "true"},
    RELAY: {"receive": "true", "batched": "camera/image, /tf"},
}


def test_every_launch_file_is_tested() -> None:
    assert sorted(MOST) == FILES


@pytest.mark.parametrize("file", FILES)
def test_nodes_are_what_the_package_has(
    file: str, loader: Loader, tmp_path: Path, fleet: Path
) -> None:
    started = nodes(launched(loader, file, tmp_path, fleet, **MOST[file]))
    package = ElementTree.parse(ROOT / "package.xml").getroot().findtext("name")
    executables = entry_points()
    assert started
    for node in started:
        assert "name" not in node  # it would name a process's nodes alike
        if node["package"] in THEIRS:
            continue
        assert node["package"] == package
        module, function = executables[node["executable"]].split(":")
        assert f"def {function}(" in (ROOT / f"{module.replace('.', '/')}.py").read_text()
        given, (known, required) = values(node), parameters_of(node["executable"])
        assert required <= given.keys() <= known | {"use_sim_time"}
        assert all(value != [] for value in given.values())  # ROS has no empty list of texts
        assert node["additional_env"]["OMP_NUM_THREADS"] == "1"
        assert node["additional_env"][PARENT] == str(os.getpid())


@pytest.mark.parametrize("file", FILES)
def test_arguments_are_described_here_and_on_the_page(file: str, loader: Loader) -> None:
    launch = loader.load(file)
    section = re.split(r"^#+ ", PAGE.split(f"### {file}")[1], flags=re.M)[0]
    rows = re.findall(r"^\| `(\w+)` \|(?: `?([^|`]*?)`?)? \| (.*) \|$", section, re.M)
    assert [name for name, _, _ in rows] == [one.name for one in launch.arguments]
    for argument, (name, default, told) in zip(launch.arguments, rows, strict=True):
        assert argument.named["description"].endswith(".")
        assert default == launch.defaults.get(name, "to be given"), name
        choices = argument.named.get("choices", [])
        flags = choices == ["false", "true"]
        assert flags or all(f"`{choice}`" in told for choice in choices), name


@pytest.mark.parametrize("file", FILES)
def test_files_and_models_that_are_named_exist(file: str) -> None:
    text = (ROOT / "launch" / file).read_text()
    for path in re.findall(r'"((?:models|config)/[\w./]+)"', text):
        assert (ROOT / path).is_file(), path
    for other in re.findall(r"(\w+\.launch\.py)", text):
        assert other in {*FILES, "gz_sim.launch.py"}


def test_world_and_drones_share_the_fleet_file(
    loader: Loader, tmp_path: Path, fleet: Path
) -> None:
    started = launched(loader, SIM, tmp_path, fleet, seed="3", behaviour="true")
    (world,) = named(started, "world")
    assert "namespace" not in world
    assert "on_exit" in world  # the launch's end
    laid_out = Fleet.load(tmp_path / "run" / FLEET)
    assert laid_out.file.world is not None
    assert (laid_out.file.world.target, laid_out.file.world.seed) == ("cup", 3)
    assert [entry.attack for entry in laid_out.file.drones].count("lie") == 1
    for executable in ("drone", "pilot"):
        flown = named(started, executable)
        assert [values(one)["drone"] for one in flown] == [
            entry.name for entry in laid_out.file.drones
        ]
        for one in flown:
            given = values(one)
            assert one["namespace"] == f"/{given['drone']}"
            assert given["fleet"] == values(world)["fleet"] == str(laid_out.path)
            assert "use_sim_time" not in given


def test_all_follow_the_worlds_clock(loader: Loader, tmp_path: Path, fleet: Path) -> None:
    started = launched(loader, SIM, tmp_path, fleet, sim_time="true", **MOST[SIM])
    (world,) = named(started, "world")
    assert values(world)["drive_clock"] is True
    others = [one for one in nodes(started) if one is not world]
    assert others
    assert all(values(one)["use_sim_time"] is True for one in others)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"drones": "3"}, "3 drones can't be flown. Take 4 to 100"),
        ({"drones": "four"}, "drones:=four is not a whole number."),
        ({"byzantine": "1.5"}, "byzantine:=1.5 is not a whole number."),
        ({"byzantine": "2"}, "or pass allow_unsafe to see it fail."),
        ({"seed": "-1"}, "the seed -1 is not from 0"),
        ({"target": "dog"}, "unknown target 'dog'."),
        ({"keys": "paper"}, "unknown key store 'paper'."),
        ({"transport": "memory"}, "unknown transport 'memory'. Take ros or zmq."),
    ],
)
@pytest.mark.parametrize("file", [SIM, GAZEBO])
def test_bad_arguments_end_in_a_sentence(
    file: str, loader: Loader, tmp_path: Path, fleet: Path, wrong: dict[str, str], sentence: str
) -> None:
    with pytest.raises(RuntimeError, match=re.escape(sentence)) as caught:
        launched(loader, file, tmp_path, fleet, **wrong)
    assert caught.value.__cause__ is None
    assert "--" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_folder_with_a_run_is_left_alone(loader: Loader, tmp_path: Path, fleet: Path) -> None:
    (tmp_path / FLEET).write_text("mine")
    with pytest.raises(RuntimeError, match=r"already holds a run. Give another run_dir\."):
        launched(loader, SIM, tmp_path, fleet, run_dir=str(tmp_path))
    assert (tmp_path / FLEET).read_text() == "mine"


def test_a_new_run_is_in_runs(
    loader: Loader, tmp_path: Path, fleet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    launched(loader, SIM, tmp_path, fleet, run_dir="")
    (made,) = (tmp_path / "runs").glob("*-cup-0")
    assert (made / FLEET).is_file()


@pytest.mark.parametrize(("file", "package"), [(SIM, "rviz2"), (GAZEBO, "ros_gz_sim")])
def test_what_is_not_installed_is_told(
    file: str, package: str, loader: Loader, tmp_path: Path
) -> None:
    launch = loader.load(file)
    with pytest.raises(RuntimeError, match=f"the ROS package {package} is not installed"):
        launch.start(rviz="true", run_dir=str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_a_debugger_is_the_parent_of_what_it_debugs(loader: Loader, tmp_path: Path) -> None:
    launch = loader.load(SIM)
    context = Recorded()
    given = {**launch.defaults, "run_dir": str(tmp_path / "run"), "launch-prefix": "gdb --args"}
    context.launch_configurations = given  # type: ignore[attr-defined]
    function = launch._opaque.named["function"]
    assert all(PARENT not in node["additional_env"] for node in nodes(function(context)))


def told(started: list[Any], text: bytes) -> list[str]:
    """Return what is printed of an output by a launch's handlers."""
    output = Recorded()
    output.text = text  # type: ignore[attr-defined]
    said: list[Any] = []
    for one in started:
        for handler in one.given:
            hear = getattr(handler, "named", {}).get("on_stdout")
            said += hear(output) if hear else []
    return [one.named["msg"] for one in said if "msg" in one.named]


def test_decisions_and_flights_are_told(loader: Loader, tmp_path: Path, fleet: Path) -> None:
    lines = (
        b'{"swarm_ledger": "decision", "drone": "drone_2", "fields": {"text": "It is a cup."}}\n'
        b'{"swarm_ledger": "status", "drone": "drone_2", "fields": {}}\n\xffnoise\n{"swarm_l\n'
        b'{"swarm_ledger": "flight", "drone": "drone_3", "fields": {"text": "near"}}\n'
    )
    started = launched(loader, SIM, tmp_path, fleet)
    assert told(started, lines) == ["drone_2: It is a cup.", "drone_3: near"]


def test_gazebo_has_a_model_a_bridge_and_a_pilot_for_each_drone(
    loader: Loader, tmp_path: Path, fleet: Path
) -> None:
    started = launched(loader, GAZEBO, tmp_path, fleet, target="rubin_vase", headless="true")
    spawned = [
        dict(zip(*[iter(one["arguments"])] * 2, strict=True)) for one in named(started, "create")
    ]
    names = [f"drone_{number}" for number in range(1, 5)]
    assert [one["-name"] for one in spawned] == ["target", *names]
    world = gazebo.world_name(ROOT / "models" / "worlds" / "swarm.sdf")
    assert {one["-world"] for one in spawned} == {world}
    for one in spawned[1:]:
        assert one["-string"].count(f"<robotNamespace>{one['-name']}</") == 5
        assert {"-x", "-y", "-z", "-Y"} <= one.keys()
    (bridge,) = named(started, "parameter_bridge")
    carried = yaml.safe_load(Path(bridge["parameters"][0]["config_file"]).read_text())
    assert carried == gazebo.bridge(names)
    assert [values(one)["drone"] for one in named(started, "pilot")] == names
    (included,) = [one for one in started if "launch_arguments" in one.named]
    arguments = dict(included.named["launch_arguments"])
    assert "-s --headless-rendering" in arguments["gz_args"]
    assert arguments["gz_args"].endswith("models/worlds/swarm.sdf")


def test_in_gazebo_drones_start_once_all_pilots_hold(
    loader: Loader, tmp_path: Path, fleet: Path
) -> None:
    launch = loader.load(GAZEBO)
    loader.index.installed |= {"ros_gz_sim", "ros_gz_bridge"}
    started = launch.start(run_dir=str(tmp_path / "run"))
    assert not named(started, "drone")
    gathering: Any = launch.module.Gathering(["a", "b"], ["start"])  # type: ignore[attr-defined]
    output = Recorded()
    for drone, text, then in [
        ("a", "holding", []),
        ("a", "holding", []),
        ("b", "rising", []),
        ("b", "holding", ["start"]),
        ("b", "holding", []),
    ]:
        line = f'{{"swarm_ledger": "flight", "drone": "{drone}", "fields": {{"text": "{text}"}}}}'
        output.text = line.encode()  # type: ignore[attr-defined]
        assert gathering.hear(output) == then
    assert gathering.begin() == []
    circling = launch.start(run_dir=str(tmp_path / "other"), behaviour="false")
    assert len(named(circling, "drone")) == 4
    assert not named(circling, "pilot")


@pytest.mark.parametrize("text", ["", "<sdf version='1.9'/>", "<sdf><world/></sdf>", None])
def test_a_file_that_is_no_world_is_refused(
    text: str | None, loader: Loader, tmp_path: Path, fleet: Path
) -> None:
    world = tmp_path / "world.sdf"
    if text is not None:
        world.write_text(text)
    with pytest.raises(RuntimeError, match=r"has no world|can't be read as SDF|there is no"):
        launched(loader, GAZEBO, tmp_path, fleet, world=str(world))


def test_one_real_drone_with_its_own_topics(loader: Loader, tmp_path: Path, fleet: Path) -> None:
    parameters = tmp_path / "more.yaml"
    parameters.write_text("{}")
    given = {"camera": "/cam", "odom": "/mavros/odom", "respawn": "true", "log_level": "debug"}
    started = launched(loader, DRONE, tmp_path, fleet, params_file=str(parameters), **given)
    (drone,) = nodes(started)
    assert drone["namespace"] == "/drone_2"
    assert dict(drone["remappings"]) == {
        "camera/image": "/cam",
        "camera/image/compressed": "camera/image/compressed",
        "odom": "/mavros/odom",
    }
    assert drone["parameters"][0] == str(parameters)
    assert (drone["respawn"], drone["respawn_delay"]) == (True, 2.0)
    assert drone["ros_arguments"] == ["--log-level", "debug"]


@pytest.mark.parametrize(
    ("file", "wrong", "sentence"),
    [
        (DRONE, {"drone": "drone_9"}, "has no drone 'drone_9'"),
        (DRONE, {"fleet": "/nowhere/fleet.yaml"}, "there is no /nowhere/fleet.yaml"),
        (DRONE, {"params_file": "/nowhere.yaml"}, "there is no /nowhere.yaml"),
        (DRONE, {"respawn_delay": "soon"}, "respawn_delay:=soon is not a number."),
        (STATION, {"fleet": "/nowhere/fleet.yaml"}, "there is no /nowhere/fleet.yaml"),
        (REPLAY, {"bag": "/nowhere/bag"}, "there is no /nowhere/bag"),
        (REPLAY, {"rate": "0"}, "a bag can't be played at rate 0"),
        (RELAY, {"window_ms": "fast"}, "window_ms:=fast is not a whole number."),
    ],
)
def test_what_is_wrong_is_told(
    file: str, wrong: dict[str, str], sentence: str, loader: Loader, tmp_path: Path, fleet: Path
) -> None:
    with pytest.raises(RuntimeError, match=re.escape(sentence)):
        launched(loader, file, tmp_path, fleet, **wrong)
    assert not (tmp_path / "run").exists()


def player(started: list[Any]) -> list[str]:
    (late,) = [one for one in started if "actions" in one.named]
    command: list[str] = late.named["actions"][0].named["cmd"]
    return command


def test_a_bag_plays_what_drones_look_at(loader: Loader, tmp_path: Path, fleet: Path) -> None:
    loader.index.installed.add("ros2bag")
    started = launched(loader, REPLAY, tmp_path, fleet, rate="0.5", loop="true")
    command = player(started)
    assert command[:5] == ["ros2", "bag", "play", str(tmp_path), "--clock"]
    assert ("--rate", "0.5") in pairwise(command)
    assert "--loop" in command
    topics = command[command.index("--topics") + 1 :]
    assert "/drone_4/camera/image" in topics
    assert not any("/swarm/" in topic for topic in topics)  # what was said then is not said again
    assert all(values(one)["use_sim_time"] is True for one in named(started, "drone"))


def test_drones_see_images_as_the_bag_has_them(
    loader: Loader, tmp_path: Path, fleet: Path
) -> None:
    flown = Path(__file__).parents[1] / "data" / "flight" / "bag"  # recorded by our own recorder
    for more in ({}, {"fleet": str(fleet)}):
        started = launched(loader, REPLAY, tmp_path, fleet, bag=str(flown), **more)
        told = [values(one)["image_transport"] for one in named(started, "drone")]
        assert told == ["compressed"] * 4


def test_without_rosbag2_our_own_player_plays(loader: Loader, tmp_path: Path, fleet: Path) -> None:
    command = player(launched(loader, REPLAY, tmp_path, fleet, start_offset="2"))
    assert command[1:4] == ["-m", "swarm_ledger", "replay"]
    assert {"--publish", "--clock"} <= set(command)
    assert ("--start-offset", "2") in pairwise(command)
    elsewhere = "/swarm/envelopes:=/recorded/swarm/envelopes"
    assert ("--remap", elsewhere) in pairwise(command)  # what was said then is not said again


def test_a_replayed_fleet_has_no_ledgers(loader: Loader, tmp_path: Path, fleet: Path) -> None:
    started = launched(loader, REPLAY, tmp_path, fleet, fleet=str(fleet))
    assert [values(one)["fleet"] for one in named(started, "drone")] == [str(fleet)] * 4
    (fleet.parent / "drone_3" / LEDGER).write_bytes(b"")
    with pytest.raises(RuntimeError, match="drone_3 has a ledger"):
        launched(loader, REPLAY, tmp_path, fleet, fleet=str(fleet))


def test_recording_is_rosbag2s_where_it_is_installed(
    loader: Loader, tmp_path: Path, fleet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (ours,) = named(launched(loader, SIM, tmp_path, fleet, record="true"), "recorder")
    topics = values(ours)["topics"]
    assert {"/swarm/decisions", "/swarm/envelopes", "/drone_3/odom"} <= set(topics)
    assert "/swarm/inbox/drone_2" in topics
    assert values(ours)["fleet"] == str(tmp_path / "run" / FLEET)
    monkeypatch.setenv("ROS_DISTRO", "jazzy")
    loader.index.installed |= {"ros2bag", "rosbag2_storage_mcap"}
    started = launched(loader, SIM, tmp_path, fleet, record="true", run_dir=str(tmp_path / "b"))
    (theirs,) = [one.named["cmd"] for one in started if "cmd" in one.named]
    assert theirs[:7] == ["ros2", "bag", "record", "-s", "mcap", "-o", str(tmp_path / "b" / "bag")]
    assert set(theirs[8:]) - set(topics) == {f"/drone_{n}/camera/image" for n in range(1, 5)}
    assert theirs[7] == "--topics"


def test_key_stores_are_given_back_in_the_end(
    loader: Loader, tmp_path: Path, fleet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = launched(loader, SIM, tmp_path, fleet)
    (over,) = [
        h.named["on_shutdown"] for one in started for h in one.given if "on_shutdown" in h.named
    ]
    over(None, None)
    rack: list[str] = []

    def missing(mission: Mission) -> Any:
        rack.append(mission.keys)
        raise Misuse("SoftHSM is not installed.", remedy="apt install softhsm2")

    launch = loader.load(SIM)
    import swarm_ledger.launching.missions as missions

    monkeypatch.setattr(missions, "open_rack", missing)
    with pytest.raises(RuntimeError, match=r"SoftHSM is not installed. apt install softhsm2"):
        launch.start(keys="pkcs11", run_dir=str(tmp_path / "keys"))
    assert rack == ["pkcs11"]


def test_the_relay_signs_what_it_is_told(loader: Loader, tmp_path: Path, fleet: Path) -> None:
    started = launched(
        loader, RELAY, tmp_path, fleet, topics="odom, imu", batched="/a/*", radio_domain="42"
    )
    (relay,) = named(started, "secure_relay")
    given = values(relay)
    assert (given["topics"], given["batched"]) == (["odom", "imu"], ["/a/*"])
    assert (given["drone"], given["radio_domain"], given["window_ms"]) == ("drone_2", 42, 50)
    assert relay["namespace"] == "/drone_2"
    (one,) = nodes(launched(loader, RELAY, tmp_path, fleet, receive="false"))
    assert "batched" not in values(one)


@pytest.mark.parametrize("node", ["secure_relay", "secure_receiver"])
def test_parameters_of_relays_are_on_their_page(node: str) -> None:
    page = (ROOT / "docs" / "relay.md").read_text()
    rows = set(re.findall(r"`(\w+)`", "\n".join(re.findall(r"^\| (.*?) \|", page, re.M))))
    assert parameters_of(node)[0] <= rows


def test_loading_again_is_no_different(loader: Loader) -> None:
    assert isinstance(loader.load(SIM), Launch)
    assert loader.load(SIM).defaults == loader.load(SIM).defaults
