# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Attacks on four running ROS 2 drones, on /swarm/envelopes and on their inboxes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from swarm_ledger.consensus.messages import Status
from swarm_ledger.encoding import encode
from swarm_ledger.envelope import MAX_ENVELOPE_BYTES, Kind, kind_of, seal
from swarm_ledger.identity import cose
from swarm_ledger.identity.roster import parse_roster, render_roster
from swarm_ledger.signers import SoftwareSigner
from tests.assault.field import Field, TopicWire
from tests.patience import PATIENCE_S

EVERYBODY = "/swarm/envelopes"
_FULL = """
import sys
from pathlib import Path
import rclpy
from rclpy._rclpy_pybind11 import RCLError
from swarm_ledger.nodes.transport import RosTransport
from swarm_ledger.runtime.fleet import Fleet

class Full:
    def publish(self, message):
        raise RCLError("Failed to publish: cannot publish data")

rclpy.init()
fleet = Fleet.load(Path(sys.argv[1]))
transport = RosTransport(rclpy.create_node("full"), fleet.roster, 0)
transport._everybody = transport._inboxes[1] = Full()
transport.broadcast(b"x")
transport.send(1, b"x")
transport.send(2, b"x")
print(dict(transport.inbox.dropped))
"""


@pytest.fixture
def stranger(on_topics: Field) -> Iterator[TopicWire]:
    """A node that has no key."""
    wire = on_topics.topic_wire()
    yield wire
    wire.close()
    on_topics.wires.remove(wire)


def test_forged_flipped_and_replayed(topics: Field, stranger: TopicWire) -> None:
    """By a stranger, on either topic, in Envelopes whose other fields are lies."""
    evil, roster, before = SoftwareSigner.generate(), topics.roster, topics.faults()
    other = parse_roster(render_roster("another", 1, list(roster.members)))
    said = topics.captured()
    vote = next(raw for raw in said if kind_of(raw) is Kind.VOTE)
    payload = cose.parse1(vote[1:], limit=4096).payload
    flipped = [
        vote[:at] + bytes([vote[at] ^ 4]) + vote[at + 1 :] for at in (40, 90, len(vote) - 1)
    ]
    theirs = seal(Kind.QUESTION, payload, topics.operator, other)
    for to in ((), topics.names):
        stranger.send(seal(Kind.VOTE, payload, evil, roster), to)
        stranger.send(seal(Kind.CONSENSUS, encode(Status(9, 9, 9)), evil, roster), to)
        stranger.send(theirs, to)
        stranger.send(bytes([Kind.CONSENSUS]) + vote[1:], to)
        stranger.send(b"\x03\xd2" + b"\x81" * 100_000, to)
        for raw in (*flipped, *said):
            stranger.send(raw, to)
    topics.refused(before, unknown_key=4, bad_signature=10, malformed=2)
    assert not topics.blamed()


def test_what_is_no_envelope_and_what_is_too_large(topics: Field, stranger: TopicWire) -> None:
    before = topics.overload()
    for topic in (EVERYBODY, *(f"/swarm/inbox/{name}" for name in topics.names)):
        stranger.say(topic=topic, raw=(b"\x00\x01\x00\x00" + b"\xff" * 40).hex())
        stranger.say(topic=topic, sealed=bytes(MAX_ENVELOPE_BYTES + 1).hex())

    def counted() -> bool:
        now = topics.overload()
        return all(now[name]["malformed"] >= before[name]["malformed"] + 4 for name in now)

    topics.until("each drone counts four of them", counted)


def test_a_reader_that_is_too_slow_ends_nobody(topics: Field) -> None:
    """DDS refuses to publish while a reliable reader keeps its history full."""
    done = subprocess.run(
        [sys.executable, "-c", _FULL, str(topics.home / "fleet.yaml")],
        env=topics.environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.stdout == "{'unsent': 2}\n", done


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "sources"), [("noise", "5"), ("forged", "1")])
def test_garbage(topics: Field, kind: str, sources: str) -> None:
    """10,000 messages a second of so many publishers, half to all, half to the inboxes."""
    topics.endures("--kind", kind, "--sources", sources)


@pytest.mark.slow
def test_a_member_that_floods_with_true_statements(topics: Field) -> None:
    topics.endures("--kind", "member")
    topics.settle()
