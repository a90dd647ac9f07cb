# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Simulated time: nothing before it begins, no contradiction when it goes back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.time import Time
from rosgraph_msgs.msg import Clock
from swarm_interfaces.msg import SwarmStatus

from swarm_ledger.nodes.clock import NodeTime
from swarm_ledger.runtime.export import ledger_time_ms
from tests.patience import until
from tests.ros.squad import Squad

NOW_MS = time.time_ns() // 1_000_000


class Metronome:
    """Publishes /clock: each call, a little later than before."""

    def __init__(self, node: rclpy.node.Node, ms: int) -> None:
        self.ms = ms
        self._publisher = node.create_publisher(Clock, "/clock", 10)

    def __call__(self, step_ms: int = 20) -> None:
        self.ms += step_ms
        self._publisher.publish(Clock(clock=Time(nanoseconds=self.ms * 1_000_000).to_msg()))


@pytest.fixture
def squad(ros: None, tmp_path: Path) -> Iterator[Squad]:
    made = Squad(tmp_path, use_sim_time=True)
    yield made
    made.close()


def test_time_goes_on_where_the_clock_goes_back(ros: None) -> None:
    told: list[float] = []
    node = rclpy.create_node("n", parameter_overrides=[Parameter("use_sim_time", value=True)])
    clock, master = NodeTime(node, told.append), rclpy.create_node("master")
    executor, metronome = SingleThreadedExecutor(), Metronome(master, 50_000)
    executor.add_node(node)

    def to(ms: int) -> None:
        def there() -> bool:
            return bool(node.get_clock().now().nanoseconds == ms * 1_000_000)

        def step() -> None:
            metronome.ms = ms
            metronome(0)
            executor.spin_once(timeout_sec=0.01)

        until("the clock is there", there, step)

    assert clock.now_ms() == 0
    assert clock.simulated
    to(50_000)
    assert clock.now_ms() == 50_000
    to(52_000)
    assert (clock.now_ms(), clock.as_signed(51_000)) == (52_000, 51_000)
    to(10_000)
    assert (clock.now_ms(), clock.jumps) == (52_000, 1)
    assert told == [42.0]
    to(10_500)
    assert (clock.now_ms(), clock.as_signed(10_400)) == (52_500, 52_400)
    clock.at_least(60_000)
    assert clock.now_ms() == 60_000
    to(11_000)
    assert clock.now_ms() == 60_500
    assert clock.as_signed(0) == 0
    clock.close()
    node.destroy_node()
    master.destroy_node()


def test_on_a_machine_the_clock_is_the_machines(ros: None) -> None:
    node = rclpy.create_node("n")
    clock = NodeTime(node, lambda seconds: None)
    before = time.time_ns() // 1_000_000
    assert before <= clock.now_ms() <= time.time_ns() // 1_000_000
    clock.at_least(2**60)
    assert clock.now_ms() < 2**60
    assert not clock.simulated
    assert clock.pacer().clock_type.name == "STEADY_TIME"
    node.destroy_node()


def test_a_bag_that_loops_neither_stops_a_swarm_nor_makes_it_contradict_itself(
    squad: Squad,
) -> None:
    """The clock is set back by a minute between two votes."""
    squad.begin()
    for _ in range(10):
        squad.spin()
    assert all(drone.drone is None for drone in squad.drones.values())
    assert squad.last("drone_1").phase in (SwarmStatus.PHASE_STOPPED, SwarmStatus.PHASE_UNKNOWN)
    metronome = Metronome(squad.tester, NOW_MS)
    squad.until(
        "a question is open", lambda: all(d.wanted() for d in squad.drones.values()), metronome
    )

    def step() -> None:
        metronome()
        squad.say("cup", "drone_1", "drone_2")

    def voted() -> bool:
        return all(not squad.drones[name].wanted() for name in ("drone_1", "drone_2"))

    squad.until("two have voted", voted, step)
    before = {name: drone.time.now_ms() for name, drone in squad.drones.items()}
    metronome.ms -= 60_000
    metronome()

    def later() -> None:
        metronome()
        squad.say("cup", "drone_3", "drone_4")

    squad.until("it is decided", lambda: bool(squad.heard["/swarm/decisions"]), later)
    for name, drone in squad.drones.items():
        assert drone.time.jumps == 1, name
        assert drone.time.now_ms() >= before[name]
        assert drone.drone is not None
        assert not drone.drone.engine.machine.convicted
    times = [ledger_time_ms(drone._store) for drone in squad.drones.values()]
    assert min(times) > NOW_MS
