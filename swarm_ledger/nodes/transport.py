# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Sealed bytes over ROS 2 topics: one that all hear, and an inbox for each drone."""

from __future__ import annotations

from array import array
from collections.abc import Callable

from rclpy.node import Node
from swarm_interfaces.msg import Envelope

from swarm_ledger.identity.roster import Roster
from swarm_ledger.nodes.qos import ENVELOPES

EVERYBODY = "/swarm/envelopes"
INBOX = "/swarm/inbox"


class RosTransport:
    """One member's end: publishes on the others' topics, listens to its own and the common one.

    on_message: receives the bytes, from whoever; nothing in the message around them is trusted.
    """

    def __init__(
        self, node: Node, roster: Roster, member: int, on_message: Callable[[bytes], None]
    ) -> None:
        self._roster, self._on_message = roster, on_message
        self._everybody = node.create_publisher(Envelope, EVERYBODY, ENVELOPES)
        self._inboxes = {
            other.index: node.create_publisher(Envelope, f"{INBOX}/{other.name}", ENVELOPES)
            for other in roster.members
            if other.index in roster.validators and other.index != member
        }
        own = f"{INBOX}/{roster.members[member].name}"
        for topic in (EVERYBODY, own):
            node.create_subscription(Envelope, topic, self._receive, ENVELOPES)

    def send(self, to: int, data: bytes) -> None:
        """Send to one member."""
        self._inboxes[to].publish(self._envelope(data))

    def broadcast(self, data: bytes) -> None:
        """Send to all other members."""
        self._everybody.publish(self._envelope(data))

    def _envelope(self, data: bytes) -> Envelope:
        message = Envelope()
        message.kind = data[0]
        message.swarm_id = self._roster.swarm_id
        message.epoch = self._roster.version
        message.data = array("B", data)
        return message

    def _receive(self, message: Envelope) -> None:
        self._on_message(bytes(message.data))
