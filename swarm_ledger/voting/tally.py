# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The tally: the state machine that turns the ledger's entries into decisions.

Every replica feeds it the same entries in the same blocks and holds the same state, digest and
decisions. It believes what it is given: signatures were checked when the entries arrived, and the
time is the block's. Questions close at the end of a block only, so the order of votes inside a
block changes nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence

from swarm_ledger.encoding import digest, encode
from swarm_ledger.errors import Misuse
from swarm_ledger.voting.closing import answers, decide
from swarm_ledger.voting.commitment import Commitment, Reveal, hide
from swarm_ledger.voting.decision import AnyDecision
from swarm_ledger.voting.limits import (
    MAX_OPEN_QUESTIONS,
    MAX_TIME_MS,
    MAX_VOTERS,
    RETAINED_DECISIONS,
)
from swarm_ledger.voting.observation import AnyObservation
from swarm_ledger.voting.poll import OpenQuestion, Pledge, Poll, Vote
from swarm_ledger.voting.question import (
    AnyQuestion,
    Question,
    counts_only,
    question_id,
)
from swarm_ledger.voting.reputation import Learnt, Reputations, StandingChange
from swarm_ledger.voting.rules import Ballot, NumberOutcome, Outcome
from swarm_ledger.voting.state import LearningState, OpenResult, TallyState, VoteResult

STATE_VERSION = 1


class Tally:
    """Questions, votes and decisions of one ledger.

    voters: indices into the roster of all who may vote. faulty: how many of them may lie, f with
    n >= 3f + 1. Call `open`, `vote`, `commit` and `reveal` for the entries of a block and
    `advance` at its end, with the block's time and height. Raises Misuse when time or height go
    backwards, when one height has two times, or after a height was ended.

    Reputations are kept from the first question on whose rule does more than count to a majority:
    a ledger without one has the state that it always had.
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
        self._polls: dict[bytes, Poll] = {}
        self._decisions: OrderedDict[bytes, AnyDecision] = OrderedDict()
        self._reputations: Reputations | None = None
        self._decided = 0
        self._history = digest(b"")

    def open(
        self, question_id_: bytes, question: AnyQuestion, opened_at_ms: int, height: int
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
        self._polls[question_id_] = Poll(asked)
        if self._reputations is None and not counts_only(question):
            self._reputations = Reputations()
        return OpenResult.OPENED

    def vote(
        self, voter: int, observation: AnyObservation, now_ms: int, height: int
    ) -> VoteResult:
        """Take a voter's vote; only COUNTED and CONFLICT change the state.

        voter: index into the roster. On CONFLICT, `votes` still has the height of its first vote.
        """
        self._enter(now_ms, height)
        poll = self._polls.get(observation.question)
        refused = self._refusal(poll, voter, observation.question, observation)
        if poll is None or refused is not None:
            return refused or VoteResult.UNKNOWN_QUESTION
        if poll.asked.reveal_from_ms is not None:
            return VoteResult.SEALED
        return self._cast(poll, voter, observation)

    def commit(self, voter: int, said: Commitment, now_ms: int, height: int) -> VoteResult:
        """Take what a voter commits to; only COMMITTED and CONFLICT change the state."""
        self._enter(now_ms, height)
        poll = self._polls.get(said.question)
        refused = self._refusal(poll, voter, said.question)
        if poll is None or refused is not None:
            return refused or VoteResult.UNKNOWN_QUESTION
        since_ms = poll.asked.reveal_from_ms
        if since_ms is None:
            return VoteResult.NOT_COMMITTED
        return VoteResult.LATE if self._now_ms >= since_ms else self._pledge(poll, voter, said)

    def reveal(self, voter: int, said: Reveal, now_ms: int, height: int) -> VoteResult:
        """Take the ballot that a voter opens; only COUNTED changes the state."""
        self._enter(now_ms, height)
        observation = said.observation
        poll = self._polls.get(observation.question)
        refused = self._refusal(poll, voter, observation.question, observation)
        if poll is None or refused is not None:
            return refused or VoteResult.UNKNOWN_QUESTION
        since_ms, first = poll.asked.reveal_from_ms, poll.pledges.get(voter)
        if since_ms is not None and self._now_ms < since_ms:
            return VoteResult.EARLY
        if first is not None and first.hidden is None:
            return VoteResult.VOIDED
        if first is None or first.hidden != hide(voter, said):
            return VoteResult.NOT_COMMITTED
        return self._cast(poll, voter, observation)

    def advance(self, now_ms: int, height: int) -> list[AnyDecision]:
        """End a block: close what is settled or expired, and return it in order of opening.

        All of it is weighed by the reputations before this block, whatever closes first.
        """
        self._enter(now_ms, height)
        self._ended = True
        closing = []
        for poll in self._polls.values():
            outcome = poll.outcome(
                self._reliability,
                voters=len(self._voters),
                faulty=self._faulty,
                now_ms=now_ms,
            )
            if outcome is not None:
                closing.append((poll, outcome, poll.ballots(self._reliability)))
        decisions = [self._close(poll, outcome, cast) for poll, outcome, cast in closing]
        if self._reputations is not None and closing:
            for poll, outcome, cast in closing:
                self._reputations.learn(answers(poll.asked.question, outcome, cast))
            for poll in self._polls.values():
                poll.stir()
        return decisions

    def judge(
        self, members: Mapping[int, bytes], convicted: Iterable[int]
    ) -> list[StandingChange]:
        """Return whose standing changed by the block that was just ended.

        members: drone ids by voter; convicted: who is proven to have contradicted itself.
        """
        if not self._ended:
            raise Misuse("standings change between blocks", remedy="Call advance first.")
        if self._reputations is None:
            return []
        self._reputations.convict(voter for voter in convicted if voter in self._voters)
        return self._reputations.changed(members, self._decided, self._height)

    def learnt(self) -> Learnt | None:
        """Return all reputations; None where none are kept."""
        return self._reputations.learnt() if self._reputations is not None else None

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
        if self._reputations is not None:
            self._reputations.keep(voters)

    def state(self) -> TallyState:
        """Return what `resume` takes up again. Misuse within a block."""
        if not self._ended:
            raise Misuse("a tally is put down between blocks", remedy="Call advance first.")
        learnt, asked = self.learnt(), self.open_questions()
        if learnt is None:
            return TallyState(self._decided, self._history, asked)
        pledged = tuple(poll.pledged() for poll in self._polls.values() if poll.pledges)
        return LearningState(self._decided, self._history, asked, learnt, pledged)

    def resume(
        self, state: TallyState, decisions: Sequence[AnyDecision], now_ms: int, height: int
    ) -> None:
        """Take up a state() again, as it was after the block of that time and height.

        decisions: the last RETAINED_DECISIONS of all, oldest first. Nothing is checked here:
        state_digest() tells whether it is the state that it was.
        """
        self._now_ms, self._height, self._ended = now_ms, height, True
        self._polls = {asked.question_id: Poll(asked) for asked in state.open}
        self._reputations = None
        if isinstance(state, LearningState):
            self._reputations = Reputations(state.learnt)
            for pledged in state.pledged:
                for pledge in pledged.pledges:
                    self._polls[pledged.question_id].pledge(pledge)
        self._decisions = OrderedDict((decision.question, decision) for decision in decisions)
        self._decided, self._history = state.decided, state.history

    def state_digest(self) -> bytes:
        """Return the digest of the whole state, 32 bytes, equal on replicas that agree.

        It covers the parameters, the time, every open question with its votes, and all decisions
        ever made, as a hash chain: appending costs the same however long the ledger is.
        """
        learnt = self.learnt()
        state = [
            STATE_VERSION,
            sorted(self._voters),
            self._faulty,
            self._now_ms,
            self._height,
            self._ended,
            [poll.digest() for poll in self._polls.values()],
            self._decided,
            self._history,
        ]
        if learnt is not None:
            state.append(digest(encode(learnt)))
        return digest(encode(state))

    def open_questions(self) -> tuple[OpenQuestion, ...]:
        """Return the questions that await votes, with the votes so far, in order of opening."""
        return tuple(poll.snapshot() for poll in self._polls.values())

    def votes(self, question_id_: bytes) -> tuple[Vote, ...]:
        """Return the votes on an open question in the order of voters; none if it is not open."""
        poll = self._polls.get(question_id_)
        return poll.snapshot().votes if poll else ()

    def vote_of(self, question_id_: bytes, voter: int) -> Vote | None:
        """Return a voter's vote on an open question, None if it cast none there."""
        poll = self._polls.get(question_id_)
        return poll.votes.get(voter) if poll else None

    def pledge_of(self, question_id_: bytes, voter: int) -> Pledge | None:
        """Return what a voter committed to on an open question, None if it did not."""
        poll = self._polls.get(question_id_)
        return poll.pledges.get(voter) if poll else None

    def pledges(self, question_id_: bytes) -> tuple[Pledge, ...]:
        """Return the commitments on an open question in the order of voters."""
        poll = self._polls.get(question_id_)
        return poll.pledged().pledges if poll else ()

    @property
    def decided(self) -> int:
        """How many questions have been decided."""
        return self._decided

    def decision(self, number: int) -> AnyDecision | None:
        """Return decision 1, 2, ..., or None if not made yet or older than those remembered."""
        oldest = self._decided - len(self._decisions) + 1
        if not oldest <= number <= self._decided:
            return None
        return list(self._decisions.values())[number - oldest]

    def decision_on(self, question_id_: bytes) -> AnyDecision | None:
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

    def _refusal(
        self,
        poll: Poll | None,
        voter: int,
        about: bytes,
        observation: AnyObservation | None = None,
    ) -> VoteResult | None:
        if poll is None:
            known = about in self._decisions
            return VoteResult.CLOSED if known else VoteResult.UNKNOWN_QUESTION
        if self._now_ms >= poll.asked.deadline_ms:
            return VoteResult.LATE
        if voter not in self._voters:
            return VoteResult.NOT_A_VOTER
        question = poll.asked.question
        if observation is not None and not question.allows(observation):
            labels = isinstance(question, Question)
            return VoteResult.BAD_LABEL if labels else VoteResult.BAD_VALUE
        return None

    def _pledge(self, poll: Poll, voter: int, said: Commitment) -> VoteResult:
        first = poll.pledges.get(voter)
        if first is None:
            poll.pledge(Pledge(voter, self._height, said.hidden))
            return VoteResult.COMMITTED
        if first.hidden is None:
            return VoteResult.VOIDED
        if first.hidden == said.hidden:
            return VoteResult.DUPLICATE
        poll.pledge(Pledge(voter, first.height, None))
        return VoteResult.CONFLICT

    def _cast(self, poll: Poll, voter: int, observation: AnyObservation) -> VoteResult:
        first = poll.votes.get(voter)
        if first is None:
            poll.put(Vote(voter, self._height, observation))
            return VoteResult.COUNTED
        if first.observation is None:
            return VoteResult.VOIDED
        if first.observation == observation:
            return VoteResult.DUPLICATE
        poll.put(Vote(voter, first.height, None))
        return VoteResult.CONFLICT

    def _reliability(self, voter: int) -> int:
        return self._reputations.of(voter).reliability_ppm if self._reputations else 0

    def _close(
        self, poll: Poll, outcome: Outcome | NumberOutcome, ballots: Sequence[Ballot]
    ) -> AnyDecision:
        self._decided += 1
        decision = decide(
            poll.asked,
            outcome,
            ballots,
            number=self._decided,
            voters=len(self._voters),
            closed_ms=self._now_ms,
            height=self._height,
        )
        del self._polls[decision.question]
        self._decisions[decision.question] = decision
        if len(self._decisions) > RETAINED_DECISIONS:
            self._decisions.popitem(last=False)
        self._history = digest(self._history + encode(decision))
        return decision
