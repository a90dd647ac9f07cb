# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Asks the swarm questions for an operator, and ends with decisions that it verified itself.

It is no validator, and holds no ledger: it says its question again until the ledger has it, counts
the votes that it hears, and follows the ledger as any light client does. Time is an argument.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import IntEnum

from swarm_ledger.consensus.quorum import quorum
from swarm_ledger.encoding import encode
from swarm_ledger.envelope import Kind, seal
from swarm_ledger.errors import Misuse, PeerFault
from swarm_ledger.identity.confided import confide
from swarm_ledger.identity.roster import Member, Role, Roster
from swarm_ledger.identity.trust import Trust
from swarm_ledger.runtime.errand import Errand
from swarm_ledger.runtime.goal import Goal
from swarm_ledger.runtime.hearing import Hearing
from swarm_ledger.runtime.pursuit import Found, Inquiry, Pursuit
from swarm_ledger.signers import KeyStore, Signer
from swarm_ledger.voting.decision import Settled
from swarm_ledger.voting.limits import ABSTAIN
from swarm_ledger.voting.question import Question, question_id

AT_ONCE = 8
"""Open questions of one asker. The ledger has 64 of all operators'."""

_AGAIN_MS = 1_000
_NONCE_BYTES = 16
_ELSEWHERE = "What was sent may still be ordered: the question's id is "


class Code(IntEnum):
    """How asking ended, numbered as the ERROR_* of swarm_interfaces' Decide."""

    NONE = 0
    UNKNOWN = 1
    BAD_GOAL = 2
    NOT_OPERATOR = 3
    NO_QUORUM = 4
    CANCELED = 5
    UNAVAILABLE = 6
    BUSY = 7


@dataclass(frozen=True)
class Answered:
    """How it ended. said: what is wrong and what to do, empty for NONE.

    settled, index, proof: the decision, its place in the log, the tlog-proof file; with NONE only.
    """

    code: Code
    said: str = ""
    settled: Settled | None = None
    index: int = 0
    proof: bytes = b""


@dataclass(frozen=True)
class Progress:
    """How a vote goes on. counts: for each label, of votes that were heard and hold.

    missing: voters not heard so far; height: of a ledger, 0 for unknown; remaining_ms: until the
    deadline, estimated, all of it until the ledger seems to have the question.
    """

    counts: tuple[int, ...]
    abstentions: int
    missing: int
    height: int
    remaining_ms: int


@dataclass
class Asked:
    """One question under way. answered: how it ended, once it has."""

    question: Question
    question_id: bytes
    since_ms: int
    answered: Answered | None = None
    sealed: dict[int, bytes] = field(default_factory=dict, repr=False)
    sent_ms: int | None = None
    opened_ms: int | None = None


class Asker:
    """Asks for one operator.

    trust: the operators' root, and the roster that the ledger starts with. pursuit: follows the
    ledger. operator: the key to sign with, None for a server that only follows. send: says sealed
    bytes to all drones. secret: whether they encrypt what they say: then questions are confided to
    the members of the roster, and no votes are heard. patience_ms: how long a quorum may be
    silent, and how long after the deadline its decision may take. hears: whether what drones say
    to all is heard here; if not, as where it is secret, their silence means nothing.
    """

    def __init__(
        self,
        trust: Trust,
        pursuit: Pursuit,
        operator: Signer | None,
        send: Callable[[bytes], None],
        *,
        now_ms: int,
        patience_ms: int = 10_000,
        secret: bool = False,
        hears: bool = True,
        draw: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.hearing = Hearing(trust.genesis)
        self.pursuit = pursuit
        self.open: dict[bytes, Asked] = {}
        self._trust, self._operator, self._send, self._draw = trust, operator, send, draw
        self._patience_ms, self._secret, self._hears = patience_ms, secret, hears and not secret
        self._now_ms = self._steady_ms = now_ms
        self._height = 0
        self._errand = Errand()

    # asking

    def ask(self, goal: Goal, now_ms: int) -> Asked | Answered:
        """Begin to ask; an Answered says at once why that can't be."""
        self._pass_time(now_ms)
        try:
            question = goal.question(self._draw(_NONCE_BYTES))
        except Misuse as error:
            return Answered(Code.BAD_GOAL, error.explain())
        trouble = self._trouble()
        if trouble is not None:
            return trouble
        asked = Asked(question, question_id(encode(question)), self._steady_ms)
        self.open[asked.question_id] = asked
        self.hearing.open(asked.question_id, question)
        self.pursuit.seek(asked.question_id)
        self._say(asked)
        return asked

    def _trouble(self) -> Answered | None:
        """Return why nothing can be asked now."""
        error = self._not_an_operator()
        if error is not None:
            return Answered(Code.NOT_OPERATOR, error.explain())
        roster = self._newest()
        if self._secret and not roster.has_channels:
            return Answered(
                Code.UNAVAILABLE,
                f"these drones speak in secret, and roster version {roster.version} lists no "
                "channel keys to ask them by. Take the roster that they fly with.",
            )
        if len(self.open) >= AT_ONCE:
            return Answered(
                Code.BUSY, f"{AT_ONCE} questions are open here. Wait for one, or cancel one."
            )
        return None

    def _newest(self) -> Roster:
        """Return the roster that is known to be in force, or else the last that we were given."""
        head = self.pursuit.head
        return head.proven.roster if head else self._trust.newest

    def _not_an_operator(self) -> Misuse | None:
        """Return why nobody would take a question from us, None where somebody may.

        Until it is known which roster is in force, it may be any that we were given.
        """
        head = self.pursuit.head
        given = (version.roster for version in reversed(self._trust.versions))
        wrong = None
        for roster in (head.proven.roster,) if head else given:
            try:
                self._member(roster)
            except Misuse as error:
                wrong = wrong or error
            else:
                return None
        return wrong

    def _member(self, roster: Roster) -> Member:
        """Return whose questions these are under a roster; Misuse if nobody's."""
        if self._operator is None:
            raise Misuse(
                "there is no operator's key here to sign questions with.",
                remedy="Give the server one: its parameter operator is a key's URI.",
            )
        member = roster.with_key(self._operator.public_key)
        if member is None or Role.OPERATOR not in member.roles:
            raise Misuse(
                f"the key here is no operator's in roster version {roster.version}.",
                remedy="Take an operator's key, or have it enrolled with the role operator.",
            )
        if not member.valid_at(self._now_ms // 1000):
            raise Misuse(
                f"{member.name} may not sign at this time: its place in the roster is bounded.",
                remedy="Have operators sign a roster that lets it, or check the clock.",
            )
        return member

    def cancel(self, asked: Asked) -> None:
        """Ask it no more. What is on the ledger stays there."""
        said = f"canceled. {_ELSEWHERE}{asked.question_id.hex()}."
        self._end(asked, Answered(Code.CANCELED, said))

    def give_up(self, answered: Answered) -> None:
        """End all that is being asked, for that reason."""
        for asked in list(self.open.values()):
            self._end(asked, answered)

    # what comes in

    def hear(self, raws: Iterable[bytes], now_ms: int) -> list[int]:
        """Take in what drones say to all; return the places of what was refused."""
        self._pass_time(now_ms)
        refused = []
        for place, raw in enumerate(raws):
            try:
                self.hearing.hear(raw, self._steady_ms)
            except PeerFault:
                refused.append(place)
        return refused

    def next(self, steady_ms: int) -> Inquiry | None:
        """Return whom to ask for a proof now; see Pursuit."""
        return self.pursuit.next(steady_ms)

    def take(self, inquiry: Inquiry, raw: bytes, now_ms: int, steady_ms: int) -> Found | None:
        """Take in an answer; whoever asked a question that it decides has it then."""
        self._pass_time(now_ms)
        now = datetime.fromtimestamp(now_ms / 1000, tz=timezone.utc)
        found = self.pursuit.take(inquiry, raw, now, steady_ms)
        head = self.pursuit.head
        if head is not None:
            self.hearing.learn(head.proven.roster, head.opener.sessions())
        if found is not None:
            self._decided(found)
        return found

    def _decided(self, found: Found) -> None:
        decision = found.settled.decision
        self._height = max(self._height, decision.height)
        asked = self.open.get(decision.question)
        if asked is not None:
            verified = found.verified
            self._end(
                asked,
                Answered(Code.NONE, "", found.settled, verified.entry.index, verified.proof),
            )

    # time

    def tick(self, now_ms: int) -> None:
        """Let time pass: say what is not on the ledger yet again, and give up what is in vain."""
        self._pass_time(now_ms)
        for asked in list(self.open.values()):
            if not self._is_in_vain(asked):
                self._say(asked)

    def _pass_time(self, now_ms: int) -> None:
        self._steady_ms += max(0, now_ms - self._now_ms)
        self._now_ms = now_ms

    def _say(self, asked: Asked) -> None:
        poll = self.hearing.polls[asked.question_id]
        if asked.opened_ms is None and self.hearing.opened(poll):
            asked.opened_ms = self._steady_ms
        roster = self.hearing.roster
        due = asked.sent_ms is None or self._steady_ms - asked.sent_ms >= _AGAIN_MS
        if self.hearing.voted(poll) or not (due or roster.version not in asked.sealed):
            return
        raw = self._sealed(asked, roster)
        if raw is not None:
            self.hearing.sealed(asked.question_id, raw)
            asked.sent_ms = self._steady_ms
            self._send(self._confided(raw, roster) if self._secret else raw)

    def _confided(self, raw: bytes, roster: Roster) -> bytes:
        """Return what the members of a roster, and nobody else, take that question out of."""
        return bytes([Kind.CONFIDED]) + confide(raw, roster, self._draw)

    def _sealed(self, asked: Asked, roster: Roster) -> bytes | None:
        """Return a question as it is sealed under a roster; None while a token or TPM signs it."""
        error, operator = self._not_an_operator(), self._operator
        if error is not None:
            self._end(asked, Answered(Code.NOT_OPERATOR, error.explain()))
            return None
        if roster.version in asked.sealed or operator is None:
            return asked.sealed.get(roster.version)

        def sign() -> None:
            asked.sealed[roster.version] = seal(
                Kind.QUESTION, encode(asked.question), operator, roster
            )

        if operator.key_store is KeyStore.SOFTWARE:
            sign()
        else:
            self._errand.urge(sign, self._steady_ms // 1000)
        return asked.sealed.get(roster.version)

    def _is_in_vain(self, asked: Asked) -> bool:
        """End what can't come to an end any more; True if it did."""
        waited_ms = self._steady_ms - asked.since_ms
        if waited_ms < self._patience_ms:
            return False
        needed, heard = self.quorum, self.heard
        named = f"{_ELSEWHERE}{asked.question_id.hex()}."
        over = waited_ms >= asked.question.duration_ms + 2 * self._patience_ms
        if self._errand.trouble is not None and not asked.sealed:
            said = f"the operator's key does not sign: {self._errand.trouble.explain()}"
            self._end(asked, Answered(Code.UNKNOWN, said))
        elif self._hears and heard < needed and (over or asked.opened_ms is None):
            of = len(self.hearing.roster.validators)
            said = (
                f"{heard} of {of} validators were heard in {self._patience_ms / 1000:g} s, and "
                f"{needed} must agree. Check that they run, and share this network. {named}"
            )
            self._end(asked, Answered(Code.NO_QUORUM, said))
        elif over:
            said = (
                "nobody proved a decision in time. The last prover asked: "
                f"{self.pursuit.said}. {named}"
            )
            self._end(asked, Answered(Code.UNAVAILABLE, said))
        return asked.answered is not None

    def _end(self, asked: Asked, answered: Answered) -> None:
        if asked.answered is None:
            asked.answered = answered
            self.open.pop(asked.question_id, None)
            self.hearing.close(asked.question_id)
            self.pursuit.drop(asked.question_id)

    # what can be seen

    @property
    def heard(self) -> int:
        """How many validators were heard lately."""
        return self.hearing.heard_since(self._steady_ms - self._patience_ms)

    @property
    def quorum(self) -> int:
        """How many of them must agree on anything."""
        return quorum(len(self.hearing.roster.validators))

    def progress(self, asked: Asked) -> Progress:
        """Return how the vote on an open question goes on; Misuse for one that has ended."""
        poll = self.hearing.polls.get(asked.question_id)
        if poll is None:
            raise Misuse("that question has ended.")
        roster = self.hearing.roster
        votes = poll.votes(roster)
        counts, abstentions = [0] * len(asked.question.labels), 0
        for vote in votes:
            label = vote.observation.label if vote.observation else None
            if label == ABSTAIN:
                abstentions += 1
            elif label is not None:
                counts[label] += 1
        opened_ms = self._steady_ms if asked.opened_ms is None else asked.opened_ms
        return Progress(
            tuple(counts),
            abstentions,
            len(roster.voters) - len(votes),
            max(self._height, self.hearing.height),
            max(0, asked.question.duration_ms - (self._steady_ms - opened_ms)),
        )
