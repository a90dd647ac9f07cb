# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Pilots fly the built-in world over ROS 2, by what real ledgers have decided."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rclpy
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Twist
from nav_msgs.msg import Odometry
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import qos_profile_sensor_data
from rosgraph_msgs.msg import Clock
from std_msgs.msg import Bool
from swarm_interfaces.msg import Decision

from swarm_ledger.behaviour import Command, Order, Phase, Place
from swarm_ledger.errors import Misuse
from swarm_ledger.nodes.pilot import PilotNode
from swarm_ledger.nodes.places import command, odometry, place, seconds, twist
from swarm_ledger.nodes.world import WorldNode
from swarm_ledger.runtime.fleet import FLEET, LEDGER
from swarm_ledger.sim.mission import KEY, Mission
from swarm_ledger.sim.virtual import VirtualSwarm
from swarm_ledger.sim.watch import Watch
from tests.patience import until
from tests.ros.squad import LATCHED, overrides


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder whose ledgers have decided: a cup."""
    folder = tmp_path_factory.mktemp("run")
    mission = Mission(folder, byzantine=0, seed=3, looks=1)
    watch = Watch(mission.names(), mission.names())
    with VirtualSwarm(mission, watch.take) as swarm:
        assert swarm.run(watch)
    return folder


class Air:
    """A world and pilots of a run's drones, in this process, and a tester who hears them."""

    def __init__(self, folder: Path, names: list[str], **world: Any) -> None:
        self.folder = folder
        self.executor = SingleThreadedExecutor()
        self.tester = rclpy.create_node("tester")
        given = {"fleet": str(folder / FLEET), **world}
        self.world = WorldNode(parameter_overrides=overrides(given))
        self.pilots = {name: self.add(name) for name in names}
        self.commands: dict[str, list[Twist]] = {name: [] for name in names}
        self.odometry: dict[str, list[Odometry]] = {name: [] for name in names}
        for name in names:
            heard = self.commands[name].append
            self.tester.create_subscription(Twist, f"/{name}/cmd_vel", heard, 10)
            self.tester.create_subscription(
                Odometry, f"/{name}/odom", self.odometry[name].append, qos_profile_sensor_data
            )
        for node in (self.tester, self.world, *self.pilots.values()):
            self.executor.add_node(node)

    def add(self, name: str, **given: Any) -> PilotNode:
        told = overrides({"fleet": str(self.folder / FLEET), "drone": name, **given})
        return PilotNode(namespace=f"/{name}", parameter_overrides=told)

    def until(self, what: str, holds: Any, also: Any = int) -> None:
        def spin() -> None:
            also()
            for _ in range(20):
                self.executor.spin_once(timeout_sec=0.002)

        until(what, holds, spin, lambda: str({n: p.pilot.phase for n, p in self.pilots.items()}))

    def close(self) -> None:
        for node in (*self.pilots.values(), self.world, self.tester):
            if isinstance(node, PilotNode):
                node.end()
            node.destroy_node()


@pytest.fixture
def air(ros: None, decided: Path, request: pytest.FixtureRequest) -> Iterator[Air]:
    made = Air(decided, ["drone_1", "drone_2"], **getattr(request, "param", {}))
    yield made
    made.close()


def distance(air: Air, name: str) -> float:
    at = air.odometry[name][-1].pose.pose.position
    return math.hypot(at.x, at.y)


def test_pilots_approach_what_the_ledger_calls_a_cup(air: Air) -> None:
    air.until("all circle", lambda: all(air.odometry.values()))
    assert not any(air.commands.values())  # nobody flies before pilots are active
    for node in air.pilots.values():
        node.begin()
    pilots = [node.pilot for node in air.pilots.values()]
    air.until("both are near", lambda: all(one.phase is Phase.NEAR for one in pilots))
    assert all(one.order is Order.APPROACH and one.acted for one in pilots)
    for name in air.pilots:
        assert distance(air, name) == pytest.approx(2.1, abs=0.35)
        moved = air.odometry[name][-1]
        assert (moved.header.frame_id, moved.child_frame_id) == ("map", f"{name}/base_link")
        speeds = [math.hypot(c.linear.x, c.linear.y, c.linear.z) for c in air.commands[name]]
        assert 0 < max(speeds) <= 1.0 + 1e-9
    enable = air.tester.create_publisher(Bool, "/drone_1/enable", 1)
    air.until(
        "it is disabled",
        lambda: pilots[0].phase is Phase.WAITING,
        lambda: enable.publish(Bool(data=False)),
    )
    air.commands["drone_1"].clear()
    air.until("it says so", lambda: len(air.commands["drone_1"]) > 1)
    assert air.commands["drone_1"][-1] == Twist()
    air.pilots["drone_2"].trigger_deactivate()
    stops = air.commands["drone_2"]  # behind what it had said before, which may be on its way
    air.until("drone_2 stands still", lambda: stops[-1] == Twist())
    stops.clear()
    air.commands["drone_1"].clear()
    air.until("drone_1 goes on to hover", lambda: len(air.commands["drone_1"]) > 3)
    assert not stops


def test_what_anybody_publishes_moves_nothing(air: Air, tmp_path: Path) -> None:
    """A lie on /swarm/decisions; odometry and commands that are no numbers."""
    for name in air.pilots:
        shutil.move(air.folder / name / LEDGER, tmp_path / name)
    try:
        for node in air.pilots.values():
            node.begin()
        says = air.tester.create_publisher(Decision, "/swarm/decisions", LATCHED)
        lies = air.tester.create_publisher(Odometry, "/drone_1/odom", qos_profile_sensor_data)
        noise = air.tester.create_publisher(Twist, "/drone_2/cmd_vel", 1)
        bad, wild = Odometry(), Twist()
        bad.pose.pose.position.x = math.nan
        wild.linear.x = math.inf

        def lie() -> None:
            says.publish(Decision(label="two_faces", labels=["cup", "two_faces"], number=9))
            lies.publish(bad)
            noise.publish(wild)

        pilots = [node.pilot for node in air.pilots.values()]
        air.until("both hold", lambda: all(p.phase is Phase.HOLDING for p in pilots), lie)
        assert all(one.order is Order.HOLD for one in pilots)
        assert pilots[0].refused > 0
        assert math.isfinite(distance(air, "drone_2"))
    finally:
        for name in air.pilots:
            shutil.move(tmp_path / name, air.folder / name / LEDGER)


@pytest.mark.parametrize("air", [{"drive_clock": True}], indirect=True)
def test_the_world_is_the_clock(air: Air) -> None:
    ticks: list[Clock] = []
    air.tester.create_subscription(Clock, "/clock", ticks.append, qos_profile_sensor_data)
    air.until("it ticks", lambda: len(ticks) > 3 and all(air.odometry.values()))
    assert ticks[0].clock.sec < 30  # from 0 on
    stamps = [one.header.stamp for one in air.odometry["drone_1"]]
    assert all(0 < one.sec + one.nanosec / 1e9 < 120 for one in stamps)


def test_places_and_commands_survive_their_messages() -> None:
    at, stamp = Place(1.0, -2.0, 0.5, 2.5), Time(sec=7, nanosec=250_000_000)
    message = odometry(at, (1.0, 0.0, -0.5), stamp, "map", "d/base_link")
    back = place(message)
    assert (back.x, back.y, back.z) == (1.0, -2.0, 0.5)
    assert back.yaw == pytest.approx(2.5)
    assert seconds(message.header.stamp) == 7.25
    moved = message.twist.twist.linear  # along the drone's own axes
    assert (moved.x, moved.y, moved.z) == pytest.approx((math.cos(2.5), -math.sin(2.5), -0.5))
    flown = Command(0.5, -0.25, 0.125, 1.0)
    assert command(twist(flown)) == flown


@pytest.mark.parametrize("rotation", [(0.0, 0.0), (2.0, 0.0), (math.nan, 1.0), (math.inf, 0.0)])
def test_what_is_no_rotation_is_no_place(rotation: tuple[float, float]) -> None:
    message = Odometry()
    message.pose.pose.orientation.z, message.pose.pose.orientation.w = rotation
    assert not place(message).sane


def test_what_can_not_be_flown_is_told(ros: None, decided: Path) -> None:
    told = {"fleet": str(decided / FLEET), "drone": "drone_1", "near": 1.0}
    pilot = PilotNode(namespace="/drone_1", parameter_overrides=overrides(told))
    with pytest.raises(Misuse, match="these distances can't be flown"):
        pilot.begin()
    pilot.destroy_node()


def test_a_pilot_has_no_business_with_the_drones_key(ros: None, decided: Path) -> None:
    (decided / "drone_3" / KEY).unlink()
    told = {"fleet": str(decided / FLEET), "drone": "drone_3"}
    pilot = PilotNode(namespace="/drone_3", parameter_overrides=overrides(told))
    pilot.begin()
    assert pilot.active
    pilot.end()
    pilot.destroy_node()
