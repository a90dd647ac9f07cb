# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What is spawned in Gazebo: valid, flyable by its figures, each drone under its own name."""

from __future__ import annotations

import math
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from swarm_ledger.behaviour import Limits, Phase, Pilot, Place
from swarm_ledger.errors import Misuse
from swarm_ledger.perception import load
from swarm_ledger.sim import cups, gazebo, meshes
from swarm_ledger.sim.airspace import GROUND
from swarm_ledger.sim.raster import Light, Mesh, View, paint
from tests.sdf import MODELS, errors, needs_checker, needs_schema, schema_errors

WORLD = MODELS / "worlds" / "swarm.sdf"
SPAWNED = {
    "drone": gazebo.drone_sdf("drone_1", 1),
    **{target: gazebo.target_sdf(target) for target in gazebo.TARGETS},
}
SYSTEMS = {
    "gz-sim-physics-system": "gz::sim::systems::Physics",
    "gz-sim-user-commands-system": "gz::sim::systems::UserCommands",
    "gz-sim-scene-broadcaster-system": "gz::sim::systems::SceneBroadcaster",
    "gz-sim-sensors-system": "gz::sim::systems::Sensors",
}
GRAVITY = 9.81


def test_world_has_the_systems_that_all_this_needs() -> None:
    world = ElementTree.parse(WORLD).getroot().find("world")
    assert world is not None
    assert {p.get("filename"): p.get("name") for p in world.findall("plugin")} == SYSTEMS
    assert world.findtext("plugin/render_engine") == "ogre2"
    assert gazebo.world_name(WORLD) == world.get("name")
    heights = {
        m.get("name"): float(m.findtext("pose", "").split()[2]) for m in world.iter("model")
    }
    assert heights["ground"] == GROUND
    tall = float(world.findtext("model[@name='plinth']//length", ""))
    assert heights["plinth"] - tall / 2 == GROUND  # it stands on the ground
    assert heights["plinth"] + tall / 2 == gazebo.PLINTH  # and the target on it


@needs_schema
@pytest.mark.parametrize("name", [*SPAWNED, "world"])
def test_what_is_spawned_is_valid_to_the_schema(name: str, tmp_path: Path) -> None:
    text = WORLD.read_text() if name == "world" else SPAWNED[name]
    sdf = tmp_path / "spawned.sdf"
    sdf.write_text(text)
    assert schema_errors(sdf, tmp_path) == ""
    sdf.write_text(text.replace("<model", "<mode").replace("</model", "</mode"))
    assert schema_errors(sdf, tmp_path)


@needs_checker
@pytest.mark.parametrize("name", [*SPAWNED, "world"])
def test_what_is_spawned_is_valid_to_sdformat(name: str, tmp_path: Path) -> None:
    sdf = tmp_path / "spawned.sdf"
    sdf.write_text(WORLD.read_text() if name == "world" else SPAWNED[name])
    assert errors(sdf) == ""
    sdf.write_text(sdf.read_text().replace("model://", "model://no_").replace("-1.5", "x"))
    assert errors(sdf)


def quadrotor() -> ElementTree.Element:
    found = ElementTree.parse(MODELS / "quadrotor" / "model.sdf").getroot().find("model")
    assert found is not None
    return found


def spawned(name: str = "drone_1", number: int = 1) -> ElementTree.Element:
    found = ElementTree.fromstring(gazebo.drone_sdf(name, number)).find("model")
    assert found is not None
    return found


def plugins(kind: str) -> list[ElementTree.Element]:
    return [one for one in spawned().findall("plugin") if str(one.get("name")).endswith(kind)]


def test_plugins_name_links_and_joints_that_there_are() -> None:
    links = {one.get("name") for one in quadrotor().findall("link")}
    joints = {one.get("name"): one for one in quadrotor().findall("joint")}
    (control,) = plugins("MulticopterVelocityControl")
    rotors = control.findall("rotorConfiguration/rotor")
    motors = plugins("MulticopterMotorModel")
    assert len(rotors) == len(motors) == 4
    assert control.findtext("comLinkName") in links
    for number, (motor, rotor) in enumerate(zip(motors, rotors, strict=True)):
        assert motor.findtext("linkName") in links
        joint = joints[motor.findtext("jointName")]
        assert rotor.findtext("jointName") == motor.findtext("jointName")
        assert joint.findtext("child") == motor.findtext("linkName")
        assert joint.findtext("axis/xyz") == "0 0 1"
        assert motor.findtext("actuator_number") == str(number)
        way = {"ccw": "1", "cw": "-1"}[motor.findtext("turningDirection", "")]
        assert rotor.findtext("direction") == way
        for one, other in (("forceConstant", "motorConstant"), ("momentConstant",) * 2):
            assert rotor.findtext(one) == motor.findtext(other)


def test_rotors_lift_it_balance_and_turn_against_one_another() -> None:
    mass = sum(float(one.text or "") for one in quadrotor().iter("mass"))
    mass += float(spawned().findtext("link/inertial/mass", ""))
    motors = plugins("MulticopterMotorModel")
    lift = float(motors[0].findtext("motorConstant", ""))
    fastest = float(motors[0].findtext("maxRotVelocity", ""))
    hover = math.sqrt(mass * GRAVITY / (4 * lift))
    assert 650 < hover < 670  # docs/gazebo.md
    assert 4 * lift * fastest**2 > 1.4 * mass * GRAVITY
    places = [
        [float(n) for n in one.findtext("pose", "").split()[:2]]
        for one in quadrotor().findall("link")[1:]
    ]
    ways = [one.findtext("turningDirection") for one in motors]
    assert np.allclose(np.mean(places, axis=0), 0, atol=0.01)
    for way in ("ccw", "cw"):  # those that turn the same way are across from one another
        one, other = (np.array(p) for p, w in zip(places, ways, strict=True) if w == way)
        assert np.dot(one, other) < 0


@pytest.mark.parametrize("name", ["drone_1", "lead", "x7_b"])
def test_each_drone_has_topics_of_its_own(name: str) -> None:
    model = spawned(name)
    assert model.get("name") == name
    assert {one.text for one in model.iter("robotNamespace")} == {name}
    assert model.findtext("link/sensor/topic") == f"{name}/camera/image"
    assert model.findtext(".//odom_topic") == f"/{name}/odom"
    assert model.findtext(".//dimensions") == "3"
    assert model.findtext(".//robot_base_frame") == f"{name}/base_link"
    carried = {one["gz_topic_name"] for one in gazebo.bridge([name])}
    assert carried == {
        "/clock",
        *(f"/{name}/{topic}" for topic in ("cmd_vel", "enable", "odom", "camera/image")),
    }


@pytest.mark.parametrize("name", ["", "1x", "a b", "a/b", "<model>", 'a"', "é", "a\n"])
def test_names_that_would_break_topics_are_refused(name: str) -> None:
    with pytest.raises(Misuse, match="can't be named"):
        gazebo.drone_sdf(name, 1)
    with pytest.raises(Misuse, match="unknown target"):
        gazebo.target_sdf(name)


@pytest.mark.parametrize("drones", [1, 4, 10, 100])
def test_drones_are_spawned_apart_and_face_the_target(drones: int) -> None:
    places = gazebo.spawn_places(drones)
    assert len(places) == drones
    for one, other in combinations(places, 2):
        assert math.dist(one[:3], other[:3]) > 1.0
    for x, y, z, yaw in places:
        assert math.hypot(x, y) > Limits().clearance
        assert z > GROUND
        assert abs(math.remainder(math.atan2(-y, -x) - yaw, math.tau)) < 1e-9
    pilot = Pilot(1)
    pilot.see(Place(*places[0]), 1.0, 1.0)
    command = pilot.steer(1.0)
    assert pilot.phase is Phase.RISING
    assert command is not None
    assert command.up > 0.3


@pytest.mark.parametrize("number", range(1, 11))
def test_cameras_see_the_target_from_where_pilots_hold(number: int) -> None:
    model = spawned("d", number)
    down = float(model.findtext("link/pose", "").split()[4])
    width = float(model.findtext(".//width", ""))
    tall = float(model.findtext(".//height", "")) / width
    half = math.atan(math.tan(float(model.findtext(".//horizontal_fov", "")) / 2) * tall)
    from swarm_ledger.behaviour.pilot import height_of

    for end in (-0.5, 0.55):  # the target's foot and top
        towards = math.atan2(height_of(number) - end, Limits().around)
        assert abs(towards - down) < half


LIGHT = Light((0.35, 0.2, 0.92), 0.5, 0.6)


def seen(mesh: Mesh, bearing: float, height: float = 0.6) -> NDArray[np.uint8]:
    """Return (240, 320, 3) RGB of a target on its plinth, as a drone that holds has it."""
    canvas = np.full((480, 640, 3), (178, 185, 200), np.uint8)
    canvas[240:] = (130, 140, 115)
    distance = Limits().around
    eye = np.array((distance * math.cos(bearing), distance * math.sin(bearing), height))
    focal = 320 / math.tan(0.75 / 2)
    view = View(eye.astype(np.float32), np.zeros(3, np.float32), focal, (320.0, 240.0))
    plinth = cups.plinth(np.random.default_rng(1)).moved(by=(0, 0, gazebo.PLINTH))
    for one in (plinth, mesh.moved(by=(0, 0, gazebo.PLINTH))):
        paint(canvas, one, view, LIGHT, np.zeros(4, np.float32))
    small = cv2.resize(canvas, (320, 240), interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.uint8)


@pytest.mark.parametrize("target", ["cup", "two_faces"])
def test_targets_leave_no_doubt_from_most_bearings(target: str) -> None:
    classifier = load()
    mesh = meshes.read(MODELS / target / "meshes" / f"{target}.obj")
    labels = [classifier.classify(seen(mesh, math.tau * turn / 12)).label for turn in range(12)]
    assert labels.count(target) >= 10
    assert set(labels) <= {target, "unknown"}


@pytest.mark.parametrize("target", ["cup", "two_faces"])
def test_meshes_are_what_the_program_draws(target: str, tmp_path: Path) -> None:
    for model in ("cup", "two_faces"):
        (tmp_path / model).mkdir()
    written = {path.relative_to(tmp_path): path.read_text() for path in meshes.write(tmp_path)}
    for path, text in written.items():
        stored = (MODELS / path).read_text()
        if path.suffix == ".mtl":
            assert stored == text
        else:
            ours, drawn = meshes.read(MODELS / path), meshes.read(tmp_path / path)
            assert np.allclose(ours.quads, drawn.quads, atol=2e-4)
    mesh = meshes.read(MODELS / target / "meshes" / f"{target}.obj")
    points = mesh.quads.reshape(-1, 3)
    assert points[:, 2].min() == pytest.approx(0, abs=1e-3)  # it stands on the ground
    assert 0.7 < points[:, 2].max() < 1.1


def test_the_program_says_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cup").write_text("in the way")
    assert meshes.main([str(tmp_path)]) == 2
    assert meshes.main([]) == 2
    told = capsys.readouterr().err
    assert "cannot write to" in told
    assert "usage:" in told
