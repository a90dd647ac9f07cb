# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Sealed bytes over ROS 2 topics: one that all hear, and an inbox for each drone."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterator

from rclpy.node import Node
from rclpy.publisher import Publisher
from swarm_interfaces.msg import Envelope

from swarm_ledger.envelope import MAX_ENVELOPE_BYTES
from swarm_ledger.identity.roster import Roster
from swarm_ledger.nodes.qos import ENVELOPES

EVERYBODY = "/swarm/envelopes"
INBOX = "/swarm/inbox"

_MAX_WAITING_BYTES = 1 << 26


class RosTransport:
    """One member's end: publishes on the others' topics, listens to its own and the common one.

    What arrives waits in a queue that is bounded in bytes, so that a flood costs its own messages
    and no memory. Nothing in a message around the sealed bytes is trusted.
    """

    def __init__(self, node: Node, roster: Roster, member: int) -> None:
        self._node, self._own = node, roster.members[member].name
        self._roster = roster
        self._arrived: deque[bytes] = deque()
        self._waiting = 0
        self.dropped = 0
        self._everybody = node.create_publisher(Envelope, EVERYBODY, ENVELOPES)
        self._topics: dict[str, Publisher] = {}
        self._inboxes: dict[int, Publisher] = {}
        self.learn(roster)
        for topic in (EVERYBODY, f"{INBOX}/{self._own}"):
            node.create_subscription(Envelope, topic, self._receive, ENVELOPES)

    def learn(self, roster: Roster) -> None:
        """Find the inboxes of a later roster's members; one with a new key keeps its inbox."""
        self._roster = roster
        for other in (roster.members[index] for index in roster.validators):
            if other.name == self._own:
                continue
            topic = f"{INBOX}/{other.name}"
            if topic not in self._topics:
                publisher = self._node.create_publisher(Envelope, topic, ENVELOPES)
                self._topics[topic] = publisher
            self._inboxes[other.index] = self._topics[topic]

    def send(self, to: int, data: bytes) -> None:
        """Send to one member; dropped if it has no inbox."""
        inbox = self._inboxes.get(to)
        if inbox is not None:
            inbox.publish(self._envelope(data))

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

    def arrived(self) -> Iterator[bytes]:
        """Take out what has arrived, oldest first."""
        while self._arrived:
            data = self._arrived.popleft()
            self._waiting -= len(data)
            yield data

    def _receive(self, message: Envelope) -> None:
        data = bytes(message.data)
        if len(data) > MAX_ENVELOPE_BYTES or self._waiting + len(data) > _MAX_WAITING_BYTES:
            self.dropped += 1
            return
        self._waiting += len(data)
        self._arrived.append(data)
