# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The state machine that every drone runs over the same blocks: entries in, entries out.

Pure: no clock, no file. A request counts only by what the ledger itself holds, so that anyone who
replays the blocks arrives at the same entries, tally and decisions.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from swarm_ledger.consensus.messages import Batch
from swarm_ledger.consensus.quorum import faulty
from swarm_ledger.encoding import Record, decode, digest, encode
from swarm_ledger.envelope import Kind, Opened, Opener, kind_of
from swarm_ledger.errors import NotVerified, PeerFault
from swarm_ledger.identity.roster import Member, Roster
from swarm_ledger.runtime.evidence import Charge
from swarm_ledger.runtime.membership import MEMBERSHIP, Membership
from swarm_ledger.voting.decision import Settled
from swarm_ledger.voting.limits import RETAINED_DECISIONS
from swarm_ledger.voting.observation import Observation, parse_observation
from swarm_ledger.voting.question import Question, parse_question, question_id
from swarm_ledger.voting.tally import OpenResult, Tally

_Digest = Annotated[bytes, Meta(min_length=32, max_length=32)]
_Count = Annotated[int, Meta(ge=0, lt=2**53)]
_HEADER_LIMIT = 256


class Genesis(Record, frozen=True, tag=1):
    """The first entry: which swarm this is, and the digest of the roster that it trusts."""

    swarm_id: str
    epoch: _Count
    roster: _Digest


class BlockHeader(Record, frozen=True, tag=1):
    """The first entry of each block after genesis.

    time_ms: the leader's clock, as ordered; the ledger's time is the highest so far.
    requests: how many entries after this one are ordered requests; the rest are derived.
    state: digest of the state machine after this block.
    """

    height: _Count
    time_ms: _Count
    requests: _Count
    state: _Digest


class Tick(Record, frozen=True, tag=1):
    """Asks for a block, so that the ledger's time passes a deadline. time_ms: the asker's."""

    time_ms: _Count


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one request. result: "counted", "conflict", "invalid: ..." and so on.

    author: of evidence, the culprit. content: what it says, where that is a question, an
    observation or a charge.
    """

    kind: Kind | None
    author: Member | None
    result: str
    body: bytes
    content: Question | Observation | Charge | None = None


@dataclass(frozen=True, slots=True)
class Applied:
    """One block, applied. entries: the leaves to append, header first."""

    height: int
    time_ms: int
    entries: tuple[bytes, ...]
    receipts: tuple[Receipt, ...]
    decisions: tuple[Settled, ...]


def genesis_entry(roster: Roster) -> bytes:
    """Return the ledger's first entry."""
    genesis = Genesis(roster.swarm_id, roster.version, digest(roster.raw))
    return bytes([Kind.GENESIS]) + encode(genesis)


def parse_header(entry: bytes) -> BlockHeader:
    """Read a block's first entry; PeerFault if it is none."""
    if kind_of(entry) is not Kind.BLOCK:
        raise PeerFault("malformed", "a block begins with its header.")
    header: BlockHeader = decode(entry[1:], BlockHeader, limit=_HEADER_LIMIT)
    return header


def split_block(entries: Sequence[bytes]) -> tuple[BlockHeader, tuple[bytes, ...]]:
    """Return a stored block's header and its requests; NotVerified if they don't fit."""
    try:
        header = parse_header(entries[0])
    except (PeerFault, IndexError) as error:
        raise NotVerified(f"its header is damaged ({error})") from error
    if header.requests > len(entries) - 1:
        raise NotVerified("its header states more requests than there are")
    return header, tuple(entries[1 : 1 + header.requests])


def batch_of(header: BlockHeader, requests: Sequence[bytes]) -> Batch:
    """Return the batch that consensus ordered for a block."""
    return Batch(header.height, header.time_ms, tuple(digest(body) for body in requests))


class Machine:
    """Applies blocks in order. opener: learns the sessions on the ledger here, and no others."""

    def __init__(self, roster: Roster, opener: Opener | None = None) -> None:
        self.members = Membership(roster, opener)
        self.height = 0
        self.time_ms = 0
        self.tally = Tally(frozenset(roster.voters), faulty(len(roster.voters)))
        self._open: dict[bytes, Question] = {}
        self._closed: OrderedDict[bytes, Question] = OrderedDict()

    @property
    def opener(self) -> Opener:
        """Knows the sessions on the ledger."""
        return self.members.opener

    @property
    def convicted(self) -> dict[int, int]:
        """Members who are proven to have contradicted themselves, and at which height that was."""
        return self.members.convicted

    def asked(self, key: bytes) -> Question | None:
        """Return a question that is open or was closed not long ago, by its id."""
        return self._open.get(key) or self._closed.get(key)

    def apply(self, height: int, time_ms: int, requests: Sequence[bytes]) -> Applied:
        """Apply the next block and return its entries, the same on every drone."""
        self.height = height
        self.time_ms = max(self.time_ms, time_ms)
        receipts = tuple(self._apply_one(body) for body in requests)
        decisions = tuple(
            Settled(self._close(decision.question), decision)
            for decision in self.tally.advance(self.time_ms, height)
        )
        header = BlockHeader(height, time_ms, len(requests), self._state())
        derived = (bytes([Kind.DECISION]) + encode(settled) for settled in decisions)
        entries = (bytes([Kind.BLOCK]) + encode(header), *requests, *derived)
        return Applied(height, self.time_ms, entries, receipts, decisions)

    def follow(self, height: int, stored: tuple[bytes, ...]) -> Applied:
        """Apply a stored block again; NotVerified unless its entries follow from its requests."""
        header, requests = split_block(stored)
        if header.height != height:
            raise NotVerified(f"its header states height {header.height}")
        applied = self.apply(height, header.time_ms, requests)
        if applied.entries != stored:
            raise NotVerified("its entries don't follow from its requests")
        return applied

    def _state(self) -> bytes:
        members, tally = self.members.state(), self.tally.state_digest()
        return digest(encode([self.height, self.time_ms, tally, members]))

    def _apply_one(self, body: bytes) -> Receipt:
        kind, author = None, None
        try:
            kind = kind_of(body)
            if kind in MEMBERSHIP:
                result, author, charge = self.members.apply(kind, body, self.height)
                return Receipt(kind, author, result, body, charge)
            opened = self.opener.open(body)
            author = opened.author
            if not opened.fresh_at(self.time_ms // 1000):
                raise PeerFault("stale_session", "its session was not valid at that time.")
            result, content = self._act(opened)
            return Receipt(kind, author, result, body, content)
        except PeerFault as fault:
            return Receipt(kind, author, f"invalid: {fault.reason}", body)

    def _close(self, key: bytes) -> Question:
        self._closed[key] = self._open.pop(key)
        if len(self._closed) > RETAINED_DECISIONS:
            self._closed.popitem(last=False)
        return self._closed[key]

    def _act(self, opened: Opened) -> tuple[str, Question | Observation | None]:
        content = read_request(opened)
        if isinstance(content, Question):
            key = question_id(opened.payload)
            asked = self.tally.open(key, content, self.time_ms, self.height)
            if asked is OpenResult.OPENED:
                self._open[key] = content
            return asked.name.lower(), content
        if isinstance(content, Observation):
            author = opened.author.index
            cast = self.tally.vote(author, content, self.time_ms, self.height)
            return cast.name.lower(), content
        return "tick", None


def read_request(opened: Opened) -> Question | Observation | Tick:
    """Parse what a request says; PeerFault if it could only ever be invalid."""
    if opened.kind is Kind.QUESTION:
        return parse_question(opened.payload)
    if opened.kind is Kind.VOTE:
        return parse_observation(opened.payload)
    if opened.kind is Kind.TICK:
        tick: Tick = decode(opened.payload, Tick, limit=32)
        return tick
    raise PeerFault("malformed", f"a {opened.kind.name} is not a request.")
