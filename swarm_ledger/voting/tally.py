# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The tally: the state machine that turns the ledger's entries into decisions.

Every replica feeds it the same entries in the same blocks and holds the same state, digest and
decisions. It believes what it is given: signatures were checked when the entries arrived, and the
time is the block's. Questions close at the end of a block only, so the order of votes inside a
block changes nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from enum import IntEnum
from typing import Annotated

import msgspec

from swarm_ledger.encoding import Record, digest, encode
from swarm_ledger.errors import Misuse
from swarm_ledger.voting.decision import Decision
from swarm_ledger.voting.limits import (
    ABSTAIN,
    MAX_OPEN_QUESTIONS,
    MAX_TIME_MS,
    MAX_VOTERS,
    RETAINED_DECISIONS,
    Digest,
)
from swarm_ledger.voting.observation import Observation
from swarm_ledger.voting.question import Question, question_id
from swarm_ledger.voting.rules import Ballot, Outcome

STATE_VERSION = 1


class OpenResult(IntEnum):
    """What became of a question. ALREADY_ASKED: it is open, or among those remembered closed."""

    UNKNOWN = 0
    OPENED = 1
    ALREADY_ASKED = 2
    FULL = 3


class VoteResult(IntEnum):
    """What became of a vote.

    CONFLICT: the voter had said something else; its ballot is voided by this, and the two signed
    votes are evidence. VOIDED: it said something more after that. LATE: at or past the deadline.
    """

    UNKNOWN = 0
    COUNTED = 1
    DUPLICATE = 2
    CONFLICT = 3
    VOIDED = 4
    UNKNOWN_QUESTION = 5
    CLOSED = 6
    LATE = 7
    NOT_A_VOTER = 8
    BAD_LABEL = 9


class Vote(Record, frozen=True):
    """What one voter said first. height: of the block with it. observation: None once voided."""

    voter: int
    height: int
    observation: Observation | None

    def ballot(self) -> Ballot:
        """Return the ballot that rules see."""
        seen = self.observation
        if seen is None:
            return Ballot(self.voter, ABSTAIN, voided=True)
        return Ballot(self.voter, seen.label, seen.confidence_ppm, seen.bearing_mrad)


class OpenQuestion(Record, frozen=True):
    """A question that awaits votes. votes: in the order of voters; at most one each."""

    question_id: bytes
    question: Question
    opened_ms: int
    height: int
    votes: tuple[Vote, ...] = ()

    @property
    def deadline_ms(self) -> int:
        """Ledger time from which votes are late."""
        return self.opened_ms + self.question.duration_ms


class TallyState(Record, frozen=True, tag=1):
    """What a tally remembers between two blocks, but for decisions, which the ledger itself has.

    decided: how many were ever made; history: their hash chain; open: in order of opening.
    """

    decided: Annotated[int, msgspec.Meta(ge=0, le=MAX_TIME_MS)]
    history: Digest
    open: Annotated[tuple[OpenQuestion, ...], msgspec.Meta(max_length=MAX_OPEN_QUESTIONS)]


class _Poll:
    """An open question while votes come in, with the digest of its state while that holds."""

    def __init__(self, asked: OpenQuestion) -> None:
        self.asked = asked
        self.votes: dict[int, Vote] = {}
        self._digest = b""
        self._awaiting = False

    def put(self, vote: Vote) -> None:
        self.votes[vote.voter] = vote
        self._digest = b""
        self._awaiting = False

    def keep(self, voters: frozenset[int]) -> None:
        self.votes = {voter: vote for voter, vote in self.votes.items() if voter in voters}
        self._digest = b""
        self._awaiting = False

    def snapshot(self) -> OpenQuestion:
        asked = self.asked
        votes = tuple(self.votes[voter] for voter in sorted(self.votes))
        return OpenQuestion(
            asked.question_id, asked.question, asked.opened_ms, asked.height, votes
        )

    def digest(self) -> bytes:
        if not self._digest:
            self._digest = digest(encode(self.snapshot()))
        return self._digest

    def outcome(self, *, voters: int, faulty: int, now_ms: int) -> Outcome | None:
        expired = now_ms >= self.asked.deadline_ms
        if self._awaiting and not expired:
            return None
        outcome = self.asked.question.rule.outcome(
            [vote.ballot() for vote in self.votes.values()],
            voters=voters,
            faulty=faulty,
            labels=len(self.asked.question.labels),
            expired=expired,
        )
        # A rule is pure: without a new vote it gives the same answer, so it need not be asked.
        self._awaiting = outcome is None
        return outcome


class Tally:
    """Questions, votes and decisions of one ledger.

    voters: indices into the roster of all who may vote. faulty: how many of them may lie, f with
    n >= 3f + 1. Call `open` and `vote` for the entries of a block and `advance` at its end, with
    the block's time and height. Raises Misuse when time or height go backwards, when one height
    has two times, or after a height was ended.
    """

    def __init__(self, voters: frozenset[int], faulty: int) -> None:
        if not 1 <= len(voters) <= MAX_VOTERS or min(voters) < 0:
            raise Misuse(f"a tally needs 1..{MAX_VOTERS} voters with indices from 0")
        if not 0 <= 3 * faulty < len(voters):
            raise Misuse(
                f"{faulty} faulty of {len(voters)} voters is more than voting can bear",
                remedy="Use at least 3f + 1 voters for f faulty ones.",
            )
        self._voters = voters
        self._faulty = faulty
        self._now_ms = 0
        self._height = -1
        self._ended = True
        self._polls: dict[bytes, _Poll] = {}
        self._decisions: OrderedDict[bytes, Decision] = OrderedDict()
        self._decided = 0
        self._history = digest(b"")

    def open(
        self, question_id_: bytes, question: Question, opened_at_ms: int, height: int
    ) -> OpenResult:
        """Open a question at the block's time and height, unless it was asked before.

        question_id_: the digest of its encoding; Misuse if it is not.
        """
        if question_id(encode(question)) != question_id_:
            raise Misuse("a question was opened under an id that is not its digest")
        self._enter(opened_at_ms, height)
        if question_id_ in self._polls or question_id_ in self._decisions:
            return OpenResult.ALREADY_ASKED
        if len(self._polls) >= MAX_OPEN_QUESTIONS:
            return OpenResult.FULL
        asked = OpenQuestion(question_id_, question, opened_at_ms, height)
        self._polls[question_id_] = _Poll(asked)
        return OpenResult.OPENED

    def vote(self, voter: int, observation: Observation, now_ms: int, height: int) -> VoteResult:
        """Take a voter's vote; only COUNTED and CONFLICT change the state.

        voter: index into the roster. On CONFLICT, `votes` still has the height of its first vote.
        """
        self._enter(now_ms, height)
        poll = self._polls.get(observation.question)
        if poll is None:
            known = observation.question in self._decisions
            return VoteResult.CLOSED if known else VoteResult.UNKNOWN_QUESTION
        refused = self._refusal(poll, voter, observation)
        if refused is not None:
            return refused
        first = poll.votes.get(voter)
        if first is None:
            poll.put(Vote(voter, height, observation))
            return VoteResult.COUNTED
        if first.observation is None:
            return VoteResult.VOIDED
        if first.observation == observation:
            return VoteResult.DUPLICATE
        poll.put(Vote(voter, first.height, None))
        return VoteResult.CONFLICT

    def advance(self, now_ms: int, height: int) -> list[Decision]:
        """End a block: close what is settled or expired, and return it in order of opening."""
        self._enter(now_ms, height)
        self._ended = True
        decisions = []
        for poll in list(self._polls.values()):
            outcome = poll.outcome(voters=len(self._voters), faulty=self._faulty, now_ms=now_ms)
            if outcome is not None:
                decisions.append(self._close(poll, outcome))
        return decisions

    def change_voters(self, voters: frozenset[int], faulty: int) -> None:
        """Go on with others, between two blocks: who may not vote any more has not voted.

        Open questions are settled by the new numbers when the next block ends. Misuse as for a
        new tally, or within a block.
        """
        if not self._ended:
            raise Misuse("voters change between blocks", remedy="Call advance first.")
        Tally(voters, faulty)  # the same rules
        self._voters, self._faulty = voters, faulty
        for poll in self._polls.values():
            poll.keep(voters)

    def state(self) -> TallyState:
        """Return what `resume` takes up again. Misuse within a block."""
        if not self._ended:
            raise Misuse("a tally is put down between blocks", remedy="Call advance first.")
        return TallyState(self._decided, self._history, self.open_questions())

    def resume(
        self, state: TallyState, decisions: Sequence[Decision], now_ms: int, height: int
    ) -> None:
        """Take up a state() again, as it was after the block of that time and height.

        decisions: the last RETAINED_DECISIONS of all, oldest first. Nothing is checked here:
        state_digest() tells whether it is the state that it was.
        """
        self._now_ms, self._height, self._ended = now_ms, height, True
        self._polls = {}
        for asked in state.open:
            poll = self._polls[asked.question_id] = _Poll(asked)
            poll.votes = {vote.voter: vote for vote in asked.votes}
        self._decisions = OrderedDict((decision.question, decision) for decision in decisions)
        self._decided, self._history = state.decided, state.history

    def state_digest(self) -> bytes:
        """Return the digest of the whole state, 32 bytes, equal on replicas that agree.

        It covers the parameters, the time, every open question with its votes, and all decisions
        ever made, as a hash chain: appending costs the same however long the ledger is.
        """
        state = (
            STATE_VERSION,
            sorted(self._voters),
            self._faulty,
            self._now_ms,
            self._height,
            self._ended,
            [poll.digest() for poll in self._polls.values()],
            self._decided,
            self._history,
        )
        return digest(encode(state))

    def open_questions(self) -> tuple[OpenQuestion, ...]:
        """Return the questions that await votes, with the votes so far, in order of opening."""
        return tuple(poll.snapshot() for poll in self._polls.values())

    def votes(self, question_id_: bytes) -> tuple[Vote, ...]:
        """Return the votes on an open question in the order of voters; none if it is not open."""
        poll = self._polls.get(question_id_)
        return poll.snapshot().votes if poll else ()

    @property
    def decided(self) -> int:
        """How many questions have been decided."""
        return self._decided

    def decision(self, number: int) -> Decision | None:
        """Return decision 1, 2, ..., or None if not made yet or older than those remembered."""
        oldest = self._decided - len(self._decisions) + 1
        if not oldest <= number <= self._decided:
            return None
        return list(self._decisions.values())[number - oldest]

    def decision_on(self, question_id_: bytes) -> Decision | None:
        """Return the decision on a question, or None if not made yet or no longer remembered."""
        return self._decisions.get(question_id_)

    def _enter(self, now_ms: int, height: int) -> None:
        if not (0 <= now_ms <= MAX_TIME_MS and 0 <= height <= MAX_TIME_MS):
            raise Misuse(f"time {now_ms} ms or height {height} is out of range")
        if now_ms < self._now_ms:
            raise Misuse(f"ledger time went back from {self._now_ms} to {now_ms} ms")
        if height < self._height or (height == self._height and self._ended):
            raise Misuse(f"height {height} comes after height {self._height} was reached or ended")
        if height == self._height and now_ms != self._now_ms:
            raise Misuse(f"height {height} has two times, {self._now_ms} and {now_ms} ms")
        if height > self._height and not self._ended:
            raise Misuse(
                f"height {height} begins before height {self._height} was ended",
                remedy="Call advance at the end of each block.",
            )
        self._now_ms, self._height, self._ended = now_ms, height, False

    def _refusal(self, poll: _Poll, voter: int, observation: Observation) -> VoteResult | None:
        if self._now_ms >= poll.asked.deadline_ms:
            return VoteResult.LATE
        if voter not in self._voters:
            return VoteResult.NOT_A_VOTER
        if observation.label >= len(poll.asked.question.labels):
            return VoteResult.BAD_LABEL
        return None

    def _close(self, poll: _Poll, outcome: Outcome) -> Decision:
        ballots = [vote.ballot() for vote in poll.votes.values()]
        heard = [ballot.label for ballot in ballots if not ballot.voided]
        self._decided += 1
        decision = Decision(
            number=self._decided,
            question=poll.asked.question_id,
            outcome=outcome.kind,
            label=outcome.label,
            counts=tuple(heard.count(i) for i in range(len(poll.asked.question.labels))),
            abstentions=heard.count(ABSTAIN),
            voided=len(ballots) - len(heard),
            voters=len(self._voters),
            opened_ms=poll.asked.opened_ms,
            closed_ms=self._now_ms,
            height=self._height,
        )
        del self._polls[decision.question]
        self._decisions[decision.question] = decision
        if len(self._decisions) > RETAINED_DECISIONS:
            self._decisions.popitem(last=False)
        self._history = digest(self._history + encode(decision))
        return decision
