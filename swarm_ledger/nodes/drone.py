# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""One drone's process: its signer, voter and validator, with the nodes that work for it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.publisher import Publisher
from swarm_interfaces.msg import Checkpoint, Decision, Observation, SwarmStatus

from swarm_ledger.errors import SwarmLedgerError
from swarm_ledger.identity.roster import Member
from swarm_ledger.nodes import health
from swarm_ledger.nodes.clock import NodeTime, tell_of_jump
from swarm_ledger.nodes.convert import (
    checkpoint_message,
    decision_message,
    observation_message,
    status_message,
    stopped_message,
)
from swarm_ledger.nodes.diagnostics import Reporter
from swarm_ledger.nodes.lifecycle import ManagedNode
from swarm_ledger.nodes.perception import PerceptionNode
from swarm_ledger.nodes.process import run
from swarm_ledger.nodes.prover import ProverNode
from swarm_ledger.nodes.publishing import publish
from swarm_ledger.nodes.qos import HEARTBEAT, LATCHED, SENSOR, STATUS_EVERY_S
from swarm_ledger.nodes.questions import Questions
from swarm_ledger.nodes.relay import RelayNode
from swarm_ledger.nodes.tables.drone import TABLE
from swarm_ledger.nodes.transport import LINGER_MS, RosTransport
from swarm_ledger.perception import Classifier
from swarm_ledger.perception import load as load_classifier
from swarm_ledger.runtime.drone import Drone
from swarm_ledger.runtime.export import find_decision, ledger_time_ms
from swarm_ledger.runtime.fleet import Fleet
from swarm_ledger.runtime.helm import Helm, Links
from swarm_ledger.runtime.voter import Look
from swarm_ledger.sim.byzantine import corrupting, eyes
from swarm_ledger.sim.events import StdoutEvents
from swarm_ledger.sim.wiring import Wiring
from swarm_ledger.voting.poll import OpenQuestion

_TICK_S = 0.02
_DIAGNOSTICS_S = 1.0


class DroneNode(ManagedNode):
    """Drives a Drone: what arrives is worked off at once, a timer lets the node's time pass.

    Configured, it has its keys and its ledger open; it takes part only while it is active. Each
    activation goes on from the ledger as a restart does.
    """

    def __init__(self, **node_arguments: Any) -> None:
        super().__init__("drone", TABLE, **node_arguments)
        self.name = self.given.text("drone")
        self.path = Path(self.given.text("fleet"))
        self.time = NodeTime(self, tell_of_jump(self))
        self._emit = StdoutEvents(self.name)
        self._helm: Helm | None = None
        self._links: Links | None = None
        self._member: Member | None = None
        self._losses, self._refusals = health.Losses(), health.Losses()
        self._unsent = 0
        self._turns = 0

    # the lifecycle

    def open(self) -> None:
        """Read the fleet file and rosters, open key and ledger, and begin to say where we are."""
        self.fleet = Fleet.load(self.path)
        self._member = member = self.fleet.member(self.name)
        self.fleet.settings(self.name)
        self._store = self.fleet.store(self.name)
        self._decisions = self.create_publisher(Decision, "/swarm/decisions", LATCHED)
        self._checkpoints = self.create_publisher(Checkpoint, "/swarm/checkpoints", LATCHED)
        self._questions = Questions(self)
        self._observations = self.create_publisher(Observation, "observation", SENSOR)
        self._status = self.create_publisher(SwarmStatus, "status", HEARTBEAT)
        self._reporter = Reporter(self, self.name, member.drone_id)
        steady = Clock(clock_type=ClockType.STEADY_TIME)  # a paused simulation is no lost drone
        self.create_timer(STATUS_EVERY_S, self._on_status, clock=steady)
        self.create_timer(_DIAGNOSTICS_S, self._on_diagnostics, clock=steady)

    def start(self) -> None:
        """Listen to the others; the drone itself begins when its clock does."""
        if self.fleet.file.transport == "zmq":
            self._links = Wiring(self.fleet, self.name, self._emit)
        else:
            index = self.fleet.member(self.name).index
            newest = self.fleet.trust.newest
            self._links = RosTransport(self, newest, index, self._work_off)
        self.create_timer(_TICK_S, self._on_tick, clock=self.time.pacer())

    def stop(self) -> None:
        """Say nothing more, and hear nothing."""
        self._helm = None
        if isinstance(self._links, Wiring):
            self._links.close()
        self._links = None
        self._on_status()

    def close(self) -> None:
        """Close the ledger."""
        with suppress(AttributeError):  # it was not opened
            self._store.close()

    def pulse(self) -> tuple[int, str] | None:
        """Return how often consensus has turned, and how it stands, for systemd's watchdog."""
        if not self.active:
            return None
        if self.drone is None:
            return self._turns, "beginning"
        asked = len(self.questions())
        return self._turns, f"height {self._store.height}, {asked} questions open"

    # what perception asks

    @property
    def drone(self) -> Drone | None:
        """The drone, while it takes part."""
        return self._helm.drone if self._helm else None

    @property
    def hardware_id(self) -> str:
        """Who we are by our key, which names may not be; "" before that was looked up."""
        return self._member.drone_id if self._member else ""

    def questions(self) -> tuple[OpenQuestion, ...]:
        """Return what is asked now."""
        return self.drone.machine.tally.open_questions() if self.drone else ()

    def wanted(self) -> bool:
        """Whether another look would help."""
        return self.drone is not None and self.drone.curious

    def look(self, look: Look) -> None:
        """Take in a look, and tell who listens."""
        if self.drone is None:
            return
        for question in self.questions():
            if look.is_on(question.question_id):
                message = observation_message(look, self.name, question.question_id)
                self._publish(self._observations, message)
        self.drone.look(look)

    # what time brings

    def _on_tick(self) -> None:
        now_ms = self.time.now_ms()
        if not now_ms or self._links is None:
            return  # simulated time has not begun, and stamp 0 is never signed
        if self._helm is None:
            self._helm = self._launch(self._links)
        self._work_off()
        self._helm.tick(self.time.now_ms())
        self._turns += 1

    def _work_off(self) -> None:
        """Hear what has arrived: at once, or a decision took a tick for each of its phases.

        And what answers that, for a tick: to stay in a conversation costs less than to come back.
        """
        if self._helm is None or self._links is None:
            return
        end_s, wait_ms = monotonic() + _TICK_S, 0
        while messages := self._links.receive(wait_ms):
            self._helm.hear(messages, self.time.now_ms())
            if monotonic() >= end_s:
                break  # a flood must leave time for the rest
            wait_ms = LINGER_MS

    def _launch(self, links: Links) -> Helm:
        if self.time.simulated:
            self.time.at_least(ledger_time_ms(self._store))
        now_ms = self.time.now_ms()
        helm = Helm(
            self.fleet,
            self.name,
            self._store,
            links,
            emit=self._on_event,
            now_ms=now_ms,
            speaking=corrupting(self.fleet, self.name, now_ms),
        )
        self._publish_checkpoint()
        tally = helm.drone.machine.tally
        last = tally.decision(tally.decided)
        if last is not None and last.height >= self._store.base:
            self._publish_decision(last.number, last.height)
        self._questions.begin(helm.drone, self.get_clock().now().to_msg())
        return helm

    def _on_event(self, event: str, fields: dict[str, Any]) -> None:
        self._emit(event, fields)
        self._questions.on_event(event, fields, self.get_clock().now().to_msg())
        if event == "decision":
            self._publish_decision(fields["number"], fields["height"])
        elif event == "checkpoint":
            self._publish_checkpoint()

    def _publish_decision(self, number: int, height: int) -> None:
        index, settled = find_decision(self._store, number, height=height)
        now = self.get_clock().now().to_msg()
        self._publish(self._decisions, decision_message(settled, index, now))

    def _publish_checkpoint(self) -> None:
        stored = self._store.latest_checkpoint()
        if stored is not None:
            now = self.get_clock().now().to_msg()
            self._publish(self._checkpoints, checkpoint_message(stored, now))

    def _publish(self, publisher: Publisher, message: Any) -> None:
        if not publish(publisher, message):
            self._unsent += 1

    def _on_status(self) -> None:
        now = self.get_clock().now().to_msg()
        if self._helm is not None:
            self._emit("status", self._helm.status())
            self._publish(self._status, status_message(self._helm.drone, now))
        elif self._member is not None:
            newest = self.fleet.trust.newest
            self._publish(self._status, stopped_message(self._member, newest, self._store, now))

    def _on_diagnostics(self) -> None:
        now_ms, simulated = self.time.now_ms(), self.time.simulated
        found = [health.time(now_ms, simulated, self.time.jumps)]
        if self._helm is None:
            said = "waits for its clock" if self.active else "is not active"
            found += [health.identity(self.fleet.member(self.name)), health.stopped(said)]
        else:
            status = self._helm.status()
            dropped = {**status["overload"], "unsent": self._unsent}
            dropped |= {f"stranger {why}": n for why, n in status.get("refused", {}).items()}
            protected = {"links": status["links"], "secrecy": status["secrecy"]}
            found += [
                health.identity(self._helm.drone.member),
                health.consensus(status),
                health.clocks(status["clocks"]),
                self._losses.judge("links", "dropped", dropped, **protected),
                self._refusals.judge("peers", "refused", status["faults"]),
            ]
        if not self._reporter.report(found):
            self._unsent += 1


def classifier(drone: DroneNode, model: str) -> Classifier:
    """Return what a drone judges images by: liars have eyes of their own."""
    world, honest = drone.fleet.file.world, load_classifier(model or None)
    if world is None:
        return honest
    return eyes(drone.fleet.drone(drone.name).attack, honest, world.target)


def make() -> Iterator[Node]:
    """Yield the nodes of one drone, all for one process."""
    drone = DroneNode()
    yield drone
    yield PerceptionNode(drone, lambda model: classifier(drone, model))
    try:
        fleet = Fleet.load(drone.path)
        signs = fleet.sign(drone.name) is not None
    except SwarmLedgerError:
        if drone.autostart:
            raise
        return  # it can be configured once the file is right; what works for it needs a restart
    if signs:
        given = {"fleet": str(drone.path), "drone": drone.name}
        yield RelayNode(parameter_overrides=_overrides(given))
    given = {
        "ledger": str(fleet.home(drone.name)),
        "roster": str(fleet.folder / fleet.file.roster),
    }
    yield ProverNode(parameter_overrides=_overrides(given))


def _overrides(given: dict[str, str]) -> list[Parameter]:
    return [Parameter(name, Parameter.Type.STRING, value) for name, value in given.items()]


def main() -> None:
    """Run one drone until Ctrl-C."""
    sys.exit(run(make))


if __name__ == "__main__":
    main()
