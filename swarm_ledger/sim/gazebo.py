# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What is spawned in Gazebo, as SDF strings: each drone with topics of its own, and a target.

An SDF file fixes its plugins' topics, so drones that share one file would share them: the shape
comes from models/quadrotor, and what flies and watches it from here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from swarm_ledger.behaviour import Limits
from swarm_ledger.behaviour.pilot import height_of
from swarm_ledger.errors import Misuse
from swarm_ledger.sim.airspace import GROUND

TARGETS = ("cup", "two_faces", "rubin_vase")
PLINTH = -0.5
"""The height of its plinth, on which the target stands."""

_SDF = '<?xml version="1.0"?><sdf version="1.9">{}</sdf>'
_NAME = re.compile(r"[A-Za-z]\w*", re.ASCII)
_RING_M = 1.5  # of the ring on which drones stand at first, for each of them
_LEAST_RADIUS = 3.5
_CLOCK = ("rosgraph_msgs/msg/Clock", "Clock", "GZ_TO_ROS")
_OF_EACH = {
    "cmd_vel": ("geometry_msgs/msg/Twist", "Twist", "ROS_TO_GZ"),
    "enable": ("std_msgs/msg/Bool", "Boolean", "ROS_TO_GZ"),
    "odom": ("nav_msgs/msg/Odometry", "Odometry", "GZ_TO_ROS"),
    "camera/image": ("sensor_msgs/msg/Image", "Image", "GZ_TO_ROS"),
}
_LAZY = "camera/image"
_ROTORS = ("ccw", "ccw", "cw", "cw")


def spawn_places(drones: int) -> list[tuple[float, float, float, float]]:
    """Return x, y, z and yaw of each drone, on the ground around the target, facing it."""
    radius = max(_LEAST_RADIUS, drones * _RING_M / math.tau)
    return [
        (
            radius * math.cos(bearing),
            radius * math.sin(bearing),
            GROUND + 0.1,
            math.remainder(bearing + math.pi, math.tau),
        )
        for bearing in (math.tau * number / drones for number in range(drones))
    ]


def drone_sdf(name: str, number: int) -> str:
    """Return a quadrotor that listens and tells under /NAME; Misuse for what is no ROS name.

    number: which of the swarm's it is, from 1: its camera looks down as its pilot's height asks.
    """
    if not _NAME.fullmatch(name):
        raise Misuse(f"a drone in Gazebo can't be named {name!r}.", remedy="Take letters first.")
    motors = "".join(_motor(name, number, way) for number, way in enumerate(_ROTORS))
    return _SDF.format(
        f'<model name="{escape(name)}">'
        '<include merge="true"><uri>model://quadrotor</uri></include>'
        f"{_camera(name, number)}{motors}{_control(name)}{_odometry(name)}</model>"
    )


def target_sdf(target: str) -> str:
    """Return a target on its plinth; Misuse for one that there is no model of."""
    if target not in TARGETS:
        raise Misuse(f"unknown target {target!r}.", remedy=f"Take {' or '.join(TARGETS)}.")
    return _SDF.format(
        f'<model name="target"><static>true</static><pose>0 0 {PLINTH} 0 0 0</pose>'
        f'<include merge="true"><uri>model://{target}</uri></include></model>'
    )


def bridge(names: Sequence[str]) -> list[dict[str, object]]:
    """Return what ros_gz_bridge's parameter_bridge carries, as its configuration file lists it.

    One bridge for all drones: each process more is a DDS participant more to be discovered.
    """
    entries = [_carried("/clock", _CLOCK)]
    for name in names:
        entries += [_carried(f"/{name}/{topic}", how) for topic, how in _OF_EACH.items()]
    return entries


def _carried(topic: str, how: tuple[str, str, str]) -> dict[str, object]:
    ros, gz, direction = how
    return {
        "ros_topic_name": topic,
        "gz_topic_name": topic,
        "ros_type_name": ros,
        "gz_type_name": f"gz.msgs.{gz}",
        "direction": direction,
        "lazy": topic.endswith(_LAZY),
    }


def world_name(path: Path) -> str:
    """Return what a world's SDF file calls it; Misuse for a file that has no world."""
    try:
        world = ElementTree.parse(path).getroot().find("world")  # noqa: S314  - our user's own
    except (OSError, ElementTree.ParseError) as error:
        raise Misuse(f"{path} can't be read as SDF: {error}.") from None
    name = world.get("name", "") if world is not None else ""
    if not name:
        raise Misuse(f"{path} has no world.", remedy="Give an SDF file with a <world name=...>.")
    return name


def _plugin(file: str, name: str, **fields: object) -> str:
    inner = "".join(f"<{key}>{value}</{key}>" for key, value in fields.items())
    named = f'filename="gz-sim-{file}-system" name="gz::sim::systems::{name}"'
    return f"<plugin {named}>{inner}</plugin>"


def _camera(name: str, number: int) -> str:
    down = math.atan2(height_of(number), Limits().around)
    return (
        f'<link name="camera"><pose relative_to="base_link">0.12 0 0.02 0 {down:.4f} 0</pose>'
        "<inertial><mass>0.01</mass><inertia><ixx>1e-5</ixx><iyy>1e-5</iyy><izz>1e-5</izz>"
        "</inertia></inertial>"
        '<sensor name="camera" type="camera"><always_on>1</always_on>'
        f"<update_rate>10</update_rate><topic>{name}/camera/image</topic>"
        "<camera><horizontal_fov>0.75</horizontal_fov><image><width>320</width>"
        "<height>240</height></image><clip><near>0.1</near><far>100</far></clip></camera>"
        "</sensor></link>"
        '<joint name="camera_joint" type="fixed"><parent>base_link</parent>'
        "<child>camera</child></joint>"
    )


def _motor(name: str, number: int, way: str) -> str:
    return _plugin(
        "multicopter-motor-model",
        "MulticopterMotorModel",
        robotNamespace=name,
        jointName=f"rotor_{number}_joint",
        linkName=f"rotor_{number}",
        turningDirection=way,
        timeConstantUp=0.0125,
        timeConstantDown=0.025,
        maxRotVelocity=800.0,
        motorConstant=8.54858e-06,
        momentConstant=0.016,
        commandSubTopic="gazebo/command/motor_speed",
        actuator_number=number,
        rotorDragCoefficient=8.06428e-05,
        rollingMomentCoefficient=1e-06,
        rotorVelocitySlowdownSim=10,
        motorType="velocity",
    )


def _control(name: str) -> str:
    rotors = "".join(
        f"<rotor><jointName>rotor_{number}_joint</jointName>"
        "<forceConstant>8.54858e-06</forceConstant><momentConstant>0.016</momentConstant>"
        f"<direction>{1 if way == 'ccw' else -1}</direction></rotor>"
        for number, way in enumerate(_ROTORS)
    )
    return _plugin(
        "multicopter-control",
        "MulticopterVelocityControl",
        robotNamespace=name,
        commandSubTopic="cmd_vel",
        enableSubTopic="enable",
        comLinkName="base_link",
        velocityGain="2.7 2.7 2.7",
        attitudeGain="2 3 0.15",
        angularRateGain="0.4 0.52 0.18",
        maximumLinearAcceleration="2 2 2",
        rotorConfiguration=rotors,
    )


def _odometry(name: str) -> str:
    return _plugin(
        "odometry-publisher",
        "OdometryPublisher",
        dimensions=3,
        odom_frame="map",
        robot_base_frame=f"{name}/base_link",
        odom_topic=f"/{name}/odom",
        odom_publish_frequency=20,
    )
