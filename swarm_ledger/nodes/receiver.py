# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""secure_receiver: verifies signed messages, and republishes what holds under verified/."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.node import Node
from rclpy.serialization import deserialize_message
from swarm_interfaces.msg import Rejection, SignedMessage

from swarm_ledger.errors import Misuse, PeerFault
from swarm_ledger.identity.roster import Roster
from swarm_ledger.nodes.clock import NodeTime, tell_of_jump
from swarm_ledger.nodes.declaring import declare
from swarm_ledger.nodes.diagnostics import Board, status
from swarm_ledger.nodes.flight import Aboard, Ashore
from swarm_ledger.nodes.process import run
from swarm_ledger.nodes.publishing import publish
from swarm_ledger.nodes.qos import SIGNED, VERIFIED
from swarm_ledger.nodes.signed import (
    VERIFIED_PREFIX,
    Radio,
    message_class,
    notarised_message,
    publisher_of,
    type_hash,
)
from swarm_ledger.nodes.tables.secure_receiver import TABLE
from swarm_ledger.relay.statement import MAX_DATA_BYTES, MAX_SEALED_BYTES, Notarised
from swarm_ledger.relay.verifier import Limits, Receiver, Refused, Verified
from swarm_ledger.transport.budget import Patience

_LOOK_S = 0.5
_REPORT_S = 1.0
_COMPLAIN_S = 10.0
_MAX_MESSAGE_BYTES = MAX_DATA_BYTES + MAX_SEALED_BYTES + 2048
_MAX_TOPIC = 247
"""ROS's own limit, which a drone's topic below verified/ may exceed."""

_REASONS = {
    "malformed": Rejection.REASON_MALFORMED,
    "oversize": Rejection.REASON_OVERSIZE,
    "bad_signature": Rejection.REASON_BAD_SIGNATURE,
    "mismatch": Rejection.REASON_BAD_SIGNATURE,
    "other_swarm": Rejection.REASON_BAD_SIGNATURE,
    "other_epoch": Rejection.REASON_BAD_SIGNATURE,
    "stolen_session": Rejection.REASON_BAD_SIGNATURE,
    "unknown_key": Rejection.REASON_UNKNOWN_KEY,
    "not_a_member": Rejection.REASON_UNKNOWN_KEY,
    "wrong_role": Rejection.REASON_WRONG_ROLE,
    "stale": Rejection.REASON_EXPIRED,
    "future": Rejection.REASON_EXPIRED,
    "stale_session": Rejection.REASON_EXPIRED,
    "stale_member": Rejection.REASON_EXPIRED,
    "replayed": Rejection.REASON_REPLAYED,
    "too_late": Rejection.REASON_REPLAYED,
    "bad_path": Rejection.REASON_BAD_CERTIFICATE,
    "overload": Rejection.REASON_OVERLOAD,
    "too_many_sessions": Rejection.REASON_OVERLOAD,
}

_AT_ONCE = 100
_FLOODED = Refused(PeerFault("overload", "its publisher has too many refused."), "")


class _InForce(Protocol):
    def roster(self, now_s: int) -> Roster | None:
        """Return the roster in force."""


@dataclass
class _Outlet:
    """Where one drone's topic is republished, as the type that it had at first."""

    type_name: str
    type_hash: str
    publisher: Any


class ReceiverNode(Node):
    """Verifies what is on the signed topic.

    Parameters: either roster, the roster folder, or fleet and drone, on a drone; name, in
    rejections; max_age_ms, max_ahead_ms, reorder (see Limits); radio_domain and signed_topic.
    Publishes verified/<signer>/<topic> with the bytes that were signed, rejections, and
    diagnostics.
    """

    def __init__(self) -> None:
        super().__init__("secure_receiver")
        given = declare(self, TABLE)
        folder, fleet, drone = (given.text(name) for name in ("roster", "fleet", "drone"))
        self.unsent = 0
        self._name = given.text("name") or drone or "receiver"
        self.limits = Limits(
            given.whole("max_age_ms"), given.whole("max_ahead_ms"), given.whole("reorder")
        )
        self._in_force: _InForce
        if folder and not (fleet or drone):
            self._in_force = Ashore(Path(folder), self._complain)
        elif fleet and drone and not folder:
            self._in_force = Aboard(Path(fleet), drone, self._complain)
        else:
            raise Misuse(
                f"{self.get_fully_qualified_name()} needs either roster, or fleet and drone.",
                remedy="Give -p roster:=FOLDER; on a drone, -p fleet:=FILE -p drone:=NAME.",
            )
        self._radio = Radio(self, given)
        self._time = NodeTime(self, tell_of_jump(self))
        self._receiver: Receiver | None = None
        self._patience = Patience()
        self._outlets: dict[tuple[str, str], _Outlet] = {}
        self._told: dict[tuple[str, str], int] = {}
        self._rejections = self.create_publisher(Rejection, "rejections", VERIFIED)
        self._board = Board(self)
        # Raw, so that what can't be deserialised, or is too large for that, is counted.
        self._subscription = self._radio.node.create_subscription(
            SignedMessage, self._radio.topic, self._on_message, SIGNED, raw=True
        )
        self._on_look()
        self.create_timer(_LOOK_S, self._on_look)
        self.create_timer(_REPORT_S, self._on_report)

    def nodes(self) -> Sequence[Node]:
        """Return this node, and that on the air where it is another."""
        return (self,) if self._radio.node is self else (self, self._radio.node)

    def destroy_node(self) -> None:
        """Leave the air, then end."""
        self._radio.close()
        super().destroy_node()

    def _complain(self, what: str) -> None:
        self.get_logger().error(what, throttle_duration_sec=_COMPLAIN_S)

    def _on_look(self) -> None:
        now_us = self._time.now_us()
        roster = self._in_force.roster(now_us // 1_000_000) if now_us else None
        if roster is None:
            return
        if self._receiver is None:
            self._receiver = Receiver(roster, self.limits, now_us)
        elif roster.version != self._receiver.verifier.roster.version:
            self.get_logger().info(f"roster version {roster.version} is in force")
            self._receiver.enter(roster)

    def _on_message(self, raw: bytes, info: Any) -> None:
        self._hear(raw, info)
        for _ in range(_AT_ONCE):  # the executor would take far longer over each than we do
            taken = self._subscription.handle.take_message(SignedMessage, True)
            if taken is None:
                return
            self._hear(*taken)

    def _hear(self, raw: bytes, info: Any) -> None:
        receiver, now_us = self._receiver, self._time.now_us()
        if receiver is None:
            return
        publisher, now_ms = publisher_of(info), now_us // 1_000
        if publisher and self._patience.spent(publisher, now_ms):
            receiver.count(_FLOODED)
        elif not self._judge(receiver, raw, now_us):
            self._patience.try_it(publisher, now_ms)

    def _judge(self, receiver: Receiver, raw: bytes, now_us: int) -> bool:
        """Republish a message if it holds; return whether it does."""
        try:
            message = _parse(raw)
        except PeerFault as fault:
            receiver.count(Refused(fault, ""))
            return False
        try:
            verified = receiver.take(message, now_us)
        except Refused:
            return False
        try:
            self._republish(verified, message)
        except Refused as refused:
            receiver.count(refused)
        return True

    def _republish(self, verified: Verified, message: Notarised) -> None:
        name, topic = verified.author.name, message.topic
        outlet = self._outlets.get((name, topic))
        if outlet is None:
            outlet = self._outlets[name, topic] = self._outlet(name, message)
        if outlet.type_name != message.type_name:
            raise Refused(PeerFault("other_type", f"{topic} was {outlet.type_name}."), name)
        if message.type_hash and outlet.type_hash not in ("", message.type_hash):
            fault = PeerFault("other_definition", f"{message.type_name} is another one here.")
            raise Refused(fault, name)
        if not publish(outlet.publisher, message.data):
            self.unsent += 1

    def _outlet(self, name: str, message: Notarised) -> _Outlet:
        topic = self.resolve_topic_name(f"{VERIFIED_PREFIX}/{name}{message.topic}")
        if len(topic) > _MAX_TOPIC:
            raise Refused(PeerFault("bad_name", f"{topic} is too long."), name)
        try:
            form = message_class(message.type_name)
        except Misuse as error:
            self._complain(error.explain())
            raise Refused(PeerFault("unknown_type", error.what), name) from error
        publisher = self.create_publisher(form, topic, VERIFIED)
        ours = [type_hash(info) for info in self.get_publishers_info_by_topic(topic)]
        self.get_logger().info(f"republishing {topic} ({message.type_name})")
        return _Outlet(message.type_name, next(filter(None, ours), ""), publisher)

    def _on_report(self) -> None:
        receiver = self._receiver
        if receiver is None:
            return
        stamp = self.get_clock().now().to_msg()
        fresh = 0
        for (reason, signer), count in receiver.rejections.items():
            before = self._told.get((reason, signer), 0)
            if count == before:
                continue
            fresh += count - before
            self._told[reason, signer] = count
            rejection = Rejection(
                reason=_REASONS.get(reason, Rejection.REASON_UNKNOWN),
                drone=self._name,
                reason_name=reason,
                topic=self._radio.topic,
                peer=signer,
                count=count,
            )
            rejection.header.stamp = stamp
            publish(self._rejections, rejection)
        self._board.show(*self._statuses(receiver, fresh))

    def _statuses(self, receiver: Receiver, fresh: int) -> list[DiagnosticStatus]:
        """Return a status of our own, and one for each drone that was heard."""
        title, roster = f"{self.get_name()}: {self._name}", receiver.verifier.roster
        by_reason: dict[str, int] = {}
        for (reason, _), count in receiver.rejections.items():
            by_reason[reason] = by_reason.get(reason, 0) + count
        accepted = sum(heard.accepted for heard in receiver.heard.values())
        level = DiagnosticStatus.WARN if fresh else DiagnosticStatus.OK
        said = f"{fresh} refused in the last {_REPORT_S:.0f} s" if fresh else "nothing refused"
        counts = {"accepted": accepted, "unsent": self.unsent}
        values = {"epoch": roster.version, **counts, **by_reason}
        statuses = [status(level, title, said, self._name, values)]
        for name, heard in receiver.heard.items():
            ahead = "" if heard.ahead_us is None else f"{heard.ahead_us / 1000:.1f}"
            each = {"accepted": heard.accepted, "lost": receiver.lost(name), "ahead_ms": ahead}
            heard.ahead_us = None
            drone_id = roster.named(name).drone_id
            statuses.append(
                status(DiagnosticStatus.OK, f"{title}: {name}", "heard", drone_id, each)
            )
        return statuses


def _parse(raw: bytes) -> Notarised:
    if len(raw) > _MAX_MESSAGE_BYTES:
        raise PeerFault("oversize", f"{len(raw)} bytes.")
    try:
        return notarised_message(deserialize_message(raw, SignedMessage))
    except PeerFault:
        raise
    except Exception as error:  # rmw has no error of its own for what is no message
        raise PeerFault("malformed", f"not a SignedMessage: {error}.") from error


def make() -> Sequence[Node]:
    """Return the receiver's nodes."""
    return ReceiverNode().nodes()


def main() -> None:
    """Verify until Ctrl-C."""
    sys.exit(run(make))


if __name__ == "__main__":
    main()
