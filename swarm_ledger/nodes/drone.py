# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""One drone's process: its signer, voter and validator, and its perception."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.node import Node
from swarm_interfaces.msg import Checkpoint, Decision, Observation, SwarmStatus

from swarm_ledger.nodes.convert import (
    checkpoint_message,
    decision_message,
    observation_message,
    status_message,
)
from swarm_ledger.nodes.declaring import declare
from swarm_ledger.nodes.diagnostics import DIAGNOSTICS, status
from swarm_ledger.nodes.perception import PerceptionNode
from swarm_ledger.nodes.process import run
from swarm_ledger.nodes.qos import LATCHED, SENSOR, STATUS
from swarm_ledger.nodes.tables.drone import TABLE
from swarm_ledger.nodes.transport import RosTransport
from swarm_ledger.perception import load as load_classifier
from swarm_ledger.runtime.clerk import Clerk
from swarm_ledger.runtime.courier import Courier
from swarm_ledger.runtime.drone import Drone
from swarm_ledger.runtime.export import find_decision
from swarm_ledger.runtime.fleet import Fleet
from swarm_ledger.runtime.identity import Identity
from swarm_ledger.runtime.lookout import Lookout
from swarm_ledger.runtime.voter import Look
from swarm_ledger.sim.byzantine import corrupt, eyes
from swarm_ledger.sim.events import StdoutEvents
from swarm_ledger.transport.secret import veiled

_TICK_S = 0.02
_STATUS_S = 0.2
_ROUNDS = 8
"""In one tick: a flood's share must leave time for the rest."""
_DIAGNOSTICS_S = 1.0


class DroneNode(Node):
    """Drives a Drone: callbacks store what arrives, a timer works it off in the node's time.

    Parameters fleet (the fleet file) and drone (its name in there). Publishes `observation` and
    `status`, on /diagnostics how far others' clocks are off, and on /swarm what the swarm has
    decided and certified.
    """

    def __init__(self) -> None:
        super().__init__("drone")
        given = declare(self, TABLE)
        self.fleet, self.name = Fleet.load(Path(given.text("fleet"))), given.text("drone")
        self.drone: Drone | None = None
        self._store = self.fleet.store(self.name)
        self._emit = StdoutEvents(self.name)
        self._decisions = self.create_publisher(Decision, "/swarm/decisions", LATCHED)
        self._checkpoints = self.create_publisher(Checkpoint, "/swarm/checkpoints", LATCHED)
        self._observations = self.create_publisher(Observation, "observation", SENSOR)
        self._status = self.create_publisher(SwarmStatus, "status", STATUS)
        self._diagnostics = self.create_publisher(DiagnosticArray, DIAGNOSTICS, 10)
        member = self.fleet.member(self.name)
        self._transport = RosTransport(self, self.fleet.trust.newest, member.index)
        self._lookout = Lookout(self.fleet, self.name, self._emit)
        self._courier = Courier(self.fleet.home(self.name), self._emit)
        self._clerk = Clerk(self.fleet.home(self.name), self._emit, self.fleet.rules())
        self._epoch = 0
        self.create_timer(_TICK_S, self._on_tick)
        self.create_timer(_STATUS_S, self._on_status)
        self.create_timer(_DIAGNOSTICS_S, self._on_diagnostics)

    def wanted(self) -> bool:
        """Whether another look would help."""
        return self.drone is not None and self.drone.curious

    def look(self, look: Look) -> None:
        """Take in a look, and tell who listens."""
        if self.drone is None:
            return
        for question in self.drone.machine.tally.open_questions():
            message = observation_message(look, self.name, question.question_id)
            self._transport.publish(self._observations, message)
        self.drone.look(look)

    def destroy_node(self) -> None:
        """Close the ledger, then the node."""
        self._store.close()
        super().destroy_node()

    def _now_ms(self) -> int:
        return int(self.get_clock().now().nanoseconds) // 1_000_000

    def _on_tick(self) -> None:
        now_ms = self._now_ms()
        if now_ms == 0:
            return  # simulated time has not begun, and stamp 0 is never signed
        if self.drone is None:
            self.drone = self._launch(now_ms)
        self._receive(self.drone)
        self.drone.tick(self._now_ms())
        self._courier.look(self.drone, self._now_ms())
        self._clerk.look(self.drone, self._now_ms())
        epoch = self.drone.roster.version
        if self._lookout.look(self.drone, self._now_ms()) or epoch != self._epoch:
            self._epoch = epoch
            known = self.drone.roster, self._lookout.fleet.trust.newest
            for roster in sorted(known, key=lambda one: one.version):
                self._transport.learn(roster)

    def _receive(self, drone: Drone) -> None:
        for _ in range(_ROUNDS):
            messages = self._transport.receive()
            self._transport.judge(drone.receive_all(messages, self._now_ms()))
            if not self._transport.waits:
                return

    def _launch(self, now_ms: int) -> Drone:
        attack = self.fleet.drone(self.name).attack

        def identity() -> Identity:
            return self.fleet.identity(self.name, now_ms // 1000)

        secrets = self.fleet.secrets(self.name, now_ms)
        drone = Drone(
            self.fleet.keys(self.name),
            self.fleet.trust,
            self._store,
            corrupt(attack, veiled(self._transport, secrets), identity),
            self.fleet.settings(self.name),
            now_ms=now_ms,
            emit=self._on_event,
            looks=self.fleet.file.looks,
            question=self.fleet.question(),
            secrets=secrets,
            max_bytes=self.fleet.max_bytes(self.name),
        )
        self._lookout.check_current(drone, now_ms)
        return drone

    def _on_event(self, event: str, fields: dict[str, Any]) -> None:
        self._emit(event, fields)
        now = self.get_clock().now().to_msg()
        if event == "decision":
            number, height = fields["number"], fields["height"]
            index, settled = find_decision(self._store, number, height=height)
            self._transport.publish(self._decisions, decision_message(settled, index, now))
        elif event == "checkpoint":
            stored = self._store.latest_checkpoint()
            if stored is not None:
                self._transport.publish(self._checkpoints, checkpoint_message(stored, now))

    def _on_status(self) -> None:
        if self.drone is not None:
            dropped = self._transport.inbox.dropped
            self._emit("status", {**self.drone.status(), "overload": dropped})
            now = self.get_clock().now().to_msg()
            self._transport.publish(self._status, status_message(self.drone, now))

    def _on_diagnostics(self) -> None:
        if self.drone is None:
            return
        clocks = self.drone.clocks.status()
        off = [peer for peer, found in clocks.items() if found["skewed"]]
        level = DiagnosticStatus.WARN if off else DiagnosticStatus.OK
        said = f"off: {', '.join(off)}" if off else f"{len(clocks)} clocks agree with ours"
        values = {
            f"{peer} {what}": found[what]
            for peer, found in clocks.items()
            for what in ("ahead_ms", "error_ms")
        }
        name = f"{self.get_name()}: {self.name}: clocks"
        array = DiagnosticArray(
            status=[status(level, name, said, self.drone.member.drone_id, values)]
        )
        array.header.stamp = self.get_clock().now().to_msg()
        self._transport.publish(self._diagnostics, array)


def make() -> Sequence[Node]:
    """Return the nodes of one drone."""
    drone = DroneNode()
    classifier = load_classifier()
    world = drone.fleet.file.world
    if world is not None:
        classifier = eyes(drone.fleet.drone(drone.name).attack, classifier, world.target)
    return drone, PerceptionNode(classifier, drone.wanted, drone.look)


def main() -> None:
    """Run one drone until Ctrl-C."""
    sys.exit(run(make))


if __name__ == "__main__":
    main()
