# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The state machine that every drone runs over the same blocks: entries in, entries out.

Pure: no clock, no file. A request counts only by what the ledger itself holds, so that anyone who
replays the blocks arrives at the same entries, tally and decisions.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

from swarm_ledger.consensus.quorum import faulty
from swarm_ledger.encoding import Count, Record, decode, digest, encode
from swarm_ledger.envelope import BALLOTS, Kind, Opened, Opener, kind_of
from swarm_ledger.errors import NotVerified, PeerFault
from swarm_ledger.identity.roster import Member, Role, Roster
from swarm_ledger.identity.trust import Trust
from swarm_ledger.relay.anchor import Anchor, parse_anchor
from swarm_ledger.rules.book import Fact, Rulebook
from swarm_ledger.rules.rule import (
    Action,
    Answer,
    Ask,
    Grant,
    Release,
    Rule,
    Withdrawal,
    parse_claim,
    parse_instruction,
)
from swarm_ledger.rules.state import BookState
from swarm_ledger.runtime.blocks import BlockHeader, split_block
from swarm_ledger.runtime.chains import Chain, Chains
from swarm_ledger.runtime.evidence import Charge
from swarm_ledger.runtime.membership import MEMBERSHIP, Membership
from swarm_ledger.runtime.said import BALLOT_FORMS, Ballot, read_ballot
from swarm_ledger.voting.commitment import Commitment, Reveal
from swarm_ledger.voting.decision import Settled
from swarm_ledger.voting.limits import RETAINED_DECISIONS
from swarm_ledger.voting.observation import AnyObservation
from swarm_ledger.voting.question import AnyQuestion, parse_question, question_id
from swarm_ledger.voting.reputation import StandingChange
from swarm_ledger.voting.state import OpenResult, TallyState
from swarm_ledger.voting.tally import Tally

MAX_NOTE_BYTES = 4_096


class Tick(Record, frozen=True, tag=1):
    """Asks for a block, so that the ledger's time passes a deadline. time_ms: the asker's."""

    time_ms: Count


class Note(Record, frozen=True, tag=1):
    """What a voter wants on the record, of whatever form; it changes nothing. time_ms: its own."""

    time_ms: Count
    text: Annotated[bytes, Meta(max_length=MAX_NOTE_BYTES)]


Said: TypeAlias = AnyQuestion | Ballot | Anchor | Rule | Withdrawal | Answer | Ask | Release | Note
"""What a request says; a tick has only its time. A note changes nothing."""


class Receipt(msgspec.Struct, frozen=True):
    """What became of one request. result: "counted", "conflict", "invalid: ..." and so on.

    author: of evidence, the culprit. content: what it says, where that is a question, an
    observation, a charge, an anchor, a rule or what goes with it.
    """

    kind: Kind | None
    author: Member | None
    result: str
    body: bytes
    content: Said | Charge | None = None


@dataclass(frozen=True, slots=True)
class Applied:
    """One block, applied. entries: the leaves to append, header first.

    grants, actions: what the rules made of it. standings: of whom the swarm thinks otherwise now.
    roster: the next version, if this block made it take effect: then it was the last of its era.
    """

    height: int
    time_ms: int
    entries: tuple[bytes, ...]
    receipts: tuple[Receipt, ...]
    decisions: tuple[Settled, ...]
    grants: tuple[Grant, ...] = ()
    actions: tuple[Action, ...] = ()
    standings: tuple[StandingChange, ...] = ()
    roster: Roster | None = None


class Machine:
    """Applies blocks in order. trust: the first roster, and whose signatures later ones need."""

    def __init__(self, trust: Trust) -> None:
        self.members = Membership(trust)
        self.chains = Chains()
        self.rules = Rulebook()
        self.height = 0
        self.time_ms = 0
        voters = trust.genesis.voters
        self.tally = Tally(frozenset(voters), faulty(len(voters)))
        self._open: dict[bytes, AnyQuestion] = {}
        self._closed: OrderedDict[bytes, AnyQuestion] = OrderedDict()

    @property
    def opener(self) -> Opener:
        """Knows the sessions of the present roster that are on the ledger."""
        return self.members.now.opener

    @property
    def convicted(self) -> dict[int, int]:
        """Members who are proven to have contradicted themselves, and at which height that was."""
        return self.members.convicted

    def asked(self, key: bytes) -> AnyQuestion | None:
        """Return a question that is open or was closed not long ago, by its id."""
        return self._open.get(key) or self._closed.get(key)

    def awaits(self, raw: bytes) -> bool:
        """Whether a request is a ballot that would be its author's first on an open question.

        By the sessions of any epoch: a ballot of one that is over is said again.
        """
        if not raw or raw[0] not in BALLOTS:
            return False
        for era in reversed(self.members.eras):
            with suppress(PeerFault):
                opened = era.opener.open(raw)
                return self.lacks(opened.author.index, read_ballot(opened))
        return False

    def lacks(self, voter: int, ballot: Ballot) -> bool:
        """Whether a question is open on which the ledger has none of that voter's of that kind."""
        about = ballot.question
        given = self.tally.pledge_of if isinstance(ballot, Commitment) else self.tally.vote_of
        return about in self._open and given(about, voter) is None

    def has(self, voter: int, ballot: Ballot) -> bool:
        """Whether an open question has this very ballot already, or a reveal's observation."""
        if isinstance(ballot, AnyObservation):
            cast = self.tally.vote_of(ballot.question, voter)
            return cast is not None and cast.observation == ballot
        if isinstance(ballot, Reveal):
            return self.has(voter, ballot.observation)
        pledge = self.tally.pledge_of(ballot.question, voter)
        return pledge is not None and pledge.hidden == ballot.hidden

    def apply(self, height: int, time_ms: int, requests: Sequence[bytes]) -> Applied:
        """Apply the next block and return its entries, the same on every drone."""
        self.height = height
        self.time_ms = max(self.time_ms, time_ms)
        receipts = tuple(self._apply_one(body) for body in requests)
        decisions = tuple(
            Settled(self._close(decision.question), decision)
            for decision in self.tally.advance(self.time_ms, height)
        )
        standings = self._judge()
        roster = self.members.end_block(height)
        if roster is not None:
            self.tally.change_voters(frozenset(roster.voters), faulty(len(roster.voters)))
            self.chains.change(roster)
            self.rules.change()
        facts = [
            Fact(one.decision.number, one.question.subject, one.answer)
            for one in decisions
            if one.answer is not None
        ]
        grants, actions = self.rules.end_block(self.time_ms, self._may_hold, facts)
        header = BlockHeader(height, time_ms, len(requests), self.state())
        derived = (
            *(bytes([Kind.DECISION]) + encode(settled) for settled in decisions),
            *(bytes([Kind.GRANT]) + encode(grant) for grant in grants),
            *(bytes([Kind.ACTION]) + encode(action) for action in actions),
            *(bytes([Kind.STANDING]) + encode(change) for change in standings),
        )
        entries = (bytes([Kind.BLOCK]) + encode(header), *requests, *derived)
        return Applied(
            height,
            self.time_ms,
            entries,
            receipts,
            decisions,
            grants,
            actions,
            standings,
            roster,
        )

    def follow(self, height: int, stored: tuple[bytes, ...]) -> Applied:
        """Apply a stored block again; NotVerified unless its entries follow from its requests."""
        header, requests = split_block(stored)
        if header.height != height:
            raise NotVerified(f"its header states height {header.height}")
        applied = self.apply(height, header.time_ms, requests)
        if applied.entries != stored:
            raise NotVerified("its entries don't follow from its requests")
        return applied

    def resume(
        self,
        height: int,
        time_ms: int,
        tally: TallyState,
        settled: Sequence[Settled],
        *,
        chains: Iterable[Chain],
        rules: BookState,
    ) -> None:
        """Go on from the state after a block, where `members` has been brought there already.

        settled: the last RETAINED_DECISIONS of the ledger, oldest first. Nothing is checked here:
        state() tells whether it is the state that it was.
        """
        self.height, self.time_ms = height, time_ms
        voters = self.members.now.roster.voters
        self.tally.change_voters(frozenset(voters), faulty(len(voters)))
        self.tally.resume(tally, [one.decision for one in settled], time_ms, height)
        self.chains.resume(chains)
        self.rules.resume(rules)
        self._open = {asked.question_id: asked.question for asked in tally.open}
        self._closed = OrderedDict((one.decision.question, one.question) for one in settled)

    def state(self) -> bytes:
        """Return the digest of the whole state, as a block's header has it."""
        members, tally = self.members.state(), self.tally.state_digest()
        anchors, rules = self.chains.state(), self.rules.state()
        parts: list[int | bytes] = [self.height, self.time_ms, tally, members]
        if anchors or rules:
            parts.append(anchors)
        if rules:
            parts.append(rules)
        return digest(encode(parts))

    def check_not_convicted(self, member: Member) -> None:
        """Raise PeerFault "convicted" for who may ask for nothing in this era any more."""
        if member.index in self.convicted:
            raise PeerFault("convicted", f"{member.name} is convicted.")

    def _judge(self) -> tuple[StandingChange, ...]:
        """Return whose standing this block changed, by its era's roster."""
        return tuple(self.tally.judge(self.members.now.roster.ids, self.convicted))

    def _may_hold(self, member_id: bytes) -> bool:
        member = self.members.now.roster.by_id.get(member_id)
        return (
            member is not None
            and Role.VOTER in member.roles
            and member.index not in self.convicted
            and member.valid_at(self.time_ms // 1000)
        )

    def _apply_one(self, body: bytes) -> Receipt:
        kind, author = None, None
        try:
            kind = kind_of(body)
            if kind in MEMBERSHIP:
                ruling = self.members.apply(kind, body, self.height, self.time_ms)
                return Receipt(kind, ruling.author, ruling.result, body, ruling.charge)
            opened = self.opener.open(body)
            author = opened.author
            opened.check_fresh(self.time_ms // 1000)
            if self.time_ms // 1000 >= self.members.now.expires_s:
                raise PeerFault("expired_roster", "operators did not renew the roster in time.")
            result, content = self._act(opened)
            return Receipt(kind, author, result, body, content)
        except PeerFault as fault:
            return Receipt(kind, author, f"invalid: {fault.reason}", body)

    def _close(self, key: bytes) -> AnyQuestion:
        self._closed[key] = self._open.pop(key)
        if len(self._closed) > RETAINED_DECISIONS:
            self._closed.popitem(last=False)
        return self._closed[key]

    def _act(self, opened: Opened) -> tuple[str, Said | None]:
        content = read_request(opened)
        if isinstance(content, Ballot):
            return self._cast(opened.author.index, content), content
        if isinstance(content, AnyQuestion):
            key = question_id(opened.payload)
            asked = self.tally.open(key, content, self.time_ms, self.height)
            if asked is OpenResult.OPENED:
                self._open[key] = content
            return asked.name.lower(), content
        if isinstance(content, Anchor):
            self.chains.apply(opened.author, content, self.time_ms)
            return "anchored", content
        if isinstance(content, Rule | Withdrawal | Answer):
            return self.rules.instruct(content), content
        if isinstance(content, Ask | Release):
            self.check_not_convicted(opened.author)
            return self.rules.claim(opened.author.id, content, self.time_ms), content
        return ("noted", content) if isinstance(content, Note) else ("tick", None)

    def _cast(self, voter: int, ballot: Ballot) -> str:
        if isinstance(ballot, AnyObservation):
            cast = self.tally.vote(voter, ballot, self.time_ms, self.height)
        elif isinstance(ballot, Reveal):
            cast = self.tally.reveal(voter, ballot, self.time_ms, self.height)
        else:
            cast = self.tally.commit(voter, ballot, self.time_ms, self.height)
        return cast.name.lower()


def read_request(opened: Opened) -> Said | Tick:
    """Parse what a request says; PeerFault if it could only ever be invalid.

    Its author's, then; but not where others take for a request what it never said was one.
    """
    parse = _REQUESTS.get(opened.kind)
    if parse is None:
        raise PeerFault("malformed", f"a {opened.kind.name} is not a request.")
    try:
        return opened.parse(parse)
    except PeerFault as fault:
        fault.by(opened.author.name)
        raise


def _parse_tick(encoded: bytes) -> Tick:
    return decode(encoded, Tick, limit=32)


def _parse_note(encoded: bytes) -> Note:
    return decode(encoded, Note, limit=MAX_NOTE_BYTES + 32)


_REQUESTS: dict[Kind, Callable[[bytes], Said | Tick]] = {
    Kind.QUESTION: parse_question,
    **BALLOT_FORMS,
    Kind.TICK: _parse_tick,
    Kind.ANCHOR: parse_anchor,
    Kind.RULE: parse_instruction,
    Kind.CLAIM: parse_claim,
    Kind.NOTE: _parse_note,
}
