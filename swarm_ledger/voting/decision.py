# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""How a question ended: a leaf of the ledger, so its encoding is final."""

from __future__ import annotations

from typing import Annotated

import msgspec

from swarm_ledger.encoding import Record, decode, encode
from swarm_ledger.errors import Misuse
from swarm_ledger.voting.limits import (
    ABSTAIN,
    ABSTAIN_NAME,
    MAX_LABELS,
    MAX_TIME_MS,
    MAX_VOTERS,
    Digest,
    Height,
    LabelIndex,
    TimeMs,
    VoterCount,
)
from swarm_ledger.voting.question import QUESTION_LIMIT, Question, question_id
from swarm_ledger.voting.rules import OutcomeKind

DECISION_LIMIT = 256
"""Most bytes that an encoded decision has."""


class Decision(Record, frozen=True, tag=1):
    """The outcome of one question with the counts behind it.

    number: 1, 2, ... over the whole ledger. question: its id. label: index of the winner if
    DECIDED, else ABSTAIN (-1). counts: votes per label, in the question's order. voided: voters
    who contradicted themselves. voters: all who could vote, n. opened_ms, closed_ms: ledger time.
    height: of the block that closed it. Raises Misuse for fields that contradict one another.
    """

    number: Annotated[int, msgspec.Meta(ge=1, le=MAX_TIME_MS)]
    question: Digest
    outcome: OutcomeKind
    label: LabelIndex
    counts: Annotated[tuple[VoterCount, ...], msgspec.Meta(min_length=2, max_length=MAX_LABELS)]
    abstentions: VoterCount
    voided: VoterCount
    voters: Annotated[int, msgspec.Meta(ge=1, le=MAX_VOTERS)]
    opened_ms: TimeMs
    closed_ms: TimeMs
    height: Height

    def __post_init__(self) -> None:
        decided = self.outcome == OutcomeKind.DECIDED
        if self.outcome == OutcomeKind.UNKNOWN:
            raise Misuse("a decision has the outcome UNKNOWN, which is for unset fields")
        if decided != (self.label != ABSTAIN) or self.label >= len(self.counts):
            raise Misuse(f"label {self.label} does not go with outcome {self.outcome.name}")
        if decided and self.counts[self.label] == 0:
            raise Misuse(f"label {self.label} was decided without a single vote")
        cast = sum(self.counts) + self.abstentions + self.voided
        if cast > self.voters:
            raise Misuse(f"{cast} ballots were cast by {self.voters} voters")
        if self.closed_ms < self.opened_ms:
            raise Misuse(f"closed at {self.closed_ms} ms, before {self.opened_ms} ms")

    def describe(self, question: Question) -> str:
        """Return one line for people. Raises Misuse unless this decision answers `question`."""
        if question_id(encode(question)) != self.question:
            raise Misuse(
                f"decision {self.number} does not answer this question, its digest differs",
                remedy=f"Look up question {self.question.hex()}.",
            )
        if len(question.labels) != len(self.counts):
            raise Misuse(
                f"decision {self.number} counts {len(self.counts)} labels where its question has "
                f"{len(question.labels)}",
            )
        answer = "tie" if self.outcome == OutcomeKind.TIE else "undecided"
        if self.outcome == OutcomeKind.DECIDED:
            answer = question.labels[self.label]
        tally = [f"{name} {n}" for name, n in zip(question.labels, self.counts, strict=True)]
        tally.append(f"{ABSTAIN_NAME} {self.abstentions}")
        if self.voided:
            tally.append(f"voided {self.voided}")
        took = self.closed_ms - self.opened_ms
        return (
            f"Decision {self.number} at height {self.height}: {question.subject}: {answer} "
            f"({', '.join(tally)}; {self.voters} voters; open for {took} ms)"
        )


def parse_decision(encoded: bytes) -> Decision:
    """Return the decision in outside bytes, valid in every field and in itself.

    Raises PeerFault("oversize" | "malformed").
    """
    return decode(encoded, Decision, limit=DECISION_LIMIT)


class Settled(Record, frozen=True, tag=1):
    """A question with its decision: the ledger's leaf, which says all by itself what was decided.

    Raises Misuse unless the decision answers the question.
    """

    question: Question
    decision: Decision

    def __post_init__(self) -> None:
        self.decision.describe(self.question)

    @property
    def answer(self) -> str | None:
        """The label that won, or None for a tie and for an undecided question."""
        if self.decision.outcome != OutcomeKind.DECIDED:
            return None
        return self.question.labels[self.decision.label]

    @property
    def votes(self) -> dict[str, int]:
        """Counted votes by label, "unknown" for the abstentions."""
        labels = zip(self.question.labels, self.decision.counts, strict=True)
        return {**dict(labels), ABSTAIN_NAME: self.decision.abstentions}

    @property
    def text(self) -> str:
        """One line for people."""
        return self.decision.describe(self.question)


def parse_settled(encoded: bytes) -> Settled:
    """Return the settled question in outside bytes, valid in every field and in itself.

    Raises PeerFault("oversize" | "malformed").
    """
    return decode(encoded, Settled, limit=QUESTION_LIMIT + DECISION_LIMIT)
