# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A swarm of real drone nodes, all in this process and in one executor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from swarm_interfaces.msg import Decision, Observation, SwarmStatus

from swarm_ledger.nodes.drone import DroneNode, classifier
from swarm_ledger.nodes.perception import PerceptionNode
from swarm_ledger.sim.mission import Mission, prepare, utc_now
from tests.patience import until

LATCHED = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def overrides(given: dict[str, Any]) -> list[Parameter]:
    return [Parameter(name, value=value) for name, value in given.items()]


class Squad:
    """Drones that take labels from a tester's node, which also hears what they publish."""

    def __init__(
        self, folder: Path, *, transport: str = "ros", drones: int = 4, **common: Any
    ) -> None:
        # prepared from the wall clock: simulated time of tests lies near it
        self.mission = Mission(
            folder, drones=drones, byzantine=0, seed=5, transport=transport, looks=1
        )
        self.fleet = prepare(self.mission, now=utc_now())
        self.executor = SingleThreadedExecutor()
        self.tester = rclpy.create_node("tester", parameter_overrides=overrides(common))
        self.executor.add_node(self.tester)
        self.drones: dict[str, DroneNode] = {}
        self.perceptions: dict[str, PerceptionNode] = {}
        self.common = common
        self.heard: dict[str, list[Any]] = {}
        self.labels = {}
        for name in self.mission.names():
            self.add(name)
            self.labels[name] = self.tester.create_publisher(Observation, f"/{name}/labels", 10)
            self.listen(SwarmStatus, f"/{name}/status", 10)
        self.listen(Decision, "/swarm/decisions", LATCHED)
        self.listen(DiagnosticArray, "/diagnostics", 100)

    def add(self, name: str, **given: Any) -> DroneNode:
        fleet = str(self.mission.run_dir / "fleet.yaml")
        told = overrides({"fleet": fleet, "drone": name, **self.common})
        drone = DroneNode(namespace=f"/{name}", parameter_overrides=told)
        seeing = overrides({"source": "labels", **self.common, **given})
        perception = PerceptionNode(
            drone,
            lambda model: classifier(drone, model),
            namespace=f"/{name}",
            parameter_overrides=seeing,
        )
        self.drones[name], self.perceptions[name] = drone, perception
        self.executor.add_node(drone)
        self.executor.add_node(perception)
        return drone

    def begin(self) -> None:
        for name, drone in self.drones.items():
            drone.begin()
            self.perceptions[name].begin()

    def listen(self, kind: type, topic: str, qos: Any) -> None:
        into = self.heard.setdefault(topic, [])
        self.tester.create_subscription(kind, topic, into.append, qos)

    def last(self, name: str) -> Any:
        found = self.heard[f"/{name}/status"]
        return found[-1] if found else SwarmStatus()

    def spin(self) -> None:
        for _ in range(20):
            self.executor.spin_once(timeout_sec=0.002)

    def until(
        self, what: str, holds: Callable[[], bool], also: Callable[[], object] = int
    ) -> None:
        def seen() -> str:
            return str({name: self.last(name) for name in self.drones})

        until(what, holds, lambda: (also(), self.spin()), seen)

    def say(self, label: str, *names: str, **fields: Any) -> None:
        """Publish a label to these drones, or to all, stamped now."""
        for name in names or self.drones:
            message = Observation(label=label, confidence=0.9, bearing=1.0, distance=3.0)
            message.header.stamp = self.tester.get_clock().now().to_msg()
            for field, value in fields.items():
                setattr(message, field, value)
            self.labels[name].publish(message)

    def close(self) -> None:
        for name, drone in self.drones.items():
            for node in (self.perceptions[name], drone):
                node.end()
                node.destroy_node()
        self.tester.destroy_node()

    def nodes(self) -> list[Node]:
        return [*self.drones.values(), *self.perceptions.values()]
