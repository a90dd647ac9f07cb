# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""One open question while votes come in: what was committed to, said, and taken for settled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import msgspec
from msgspec import Meta

from swarm_ledger.encoding import Record, array_head, digest, encode
from swarm_ledger.voting.limits import ABSTAIN, MAX_VOTERS, Digest
from swarm_ledger.voting.observation import AnyObservation, NumberObservation
from swarm_ledger.voting.question import AnyQuestion, reveal_ms
from swarm_ledger.voting.rules import Ballot, NumberOutcome, Outcome


class Vote(Record, frozen=True):
    """What one voter said first. height: of the block with it. observation: None once voided."""

    voter: int
    height: int
    observation: AnyObservation | None

    def ballot(self, reliability_ppm: int) -> Ballot:
        """Return the ballot that rules see."""
        seen = self.observation
        if seen is None:
            return Ballot(self.voter, ABSTAIN, voided=True)
        return Ballot(
            self.voter,
            seen.label,
            seen.confidence_ppm,
            seen.bearing_mrad,
            reliability_ppm=reliability_ppm,
            value=seen.value if isinstance(seen, NumberObservation) else None,
        )


class OpenQuestion(Record, frozen=True):
    """A question that awaits votes. votes: in the order of voters; at most one each."""

    question_id: bytes
    question: AnyQuestion
    opened_ms: int
    height: int
    votes: tuple[Vote, ...] = ()

    @property
    def deadline_ms(self) -> int:
        """Ledger time from which votes are late."""
        return self.opened_ms + self.question.duration_ms

    @property
    def reveal_from_ms(self) -> int | None:
        """Ledger time from which ballots are opened, and none is committed to any more.

        None where votes are open from the start.
        """
        opening_ms = reveal_ms(self.question)
        return None if opening_ms is None else self.deadline_ms - opening_ms


class Pledge(Record, frozen=True):
    """What one voter committed to first. hidden: None once it committed to something else too."""

    voter: int
    height: int
    hidden: Digest | None


class Pledged(Record, frozen=True):
    """The commitments on one open question, in the order of voters."""

    question_id: Digest
    pledges: Annotated[tuple[Pledge, ...], Meta(max_length=MAX_VOTERS)]


class Poll:
    """An open question while votes come in, with its state and that's digest while they hold.

    Each vote is encoded once: its question's digest changes with every block.
    """

    def __init__(self, asked: OpenQuestion) -> None:
        self.asked = asked
        self.votes: dict[int, Vote] = {}
        self.pledges: dict[int, Pledge] = {}
        self._encoded: dict[int, bytes] = {}
        self._snapshot: OpenQuestion | None = None
        self._digest = b""
        self._awaiting = False
        *head, _ = msgspec.structs.astuple(asked)
        self._head = array_head(len(head) + 1) + b"".join(map(encode, head))
        for vote in asked.votes:
            self.put(vote)

    def put(self, vote: Vote) -> None:
        """Take a voter's vote, or that it is void."""
        self.votes[vote.voter] = vote
        self._encoded[vote.voter] = encode(vote)
        self.stir()

    def pledge(self, pledge: Pledge) -> None:
        """Take what a voter commits to, or that it committed to two things."""
        self.pledges[pledge.voter] = pledge
        self.stir()

    def keep(self, voters: frozenset[int]) -> None:
        """Forget what those said who may not vote any more."""
        self.votes = {voter: vote for voter, vote in self.votes.items() if voter in voters}
        self.pledges = {voter: one for voter, one in self.pledges.items() if voter in voters}
        self.stir()

    def stir(self) -> None:
        """Note that something it depends on has changed."""
        self._digest, self._snapshot = b"", None
        self._awaiting = False

    def snapshot(self) -> OpenQuestion:
        """Return the question with the votes so far."""
        if self._snapshot is None:
            asked = self.asked
            votes = tuple(self.votes[voter] for voter in sorted(self.votes))
            self._snapshot = OpenQuestion(
                asked.question_id, asked.question, asked.opened_ms, asked.height, votes
            )
        return self._snapshot

    def pledged(self) -> Pledged:
        """Return the commitments so far."""
        pledges = tuple(self.pledges[voter] for voter in sorted(self.pledges))
        return Pledged(self.asked.question_id, pledges)

    def digest(self) -> bytes:
        """Return the digest of question, votes, and commitments if there are any."""
        if not self._digest:
            votes = [self._encoded[voter] for voter in sorted(self.votes)]
            self._digest = digest(self._head + array_head(len(votes)) + b"".join(votes))
            if self.pledges:
                self._digest = digest(self._digest + encode(self.pledged()))
        return self._digest

    def ballots(self, reliability: Callable[[int], int], *, over: bool = True) -> list[Ballot]:
        """Return the ballots that rules see; over: who has not opened its own by now is voided."""
        ballots = [vote.ballot(reliability(voter)) for voter, vote in self.votes.items()]
        for voter, pledge in self.pledges.items():
            if voter not in self.votes and (over or pledge.hidden is None):
                ballots.append(Ballot(voter, ABSTAIN, voided=True))
        return ballots

    def outcome(
        self, reliability: Callable[[int], int], *, voters: int, faulty: int, now_ms: int
    ) -> Outcome | NumberOutcome | None:
        """Return what the rule makes of it, or None while votes or the deadline are awaited."""
        expired = now_ms >= self.asked.deadline_ms or self._all_opened(now_ms)
        if self._awaiting and not expired:
            return None
        outcome = self.asked.question.settle(
            self.ballots(reliability, over=expired),
            voters=voters,
            faulty=faulty,
            expired=expired,
        )
        # A rule is pure: without a new vote it gives the same answer, so it need not be asked.
        self._awaiting = outcome is None
        return outcome

    def _all_opened(self, now_ms: int) -> bool:
        """Whether nobody is left who may still vote: all that was committed to is open."""
        since_ms = self.asked.reveal_from_ms
        if since_ms is None or now_ms < since_ms:
            return False
        return all(one.hidden is None or one.voter in self.votes for one in self.pledges.values())
