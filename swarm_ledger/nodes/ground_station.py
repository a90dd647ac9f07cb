# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""ground_station: an operator's end of the swarm. Serves /swarm/decide, and verifies decisions.

It is a light client: it holds no ledger and takes part in no agreement. Drones' provers are asked
in turn, and none of them is believed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from swarm_ledger.errors import Misuse
from swarm_ledger.identity.roster import drone_id
from swarm_ledger.identity.trust import read_file
from swarm_ledger.identity.tuf import ROOT
from swarm_ledger.nodes.clock import NodeTime
from swarm_ledger.nodes.deciding import Deciding
from swarm_ledger.nodes.diagnostics import Board, status
from swarm_ledger.nodes.lifecycle import ManagedNode
from swarm_ledger.nodes.process import run
from swarm_ledger.nodes.proofs import PATIENCE_MS, Proofs, steady_ms
from swarm_ledger.nodes.tables.ground_station import TABLE
from swarm_ledger.nodes.transport import RosTransport
from swarm_ledger.runtime.asker import Answered, Asked, Asker, Code
from swarm_ledger.runtime.fleet import Fleet
from swarm_ledger.runtime.following import Follower
from swarm_ledger.runtime.goal import Goal
from swarm_ledger.runtime.pursuit import Pursuit
from swarm_ledger.signers import Signer, open_signer

_TICK_S = 0.05
_ROUNDS = 8
_DIAGNOSTICS_S = 1.0
_STATE = "ground_station"
_INACTIVE = "this ground station is not active. Activate it: ros2 lifecycle set."
_TIMELESS = "simulated time has not begun: nobody publishes /clock yet."


class GroundStationNode(ManagedNode):
    """Asks what clients of /swarm/decide want to know, and publishes `verified_decisions`.

    Without an operator's key it only follows. While it is configured and not active, goals are
    answered with ERROR_UNAVAILABLE.
    """

    def __init__(self, **node_arguments: Any) -> None:
        super().__init__("ground_station", TABLE, **node_arguments)
        self._time = NodeTime(self, self._tell_of_jump)
        self._follower: Follower | None = None
        self._deciding: Deciding | None = None

    def open(self) -> None:
        """Read the fleet and the key, and begin to serve."""
        fleet = Fleet.load(Path(self.given.text("fleet")))
        self._operator = self._open_key(fleet)
        home = Path(self.given.text("state") or fleet.folder / _STATE)
        root = read_file(fleet.folder / fleet.file.roster / ROOT)
        self._follower = Follower(root, home / "ledger.state")
        services = [f"/{entry.name}/get_proof" for entry in fleet.file.drones]
        self._pursuit = Pursuit(
            self._follower,
            services,
            every_ms=self.given.whole("every_ms"),
            patience_ms=PATIENCE_MS,
        )
        self._transport = RosTransport(self, fleet.trust.newest, None)
        self._asker = Asker(
            fleet.trust,
            self._pursuit,
            self._operator,
            self._transport.broadcast,
            now_ms=self._time.now_ms(),
            patience_ms=self.given.whole("patience_ms"),
            secret=fleet.file.secrecy,
        )
        self._proofs = Proofs(self, self._pursuit, services, self._asker.take, self._time.now_ms)
        self._board = Board(self)
        feedback_ms = self.given.whole("feedback_ms")
        self._deciding = Deciding(
            self, self._begin, self._asker.cancel, self._asker.progress, feedback_ms
        )

    def _open_key(self, fleet: Fleet) -> Signer | None:
        """Open the operator's key; Misuse where it can't be used, or is another's."""
        uri, name = self.given.text("operator"), self.given.text("operator_name")
        if not uri:
            return None
        signer = open_signer(uri)
        owner = fleet.trust.newest.with_key(signer.public_key)
        if name and (owner is None or owner.name != name):
            whose = f"{owner.name}'s" if owner else "nobody's"
            raise Misuse(
                f"the key {uri} is {whose} in the roster, not {name}'s.",
                remedy="Give that operator's key, or leave operator_name out.",
            )
        return signer

    def start(self) -> None:
        """Listen, follow and ask."""
        steady = Clock(clock_type=ClockType.STEADY_TIME)  # goes on whatever /clock does
        self.create_timer(_TICK_S, self._on_tick, clock=steady)
        self.create_timer(_DIAGNOSTICS_S, self._on_diagnostics, clock=steady)

    def stop(self) -> None:
        """Give up what is being asked."""
        self._asker.give_up(Answered(Code.UNAVAILABLE, _INACTIVE))
        if self._deciding is not None:
            self._deciding.tick(steady_ms())

    def close(self) -> None:
        """Serve no more, and let others have the state file."""
        if self._deciding is not None:
            self._deciding.destroy()
            self._deciding = None
        if self._follower is not None:
            self._follower.close()
            self._follower = None

    def _tell_of_jump(self, seconds: float) -> None:
        self.get_logger().warning(f"/clock went back by {seconds:.3f} s: what is asked goes on.")

    def _begin(self, goal: Goal) -> Asked | Answered:
        if not self.active:
            return Answered(Code.UNAVAILABLE, _INACTIVE)
        now_ms = self._time.now_ms()
        if not now_ms:
            return Answered(Code.UNAVAILABLE, _TIMELESS)
        return self._asker.ask(goal, now_ms)

    def _on_tick(self) -> None:
        now_ms = self._time.now_ms()
        if not now_ms:
            return
        for _ in range(_ROUNDS):
            messages = self._transport.receive()
            if not messages:
                break
            self._transport.judge(self._asker.hear(messages, now_ms))
        self._transport.learn(self._asker.hearing.roster)
        self._asker.tick(now_ms)
        self._proofs.step()
        if self._deciding is not None:
            self._deciding.tick(steady_ms())

    def _on_diagnostics(self) -> None:
        hearing, asker = self._asker.hearing, self._asker
        heard, of = asker.heard, len(hearing.roster.validators)
        level = DiagnosticStatus.OK if heard >= asker.quorum else DiagnosticStatus.WARN
        key = self._operator.public_key if self._operator else None
        values = {
            "open questions": len(asker.open),
            "validators heard": heard,
            "validators": of,
            "overload": dict(self._transport.inbox.dropped),
        }
        said = f"{heard} of {of} validators are heard; {asker.quorum} must agree"
        owner = hearing.roster.with_key(key) if key else None
        values["operator"] = owner.name if owner else "none"
        name = f"{self.get_name()}: swarm"
        swarm = status(level, name, said, drone_id(key) if key else "", values)
        self._board.show(self._proofs.status(), swarm)


def make() -> Sequence[Node]:
    """Return the ground station's node."""
    return (GroundStationNode(),)


def main() -> None:
    """Serve until Ctrl-C."""
    sys.exit(run(make))


if __name__ == "__main__":
    main()
