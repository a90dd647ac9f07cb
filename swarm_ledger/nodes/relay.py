# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""secure_relay: signs what a drone's own topics say, of any type, as it went over the wire."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.node import Node
from rclpy.qos import QoSProfile
from swarm_interfaces.msg import SignedMessage

from swarm_ledger.errors import Misuse
from swarm_ledger.nodes.clock import NodeTime, tell_of_jump
from swarm_ledger.nodes.diagnostics import Board, status
from swarm_ledger.nodes.flight import Aboard
from swarm_ledger.nodes.lifecycle import ManagedNode
from swarm_ledger.nodes.process import run
from swarm_ledger.nodes.publishing import publish
from swarm_ledger.nodes.qos import SIGNED
from swarm_ledger.nodes.signed import (
    Radio,
    adapted,
    message_class,
    relayable,
    signed_message,
    type_hash,
)
from swarm_ledger.nodes.tables.secure_relay import TABLE
from swarm_ledger.relay.anchor import LEAST_ANCHOR_MS, Anchoring
from swarm_ledger.relay.sender import Credentials, Sender
from swarm_ledger.relay.statement import Notarised
from swarm_ledger.relay.verifier import MAX_TOPICS_PER_MEMBER
from swarm_ledger.runtime.courier import Outbox
from swarm_ledger.runtime.fleet import Fleet
from swarm_ledger.runtime.fleet_file import SignEntry
from swarm_ledger.runtime.identity import Identity
from swarm_ledger.runtime.starts import next_run

_LOOK_S = 0.5
_COMPLAIN_S = 10.0


@dataclass
class _Ear:
    """A topic that is listened to."""

    type_name: str
    qos: QoSProfile
    subscription: Any


class RelayNode(ManagedNode):
    """Signs the messages of some topics with the drone's session.

    Which ones, and how, its parameters say (docs/parameters/secure_relay.md), or else the section
    `sign` of the fleet file. Topics and types are found by ROS's graph, and QoS is that of the
    publishers.
    """

    def __init__(self, **node_arguments: Any) -> None:
        super().__init__("secure_relay", TABLE, **node_arguments)
        self.drone = self.given.text("drone")
        self._time = NodeTime(self, tell_of_jump(self))
        self._outbox: Outbox | None = None
        self._radio: Radio | None = None
        self._ears: dict[str, _Ear] = {}
        self._identity: Identity | None = None
        self._sender: Sender | None = None
        self.signed = self.unsigned = self.unsent = 0

    def open(self) -> None:
        """Find out what to sign, and go on the air."""
        path = Path(self.given.text("fleet"))
        self._sign = sign = self._wanted(path)
        self._singly, self._batched = self._patterns(sign.topics), self._patterns(sign.batched)
        begins = self.given.flag("begin_session")
        self._aboard = Aboard(path, self.drone, self._complain, begins=begins)
        self._radio = Radio(self, self.given)
        self._topic = self._radio.topic
        self._publisher = self._radio.node.create_publisher(
            SignedMessage, self._radio.topic, SIGNED
        )
        self._board = Board(self)
        self.create_timer(2 * _LOOK_S, self._on_diagnostics)

    def start(self) -> None:
        """Begin to look for topics, and to sign."""
        self.create_timer(_LOOK_S, self._on_look)
        self.create_timer(self._sign.window_ms / 1000, self._on_window)

    def stop(self) -> None:
        """Send what waits, and listen no more."""
        self._on_window()
        try:
            self._anchor(last=True)
        except Misuse as error:
            self._complain(error.explain())
        if self._outbox is not None:
            self._outbox.close()
        self._outbox = self._sender = self._identity = None
        self._ears = {}

    def close(self) -> None:
        """Leave the air."""
        if self._radio is not None:
            if self._radio.node is not self:
                self._radio.node.destroy_publisher(self._publisher)
            self._radio.close()
            self._radio = None

    def _wanted(self, path: Path) -> SignEntry:
        """Return what to sign, by parameters, or else by the fleet file; Misuse for nothing."""
        topics, batched = self.given.texts("topics"), self.given.texts("batched")
        if not (topics or batched):
            sign = Fleet.load(path).sign(self.drone)
            if sign is None:
                raise Misuse(
                    f"neither topics nor batched of {self.get_fully_qualified_name()} is set, and "
                    f"the fleet file names no topics to sign for {self.drone}.",
                    remedy="""Name them there, in its section sign; or -p topics:="['odom']".""",
                )
            return sign
        anchor_ms = self.given.whole("anchor_ms")
        if 0 < anchor_ms < LEAST_ANCHOR_MS:
            raise Misuse(
                f"anchor_ms is {anchor_ms}, and the ledger takes no anchors that often.",
                remedy=f"Give 0, to anchor nothing, or {LEAST_ANCHOR_MS} and more.",
            )
        window_ms, announce_ms = self.given.whole("window_ms"), self.given.whole("announce_ms")
        return SignEntry(topics, batched, window_ms, announce_ms, anchor_ms)

    def _patterns(self, given: list[str]) -> list[str]:
        prefix = self.get_namespace().rstrip("/")
        return [one if one.startswith("/") else f"{prefix}/{one}" for one in given]

    def _complain(self, what: str) -> None:
        self.get_logger().error(what, throttle_duration_sec=_COMPLAIN_S)

    def _on_look(self) -> None:
        now_us = self._time.now_us()
        if not now_us:
            return  # simulated time has not begun
        try:
            self._take_up(now_us // 1_000_000)
            self._anchor()
        except Misuse as error:
            self._complain(error.explain())
        for topic, types in self.get_topic_names_and_types():
            wanted = any(fnmatchcase(topic, one) for one in (*self._singly, *self._batched))
            if wanted and relayable(topic, types) and topic != self._topic:
                self._listen(topic, types)

    def _take_up(self, now_s: int) -> None:
        """Sign with the drone's newest session."""
        identity = self._aboard.identity(now_s)
        if identity is None:
            self._complain(f"{self.drone} has no session yet: nothing is signed.")
        elif self._identity is None or identity.delegation != self._identity.delegation:
            self._on_window()
            credentials = Credentials(identity.roster, identity.session, identity.delegation)
            if self._sender is None:
                self._sender = Sender(
                    credentials,
                    self._next_run,
                    announce_us=1_000 * self._sign.announce_ms,
                    anchoring=self._moor(),
                )
            else:
                self._sender.change(credentials)
            self._identity = identity

    def _next_run(self) -> int:
        return next_run(self._aboard.folder, self._time.now_us() // 1_000_000)

    def _moor(self) -> Anchoring | None:
        """Begin to anchor, unless another relay of this drone does."""
        if not self._sign.anchor_ms:
            return None
        try:
            self._outbox = Outbox(self._aboard.folder)
        except Misuse as error:
            self._complain(error.explain())
            return None
        return Anchoring(1_000 * self._sign.anchor_ms, self._outbox.pending())

    def _anchor(self, *, last: bool = False) -> None:
        """Hand in what is to be anchored now: on disk first, so that it isn't forgotten."""
        told = self._outbox.told() if self._outbox else None
        if self._outbox is None or self._sender is None or told is None:
            return
        anchored = self._sender.anchor(told, self._time.now_us(), last=last)
        if anchored is not None:
            self._outbox.put(anchored.sealed)
            if anchored.leaves is not None:
                self._send(anchored.leaves)

    def _listen(self, topic: str, types: Sequence[str]) -> None:
        publishers = self.get_publishers_info_by_topic(topic)
        ear = self._ears.get(topic)
        if not publishers or (ear is None and len(self._ears) >= MAX_TOPICS_PER_MEMBER):
            return
        if len(types) != 1:
            self._complain(f"{topic} has several types: {', '.join(types)}. It isn't relayed.")
            return
        qos = adapted(publishers)
        if ear is not None and (ear.type_name, ear.qos) == (types[0], qos):
            return
        try:
            form = message_class(types[0])
        except Misuse as error:
            self._complain(error.explain())
            return
        if ear is not None:
            self.destroy_subscription(ear.subscription)
        hashed = next(filter(None, map(type_hash, publishers)), "")
        singly = any(fnmatchcase(topic, one) for one in self._singly)

        def heard(data: bytes) -> None:
            self._on_message(topic, types[0], hashed, data, singly)

        subscription = self.create_subscription(form, topic, heard, qos, raw=True)
        self._ears[topic] = _Ear(types[0], qos, subscription)
        self.get_logger().info(f"signing {topic} ({types[0]})")

    def _on_message(
        self, topic: str, type_name: str, hashed: str, data: bytes, singly: bool
    ) -> None:
        if self._sender is None:
            self.unsigned += 1
            return
        now_us = self._time.now_us()
        try:
            if singly:
                self._send(self._sender.sign(topic, type_name, hashed, data, now_us))
            elif self._sender.add(topic, type_name, hashed, data, now_us):
                self._on_window()
        except Misuse as error:
            self.unsigned += 1
            self._complain(error.explain())

    def _on_window(self) -> None:
        if self._sender is not None:
            for notarised in self._sender.close(self._time.now_us()):
                self._send(notarised)

    def _send(self, notarised: Notarised) -> None:
        if publish(self._publisher, signed_message(notarised)):
            self.signed += 1
        else:
            self.unsent += 1

    def _on_diagnostics(self) -> None:
        identity, sender = self._identity, self._sender
        anchoring = sender.anchoring if sender else None
        level = DiagnosticStatus.OK if identity else DiagnosticStatus.WARN
        name = f"{self.get_name()}: {self.drone}"
        hardware = f"{identity.member.drone_id}/{identity.session_kid.hex()}" if identity else ""
        said = "signing" if identity else "no session yet"
        values = {
            "topics": len(self._ears),
            "signed": self.signed,
            "signatures": sender.signatures if sender else 0,
            "unsigned": self.unsigned,
            "unsent": self.unsent,
            "anchored": anchoring.anchored if anchoring else 0,
            "anchor_waits": bool(anchoring and anchoring.pending),
            "not_anchored": anchoring.gathering.left_out if anchoring else 0,
            "epoch": identity.roster.version if identity else 0,
        }
        self._board.show(status(level, name, said, hardware, values))


def make() -> Sequence[Node]:
    """Return the relay's node."""
    return (RelayNode(),)


def main() -> None:
    """Relay until Ctrl-C."""
    sys.exit(run(make))


if __name__ == "__main__":
    main()
