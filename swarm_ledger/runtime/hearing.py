# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What somebody outside of the swarm makes of what drones say to all: who speaks, and who voted.

It is verified here, against the roster and the sessions that its members delegated to. It tells
how a vote goes on, and proves nothing: that a decision was made is for a light client to verify.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from contextlib import suppress

from swarm_ledger.consensus.messages import Checkpoint, PrePrepare, Status, parse
from swarm_ledger.consensus.quorum import faulty
from swarm_ledger.encoding import digest
from swarm_ledger.envelope import (
    REMEMBERED_BYTES,
    Kind,
    Opened,
    Opener,
    delegation_of,
    kind_of,
)
from swarm_ledger.errors import PeerFault
from swarm_ledger.identity.roster import Roster
from swarm_ledger.identity.session import Session
from swarm_ledger.voting.limits import ABSTAIN
from swarm_ledger.voting.observation import Observation, parse_observation
from swarm_ledger.voting.poll import Vote
from swarm_ledger.voting.question import Question
from swarm_ledger.voting.tally import Tally

_EARLY = 256
"""Votes that wait for their voters' sessions."""

_TOLD = 2
"""Votes of one voter that are kept: a second one that differs voids both, whatever follows."""

_SPOKEN = (Kind.CONSENSUS, Kind.CARRIED, Kind.TICK, Kind.CLOCK, Kind.SHARES)


class Poll:
    """The votes on one question that were heard. proposed: in which blocks leaders want it."""

    def __init__(self, question_id: bytes, question: Question) -> None:
        self.question_id, self.question = question_id, question
        self.proposed: dict[int, int] = {}
        self._said: dict[int, list[Observation]] = {}

    def add(self, voter: int, said: Observation) -> None:
        """Take in a vote whose signature holds."""
        before = self._said.setdefault(voter, [])
        known = ABSTAIN <= said.label < len(self.question.labels)
        if known and said not in before and len(before) < _TOLD:
            before.append(said)

    def votes(self, roster: Roster) -> tuple[Vote, ...]:
        """Return the votes as the tally of a ledger would hold them: one a voter, or voided."""
        voters = frozenset(roster.voters)
        tally = Tally(voters, faulty(len(voters)))
        tally.open(self.question_id, self.question, 0, 0)
        for voter, said in self._said.items():
            for one in said:
                tally.vote(voter, one, 0, 0)
        return tally.votes(self.question_id)


class Hearing:
    """Listens under one roster at a time. polls: of the questions that are asked, by their ids.

    heard_ms: when a member's word was heard last that only its key can make, by its index and a
    clock that never goes back; what somebody recorded and plays again counts, too.
    """

    def __init__(self, roster: Roster) -> None:
        self.polls: dict[bytes, Poll] = {}
        self._sealed: dict[bytes, bytes] = {}
        self._begin(roster)

    def _begin(self, roster: Roster) -> None:
        self.roster, self._opener = roster, Opener(roster)
        self.heard_ms: dict[int, int] = {}
        self._applied: dict[int, int] = {}
        self._early: deque[bytes] = deque(maxlen=_EARLY)

    def learn(self, roster: Roster, sessions: Iterable[Session]) -> None:
        """Go on under a roster that is in force by now, with sessions of it that are known."""
        if roster != self.roster:
            self._begin(roster)
        known = self._opener.sessions()
        for session in sessions:
            if session not in known:
                self._introduce(delegation_of(session))

    def open(self, question_id: bytes, question: Question) -> None:
        """Listen for votes on a question."""
        self.polls[question_id] = Poll(question_id, question)

    def sealed(self, question_id: bytes, raw: bytes) -> None:
        """Note the sealed bytes of a question, by whose digest leaders name it."""
        self._sealed[digest(raw)] = question_id

    def close(self, question_id: bytes) -> None:
        """Listen for votes on it no more."""
        self.polls.pop(question_id, None)
        self._sealed = {key: one for key, one in self._sealed.items() if one != question_id}

    @property
    def height(self) -> int:
        """A block that an honest drone has applied, if at most f of them lie; 0 at first."""
        told = sorted(self._applied.values(), reverse=True)
        liars = faulty(len(self.roster.validators))
        return told[liars] if len(told) > liars else 0

    def voted(self, poll: Poll) -> bool:
        """Whether somebody honest has voted, which it does once its ledger has the question."""
        return faulty(len(self.roster.voters)) < len(poll.votes(self.roster))

    def opened(self, poll: Poll) -> bool:
        """Whether the ledger seems to have a question; a leader that lies could make it seem so.

        What depends on it may only be told.
        """
        return self.voted(poll) or any(at <= self.height for at in poll.proposed.values())

    def heard_since(self, ms: int) -> int:
        """Return how many validators were heard since then."""
        validators = self.roster.validators
        return sum(self.heard_ms.get(index, -1) >= ms for index in validators)

    def hear(self, raw: bytes, steady_ms: int) -> None:
        """Take in one message; raises PeerFault for what does not hold, or is nobody's here."""
        kind = kind_of(raw)
        if kind is Kind.SESSION:
            self._introduce(raw)
        elif kind is Kind.VOTE:
            self._vote(raw, steady_ms)
        elif kind in _SPOKEN and len(raw) <= REMEMBERED_BYTES:
            opened = self._opener.open(raw)
            self._note(opened.author.index, steady_ms)
            if opened.kind in (Kind.CONSENSUS, Kind.CARRIED):
                self._follow(opened)

    def _introduce(self, raw: bytes) -> None:
        known = len(self._opener.sessions())
        self._opener.add_session(raw)
        if len(self._opener.sessions()) == known:
            return
        early, self._early = self._early, deque(maxlen=_EARLY)
        for vote in early:
            with suppress(PeerFault):
                self._vote(vote, None)

    def _vote(self, raw: bytes, steady_ms: int | None) -> None:
        try:
            opened = self._opener.open(raw)
        except PeerFault as fault:
            if fault.reason == "unknown_key" and self.polls and len(raw) <= REMEMBERED_BYTES:
                self._early.append(raw)
            raise
        said = parse_observation(opened.payload)
        if steady_ms is not None:
            self._note(opened.author.index, steady_ms)
        poll = self.polls.get(said.question)
        if poll is not None and isinstance(said, Observation):
            poll.add(opened.author.index, said)

    def _note(self, index: int, steady_ms: int) -> None:
        self.heard_ms[index] = steady_ms

    def _follow(self, opened: Opened) -> None:
        message = parse(opened.payload)
        if isinstance(message, Status):
            self._apply(opened.author.index, message.applied)
        elif isinstance(message, Checkpoint):
            self._apply(opened.author.index, message.seq)
        elif isinstance(message, PrePrepare):
            for request in message.batch.requests:
                question_id = self._sealed.get(request)
                poll = self.polls.get(question_id) if question_id else None
                if poll is not None:
                    poll.proposed[opened.author.index] = message.batch.seq

    def _apply(self, index: int, height: int) -> None:
        if index in self.roster.validators:
            self._applied[index] = max(height, self._applied.get(index, 0))
