# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Signed messages in a recorded bag, checked with the roster alone: no ROS, no ledger, no clock.

What the bag itself says about a message, its time and the topic it was recorded from, is nobody's
signature and isn't believed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from swarm_ledger.audit.signing import MAX_RAW_BYTES, notarised
from swarm_ledger.audit.streams import Said
from swarm_ledger.bags.bag import Bag
from swarm_ledger.bags.messages import SIGNED
from swarm_ledger.bags.signed import parse_signed
from swarm_ledger.errors import Misuse, PeerFault
from swarm_ledger.identity.session import Session
from swarm_ledger.identity.trust import Trust
from swarm_ledger.relay.statement import Notarised
from swarm_ledger.relay.stream import Stream
from swarm_ledger.relay.verifier import Refused, Verified, Verifier

_REORDER = 1 << 14
"""A recording is in the order of arrival, and several relays and links may be far apart."""


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
    bag, found = Bag(path), False
    for one in bag.messages():
        if one.channel.type_name == SIGNED:
            found = True
            yield _Recorded(one.channel.topic, one.log_ns, _parse(one.data))
    for fault in bag.faults:
        if fault.reason != "metadata":
            raise Misuse(
                f"{path} can't be read as a bag: {fault.what}.",
                remedy="swarm-ledger audit tells what there is of it.",
            )
    if not found:
        raise Misuse(f"{path} has no message of type {SIGNED}.")


def _parse(raw: bytes) -> Notarised | PeerFault:
    """Return the message in its CDR bytes, or why there is none."""
    if len(raw) > MAX_RAW_BYTES:
        return PeerFault("oversize", f"{len(raw)} bytes.")
    try:
        return notarised(parse_signed(raw))
    except PeerFault as fault:
        return fault
