# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""light: follows a swarm's ledger by root.json alone, and publishes decisions that it verified.

It asks a prover again and again, which it doesn't trust. What it knows is in its state file.
"""

from __future__ import annotations

import array
import sys
import time
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.node import Node
from swarm_interfaces.msg import Decision
from swarm_interfaces.srv import GetProof

from swarm_ledger.errors import Misuse, NotVerified, PeerFault
from swarm_ledger.identity.trust import read_file
from swarm_ledger.light_client.messages import ByNumber, Newest, NoAnswer, Wanted
from swarm_ledger.nodes.convert import decision_message
from swarm_ledger.nodes.declaring import declare
from swarm_ledger.nodes.diagnostics import DIAGNOSTICS, status
from swarm_ledger.nodes.process import run
from swarm_ledger.nodes.publishing import publish
from swarm_ledger.nodes.qos import LATCHED
from swarm_ledger.nodes.tables.light import TABLE
from swarm_ledger.runtime.following import Follower, Verified
from swarm_ledger.voting.decision import parse_settled

_PATIENCE_S = 30.0
_COMPLAIN_S = 10.0


class LightNode(Node):
    """Asks `get_proof`, publishes `verified_decisions` in their order, and tells /diagnostics.

    Parameters root (root.json) and state (a file, made at first), every_ms. Forks, rollbacks and
    rosters that have expired in the node's time are refused, and reported as errors.
    """

    def __init__(self) -> None:
        super().__init__("light")
        given = declare(self, TABLE)
        root = read_file(Path(given.text("root")))
        self._follower = Follower(root, Path(given.text("state")))
        self._client = self.create_client(GetProof, "get_proof")
        self._decisions = self.create_publisher(Decision, "verified_decisions", LATCHED)
        self._diagnostics = self.create_publisher(DiagnosticArray, DIAGNOSTICS, 10)
        self._pending: Any = None
        self._asked_s = 0.0
        self._next = 0
        self._level, self._said = DiagnosticStatus.WARN, "nothing is verified yet"
        self.create_timer(given.whole("every_ms") / 1000, self._on_timer)

    def destroy_node(self) -> None:
        """Let others have the state file, then end."""
        self._follower.close()
        super().destroy_node()

    def _on_timer(self) -> None:
        late = time.monotonic() - self._asked_s > _PATIENCE_S
        if self._pending is not None and late:
            self._client.remove_pending_request(self._pending)
            self._pending = None
            self._tell(DiagnosticStatus.WARN, "the prover does not answer")
        if self._pending is None and self.get_clock().now().nanoseconds:
            self._ask(Newest())
        self._report()

    def _ask(self, wanted: Wanted) -> None:
        if not self._client.service_is_ready():
            self._tell(DiagnosticStatus.WARN, "there is no prover")
            return
        asked = GetProof.Request(request=array.array("B", self._follower.request(wanted)))
        self._asked_s = time.monotonic()
        self._pending = self._client.call_async(asked)
        self._pending.add_done_callback(lambda future: self._on_answer(future, wanted))

    def _on_answer(self, future: Any, wanted: Wanted) -> None:
        if future is not self._pending:
            return  # it came too late
        self._pending = None
        now = datetime.fromtimestamp(self.get_clock().now().nanoseconds / 1e9, tz=timezone.utc)
        try:
            raw = bytes(future.result().answer)
            self._take(self._follower.take(raw, wanted, now))
        except NoAnswer as none:
            self._tell(DiagnosticStatus.WARN, none.what)
        except NotVerified as error:
            self.get_logger().error(error.explain(), throttle_duration_sec=_COMPLAIN_S)
            self._tell(DiagnosticStatus.ERROR, error.explain())
        except (Misuse, PeerFault) as error:
            self.get_logger().error(error.explain(), throttle_duration_sec=_COMPLAIN_S)
            self._tell(DiagnosticStatus.WARN, error.explain())

    def _take(self, verified: Verified) -> None:
        """Publish a decision if it is the next one; else ask for the next one first."""
        self._tell(DiagnosticStatus.OK, f"{verified.head.checkpoint.size} entries are verified")
        entry = verified.entry
        settled = parse_settled(entry.entry[1:])
        number = settled.decision.number
        if self._next and number > self._next:
            self._ask(ByNumber(self._next))
        elif number >= self._next:
            now = self.get_clock().now().to_msg()
            publish(self._decisions, decision_message(settled, entry.index, now))
            self._next = number + 1

    def _tell(self, level: bytes, said: str) -> None:
        self._level, self._said = level, said

    def _report(self) -> None:
        head = self._follower.head
        known = {"size": head.checkpoint.size, "epoch": head.epoch} if head else {}
        origin = head.checkpoint.origin if head else ""
        found = status(self._level, f"{self.get_name()}: ledger", self._said, origin, known)
        array_ = DiagnosticArray(status=[found])
        array_.header.stamp = self.get_clock().now().to_msg()
        publish(self._diagnostics, array_)


def make() -> Sequence[Node]:
    """Return the light client's node."""
    return (LightNode(),)


def main() -> None:
    """Follow until Ctrl-C."""
    sys.exit(run(make))


if __name__ == "__main__":
    main()
