# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Sealed bytes over ROS 2 topics: one that all hear, and an inbox for each drone."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Collection
from typing import Any

from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.serialization import deserialize_message
from swarm_interfaces.msg import Envelope

from swarm_ledger.envelope import MAX_ENVELOPE_BYTES
from swarm_ledger.identity.roster import Roster
from swarm_ledger.nodes.publishing import publish
from swarm_ledger.nodes.qos import ENVELOPES
from swarm_ledger.nodes.signed import publisher_of
from swarm_ledger.runtime.drone import Drone
from swarm_ledger.runtime.fleet import Fleet
from swarm_ledger.transport.budget import Arrived, Inbox

EVERYBODY = "/swarm/envelopes"
INBOX = "/swarm/inbox"

LINGER_MS = 5
"""How long to wait for what answers what was heard: about what it takes a peer on a good link."""

_MAX_MESSAGE_BYTES = MAX_ENVELOPE_BYTES + 1024
_AT_ONCE = 1_000
"""Messages of a topic that are taken from the middleware in one go: as many as it keeps."""


class RosTransport:
    """One member's end: publishes on the others' topics, listens to its own and the common one.

    member: None for who is no drone, and only says and hears what is for everybody. on_arrival is
    called when the executor hands a message over: receive() then has all that came. inbox: what
    waits here, by publisher where rclpy tells who that is (not on Humble), as it came: it is
    parsed when its turn comes. "unsent" among what it counts is what DDS did not take from us.
    Nothing in a message around the sealed bytes is trusted.
    """

    def __init__(
        self,
        node: Node,
        roster: Roster,
        member: int | None,
        on_arrival: Callable[[], None] = lambda: None,
    ) -> None:
        self._node, self._on_arrival = node, on_arrival
        self._own = None if member is None else roster.members[member].name
        self._roster = roster
        self._followed: list[int] = []
        self.inbox = Inbox()
        self._looked_at: list[Arrived] = []
        self._everybody = node.create_publisher(Envelope, EVERYBODY, ENVELOPES)
        self._topics: dict[str, Publisher] = {}
        self._inboxes: dict[int, Publisher] = {}
        self.learn(roster)
        heard = [EVERYBODY] + [f"{INBOX}/{self._own}"] * (self._own is not None)
        # Raw, so that what can't be deserialised, or is too large for that, is counted.
        self._subscriptions = [
            node.create_subscription(Envelope, topic, self._hear, ENVELOPES, raw=True)
            for topic in heard
        ]

    def learn(self, roster: Roster) -> None:
        """Find the inboxes of a later roster's members; one with a new key keeps its inbox."""
        self._roster = roster
        if self._own is None:
            return
        for other in (roster.members[index] for index in roster.flying):
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
            self.publish(inbox, self._envelope(data))

    def broadcast(self, data: bytes) -> None:
        """Send to all other members."""
        self.publish(self._everybody, self._envelope(data))

    def publish(self, publisher: Publisher, message: Any) -> None:
        """Publish something of this drone; what DDS does not take is counted."""
        if not publish(publisher, message):
            self.inbox.dropped["unsent"] += 1

    def _envelope(self, data: bytes) -> Envelope:
        message = Envelope()
        message.kind = data[0]
        message.swarm_id = self._roster.swarm_id
        message.epoch = self._roster.version
        message.data = array("B", data)
        return message

    def follow(self, fleet: Fleet, drone: Drone, now_ms: int) -> None:
        """Find the inboxes of the roster that the ledger has reached, and of the newest one."""
        rosters = drone.roster, fleet.trust.newest
        versions = [roster.version for roster in rosters]
        if versions != self._followed:
            self._followed = versions
            for roster in sorted(rosters, key=lambda one: one.version):
                self.learn(roster)

    def report(self) -> dict[str, Any]:
        """Return what was dropped, by reason; DDS encrypts where SROS 2 has it do so."""
        return {"links": "dds", "overload": dict(self.inbox.dropped)}

    def receive(self, timeout_ms: int = 0) -> list[bytes]:
        """Wait at most that long for messages; return what is to be looked at, in fair turns.

        A bounded number. See judge(). The executor does nothing else meanwhile.
        """
        self._collect()
        if timeout_ms > 0 and not self.inbox.waits(_now_ms()):
            self._wait(timeout_ms)
            self._collect()
        now_ms = _now_ms()
        self._looked_at, messages = [], []
        for arrived in self.inbox.take(now_ms):
            data = _sealed(arrived.data)
            if data is None:
                self.inbox.dropped["malformed"] += 1
                self.inbox.judge([arrived], [0], now_ms)
            else:
                self._looked_at.append(arrived)
                messages.append(data)
        return messages

    def _wait(self, timeout_ms: int) -> None:
        """Wait for what is ours alone, as rclpy.wait_for_message() does.

        The executor gathers all that its nodes have each time that it waits: a millisecond.
        """
        topics = self._subscriptions
        waits = rclpy_implementation.WaitSet(len(topics), 0, 0, 0, 0, 0, self._node.context.handle)
        waits.clear_entities()
        for subscription in topics:
            waits.add_subscription(subscription.handle)
        waits.wait(timeout_ms * 1_000_000)

    def _collect(self) -> None:
        now_ms = _now_ms()
        for subscription in self._subscriptions:
            for _ in range(_AT_ONCE):  # the executor would take far longer over each than we do
                taken = subscription.handle.take_message(Envelope, True)
                if taken is None:
                    break
                raw, info = taken
                self._put(raw, info, now_ms)

    def judge(self, refused: Collection[int]) -> None:
        """Note which of what receive() returned last was refused, by its place; the rest held."""
        self.inbox.judge(self._looked_at, refused, _now_ms())
        self._looked_at = []

    def _hear(self, raw: bytes, info: Any) -> None:
        self._put(raw, info, _now_ms())
        self._on_arrival()

    def _put(self, raw: bytes, info: Any, now_ms: int) -> None:
        if len(raw) > _MAX_MESSAGE_BYTES:
            self.inbox.dropped["malformed"] += 1
        else:
            self.inbox.put(publisher_of(info), raw, now_ms)


def _sealed(raw: bytes) -> bytes | None:
    """Return the sealed bytes in a serialised Envelope, None if it is none."""
    try:
        data = bytes(deserialize_message(raw, Envelope).data)
    except Exception:  # rmw has no error of its own for what is no message
        return None
    return data if len(data) <= MAX_ENVELOPE_BYTES else None


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000
