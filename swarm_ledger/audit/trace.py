# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Whether, when and by whom one recorded message was anchored, and the proof of it.

The ledger isn't replayed: what is found in it is proven by its checkpoint, as to a stranger.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from swarm_ledger.audit.anchors import Anchors, Place, Shown
from swarm_ledger.audit.ledger import Held
from swarm_ledger.audit.provenance import Proven, Provenance, Said, check_provenance
from swarm_ledger.audit.relay import check_bag
from swarm_ledger.encoding import encode
from swarm_ledger.envelope import Kind, delegation_of
from swarm_ledger.errors import Misuse, NotVerified, PeerFault
from swarm_ledger.identity.session import Session
from swarm_ledger.identity.trust import Trust
from swarm_ledger.ledger.store import Store
from swarm_ledger.ledger.tile_files import check_whole
from swarm_ledger.light_client.policies import policy_file
from swarm_ledger.relay.anchor import parse_anchor
from swarm_ledger.relay.statement import Notarised, split_delegation, with_delegation
from swarm_ledger.relay.verifier import Refused, Verified
from swarm_ledger.runtime.blocks import split_block
from swarm_ledger.runtime.export import each, prove, sessions_in
from swarm_ledger.runtime.judging import begins_with
from swarm_ledger.runtime.snapshot import members_in

_MOST_NAMED = 8


@dataclass(frozen=True, slots=True)
class Choice:
    """Which message is meant. signer: a member's name, "" for the topic's only one.

    sequence: its number; or at_us: that whose stamp is nearest to this time, POSIX microseconds.
    """

    topic: str
    signer: str = ""
    sequence: int | None = None
    at_us: int | None = None

    def __post_init__(self) -> None:
        if (self.sequence is None) == (self.at_us is None):
            raise Misuse("name a message either by its number or by its time.")


@dataclass(frozen=True, slots=True)
class Trace:
    """A message that holds. proven, proof: where it is anchored, None and b"" where it isn't.

    why: it isn't, or can't be shown to be.
    """

    verified: Verified
    proven: Proven | None = None
    proof: bytes = b""
    why: str = ""


def trace(bag: Path, store: Store, trust: Trust, choice: Choice) -> Trace:
    """Find one message of a bag on a ledger.

    Raises Misuse where none or several are meant, or no cosigned checkpoint covers its anchor
    yet; NotVerified where the message or the ledger doesn't hold.
    """
    check_whole(store, "anchors")
    begins_with(store, trust.genesis)
    verified, message = _choose(bag, trust, choice)
    candidates = {one.held.index: one for one in _candidates(store, trust, verified)}
    if not candidates:
        return Trace(verified, why="no anchor on this ledger names its number")
    anchors = Anchors(one.held for one in candidates.values())
    check_bag(bag, trust, anchors.hear)
    place = anchors.place(verified, message)
    if place is None:
        where = ", ".join(map(str, candidates))
        if any(shown is Shown.UNPROVEN for _, shown in anchors.report().anchors):
            why = (
                f"it may be in the anchor in entry {where}: too much of what was signed at that "
                "time is missing from the bag to show it"
            )
        else:
            why = f"the anchor in entry {where} has another message under its number"
        return Trace(verified, why=why)
    proof = _prove(store, trust, (verified, message), candidates[place.held.index], place)
    return Trace(verified, check_provenance(proof, trust), proof)


@dataclass
class _Chooser:
    """Keeps what comes nearest to a choice. distance: 0 for the number or the time itself.

    numbers: the lowest and the highest of that topic; signers: who signed on it.
    """

    choice: Choice
    signers: set[str] = field(default_factory=set)
    numbers: tuple[int, int] = (1 << 53, 0)
    distance: int | None = None
    found: list[tuple[Verified, Notarised]] = field(default_factory=list)
    fault: PeerFault | None = None

    def heard(self, verified: Verified, message: Notarised) -> None:
        """Look at a message that holds."""
        choice, name = self.choice, verified.author.name
        if message.topic != choice.topic or choice.signer not in ("", name):
            return
        self.signers.add(name)
        self.numbers = (
            min(self.numbers[0], message.sequence),
            max(self.numbers[1], message.sequence),
        )
        if self._comes_near(message):
            self.found.append((verified, message))
            del self.found[_MOST_NAMED:]

    def refused(self, message: Notarised, fault: PeerFault) -> None:
        """Look at one that doesn't: of several as near, one that holds is meant."""
        signer = fault.signer if isinstance(fault, Refused) else ""
        other = self.choice.signer and signer and signer != self.choice.signer
        if message.topic == self.choice.topic and not other and self._comes_near(message):
            self.fault = self.fault or fault

    def _comes_near(self, message: Notarised) -> bool:
        """Whether no message before came nearer; those that were not as near are let go."""
        choice = self.choice
        if choice.at_us is not None:
            distance = abs(message.stamp_us - choice.at_us)
        elif message.sequence == choice.sequence:
            distance = 0
        else:
            return False
        if self.distance is not None and distance > self.distance:
            return False
        if distance != self.distance:
            self.distance, self.found, self.fault = distance, [], None
        return True


def _choose(bag: Path, trust: Trust, choice: Choice) -> tuple[Verified, Notarised]:
    """Return the one message that is meant."""
    chooser = _Chooser(choice)
    check_bag(bag, trust, chooser.heard, chooser.refused)
    if len(chooser.signers) > 1:
        names = ", ".join(sorted(chooser.signers))
        raise Misuse(
            f"several members signed messages on {choice.topic}: {names}.",
            remedy="Name one with --signer.",
        )
    if len(chooser.found) > 1:
        numbers = ", ".join(str(message.sequence) for _, message in chooser.found)
        raise Misuse(
            f"several messages on {choice.topic} are meant, with the numbers {numbers}.",
            remedy="Name another number or time.",
        )
    if chooser.found:
        return chooser.found[0]
    if chooser.fault is not None:
        fault = chooser.fault
        raise NotVerified(f"{fault.reason}: {fault.what}", where="message")
    if not chooser.signers:
        by = f" by {choice.signer}" if choice.signer else ""
        raise Misuse(f"the bag has no message on {choice.topic}{by} that holds.")
    first, last = chooser.numbers
    raise Misuse(
        f"the bag has no message {choice.sequence} on {choice.topic}.",
        remedy=f"Its numbers are between {first} and {last}.",
    )


@dataclass(frozen=True, slots=True)
class _Candidate:
    """An anchor that names the message's number. first: its block's header among the entries."""

    held: Held
    session: Session
    first: int


def _candidates(store: Store, trust: Trust, verified: Verified) -> Iterator[_Candidate]:
    """Yield the anchors of a message's own member that name its number."""
    members, statement = members_in(store, trust), verified.statement
    for found in each(store, Kind.ANCHOR):
        try:
            opened = members.at(found.height).opener.open(found.data)
            anchor = parse_anchor(opened.payload)
            if (
                opened.session is None
                or opened.author.public_key != verified.author.public_key
                or not anchor.covers(statement.topic, statement.sequence)
            ):
                continue
            block = store.block(found.height)
            header, _ = split_block(block.entries)
            opened.check_fresh(header.time_ms // 1000)
        except PeerFault:  # ordered, and counts for nothing
            continue
        held = Held(opened.author, anchor, found.index, found.height, header.time_ms)
        yield _Candidate(held, opened.session, block.first)


def _prove(
    store: Store,
    trust: Trust,
    said: tuple[Verified, Notarised],
    candidate: _Candidate,
    place: Place,
) -> bytes:
    """Return the proof file of a message."""
    verified, message = said
    _, sealed = split_delegation(message.sealed)
    carried = with_delegation(delegation_of(verified.session), sealed)
    index = place.held.index
    provenance = Provenance(
        Said(
            message.topic,
            message.type_name,
            message.type_hash,
            message.sequence,
            message.stamp_us,
            message.data,
            message.swarm_id,
            message.epoch,
            carried,
        ),
        delegation_of(candidate.session),
        place.index,
        place.path,
        prove(store, index),
        prove(store, candidate.first),
        policy_file(sessions_in(store, trust, entry=index)),
    )
    return encode(provenance)
