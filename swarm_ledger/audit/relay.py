# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Signed messages in a recorded bag, checked with the roster alone: no ROS, no ledger, no clock.

The bag is read by rosbags, an optional library. What the bag itself says about a message, its
time and the topic it was recorded from, is nobody's signature and isn't believed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from swarm_ledger.errors import Misuse, PeerFault
from swarm_ledger.identity.session import Session
from swarm_ledger.identity.trust import Trust
from swarm_ledger.relay.statement import MAX_DATA_BYTES, MAX_SEALED_BYTES, Notarised, micros
from swarm_ledger.relay.stream import Stream
from swarm_ledger.relay.verifier import Refused, Verified, Verifier

SIGNED_TYPE = "swarm_interfaces/msg/SignedMessage"
_MAX_RAW_BYTES = MAX_DATA_BYTES + MAX_SEALED_BYTES + 2048
_REORDER = 1 << 14
"""A recording is in the order of arrival, and several relays and links may be far apart."""


@dataclass
class Said:
    """What one drone said on one topic. lost: gaps in its numbers, ends not counted."""

    type_name: str
    messages: int = 0
    bytes: int = 0
    lost: int = 0


@dataclass(frozen=True, slots=True)
class Wrong:
    """A message that doesn't hold. position: among the bag's signed messages, from 0."""

    position: int
    bag_topic: str
    recorded_ns: int
    reason: str
    what: str


@dataclass
class BagReport:
    """What a bag proves. said: by (drone, topic); rejected: by reason; first: the first wrong."""

    messages: int = 0
    said: dict[tuple[str, str], Said] = field(default_factory=dict)
    rejected: Counter[str] = field(default_factory=Counter)
    first: Wrong | None = None

    @property
    def accepted(self) -> int:
        """How many messages hold."""
        return self.messages - self.rejected.total()

    @property
    def holds(self) -> bool:
        """Whether each message holds."""
        return not self.rejected


@dataclass(frozen=True, slots=True)
class _Recorded:
    bag_topic: str
    recorded_ns: int
    message: Notarised | PeerFault


def check_bag(
    path: Path,
    trust: Trust,
    heard: Callable[[Verified, Notarised], None] = lambda _one, _other: None,
    refused: Callable[[Notarised, PeerFault], None] = lambda _one, _other: None,
) -> BagReport:
    """Verify each signed message of a bag, in any epoch that `trust` knows.

    A message that is there twice is "replayed". heard: called with each that holds; refused: with
    each that doesn't, if it has a form at all. Misuse if the bag can't be read, or has none.
    """
    verifiers = {version.roster.version: Verifier(version.roster) for version in trust.versions}
    newest = verifiers[trust.newest.version]
    for recorded in _read(path):  # a delegation may come after what it is needed for
        if isinstance(recorded.message, Notarised):
            _learn(verifiers.get(recorded.message.epoch, newest), recorded.message)
    report = BagReport()
    streams: dict[tuple[Session, str], Stream] = {}
    for recorded in _read(path):
        report.messages += 1
        try:
            if isinstance(recorded.message, PeerFault):
                raise recorded.message
            message = recorded.message
            verified = verifiers.get(message.epoch, newest).verify(message)
            _take(report, streams, verified, message)
            heard(verified, message)
        except PeerFault as fault:
            if isinstance(recorded.message, Notarised):
                refused(recorded.message, fault)
            report.rejected[fault.reason] += 1
            report.first = report.first or Wrong(
                report.messages - 1,
                recorded.bag_topic,
                recorded.recorded_ns,
                fault.reason,
                fault.what,
            )
    return report


def _learn(verifier: Verifier, message: Notarised) -> None:
    try:
        verifier.learn(message)
    except PeerFault:
        return  # told when the message itself is verified


def _take(
    report: BagReport,
    streams: dict[tuple[Session, str], Stream],
    verified: Verified,
    message: Notarised,
) -> None:
    statement = verified.statement
    stream = streams.setdefault((verified.session, statement.topic), Stream(_REORDER))
    fault = stream.fault(statement.sequence)
    if fault:
        raise Refused(PeerFault(fault, f"{statement.sequence} again."), verified.author.name)
    before = stream.lost
    stream.mark(statement.sequence)
    key = verified.author.name, statement.topic
    said = report.said.setdefault(key, Said(statement.type_name))
    said.messages += 1
    said.bytes += len(message.data)
    said.lost += stream.lost - before


def _read(path: Path) -> Iterator[_Recorded]:
    """Yield a bag's signed messages as they were recorded."""
    try:
        from rosbags.highlevel import AnyReader, AnyReaderError  # noqa: PLC0415  - optional
    except ImportError as error:
        raise Misuse(
            "reading a bag needs the library rosbags.",
            remedy="Install it: pip install 'swarm_ledger[bags]'.",
        ) from error
    if not path.exists():
        raise Misuse(f"there is no bag {path}.")
    try:
        with AnyReader([path]) as reader:
            signed = [one for one in reader.connections if one.msgtype == SIGNED_TYPE]
            if not sum(one.msgcount for one in signed):
                raise Misuse(f"{path} has no message of type {SIGNED_TYPE}.")
            for connection, recorded_ns, raw in reader.messages(signed):
                yield _Recorded(connection.topic, recorded_ns, _parse(reader, raw))
    except AnyReaderError as error:
        raise Misuse(f"{path} can't be read as a bag: {error}.") from error


def _parse(reader: Any, raw: bytes) -> Notarised | PeerFault:
    """Return the message in its CDR bytes, or why there is none."""
    if len(raw) > _MAX_RAW_BYTES:
        return PeerFault("oversize", f"{len(raw)} bytes.")
    try:
        found = reader.deserialize(raw, SIGNED_TYPE)
        stamp, envelope = found.header.stamp, found.envelope
        return Notarised(
            topic=str(found.topic),
            type_name=str(found.type),
            type_hash=str(found.type_hash),
            sequence=int(found.sequence),
            stamp_us=micros(int(stamp.sec), int(stamp.nanosec)),
            data=bytes(found.data),
            swarm_id=str(envelope.swarm_id),
            epoch=int(envelope.epoch),
            sealed=bytes(envelope.data),
        )
    except PeerFault as fault:
        return fault
    except Exception as error:  # generated code that meets any bytes, by any definition
        return PeerFault("malformed", f"not a SignedMessage: {error}.")
