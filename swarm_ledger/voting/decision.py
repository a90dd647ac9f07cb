# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""How a question ended: a leaf of the ledger, so its encoding is final."""

from __future__ import annotations

from typing import Annotated, TypeAlias

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
    Value,
    VoterCount,
)
from swarm_ledger.voting.question import (
    QUESTION_LIMIT,
    AnyQuestion,
    NumberQuestion,
    Question,
    question_id,
)
from swarm_ledger.voting.rules import OutcomeKind

DECISION_LIMIT = 384
"""Most bytes that an encoded decision has."""


_Number = Annotated[int, msgspec.Meta(ge=1, le=MAX_TIME_MS)]
_Voters = Annotated[int, msgspec.Meta(ge=1, le=MAX_VOTERS)]
_Support = Annotated[int, msgspec.Meta(ge=0, le=MAX_TIME_MS)]


def _check(outcome: OutcomeKind, cast: int, voters: int, opened_ms: int, closed_ms: int) -> None:
    if outcome == OutcomeKind.UNKNOWN:
        raise Misuse("a decision has the outcome UNKNOWN, which is for unset fields")
    if cast > voters:
        raise Misuse(f"{cast} ballots were cast by {voters} voters")
    if closed_ms < opened_ms:
        raise Misuse(f"closed at {closed_ms} ms, before {opened_ms} ms")


class Decision(Record, frozen=True, tag=1):
    """The outcome of one question with the counts behind it.

    number: 1, 2, ... over the whole ledger. question: its id. label: index of the winner if
    DECIDED, else ABSTAIN (-1). counts: votes per label, in the question's order. voided: voters
    who contradicted themselves, or did not open their ballot. voters: all who could vote, n.
    opened_ms, closed_ms: ledger time. height: of the block that closed it. Raises Misuse for
    fields that contradict one another.
    """

    number: _Number
    question: Digest
    outcome: OutcomeKind
    label: LabelIndex
    counts: Annotated[tuple[VoterCount, ...], msgspec.Meta(min_length=2, max_length=MAX_LABELS)]
    abstentions: VoterCount
    voided: VoterCount
    voters: _Voters
    opened_ms: TimeMs
    closed_ms: TimeMs
    height: Height

    def __post_init__(self) -> None:
        decided = self.outcome == OutcomeKind.DECIDED
        cast = sum(self.counts) + self.abstentions + self.voided
        _check(self.outcome, cast, self.voters, self.opened_ms, self.closed_ms)
        if decided != (self.label != ABSTAIN) or self.label >= len(self.counts):
            raise Misuse(f"label {self.label} does not go with outcome {self.outcome.name}")
        if decided and self.counts[self.label] == 0:
            raise Misuse(f"label {self.label} was decided without a single vote")

    @property
    def weights(self) -> tuple[int, ...]:
        """What stood behind each label, by a rule that weighs; () of one that counts."""
        return ()

    def answer(self, question: AnyQuestion) -> str:
        """Return the label that won; "" if none did."""
        names = self._labels(question)
        return names[self.label] if self.label != ABSTAIN else ""

    def votes(self, question: AnyQuestion) -> dict[str, int]:
        """Return counted votes by label, "unknown" for the abstentions."""
        named = zip(self._labels(question), self.counts, strict=True)
        return {**dict(named), ABSTAIN_NAME: self.abstentions}

    def _labels(self, question: AnyQuestion) -> tuple[str, ...]:
        names = question.labels if isinstance(question, Question) else ()
        if len(names) != len(self.counts):
            raise Misuse(
                f"decision {self.number} counts {len(self.counts)} labels where its question has "
                f"{len(names)}",
            )
        return names


class Weighed(Decision, frozen=True, tag=3):
    """The same by a rule that weighs ballots. support: behind each label, in the rule's unit."""

    support: Annotated[tuple[_Support, ...], msgspec.Meta(max_length=MAX_LABELS)]

    def __post_init__(self) -> None:
        Decision.__post_init__(self)
        if len(self.support) != len(self.counts):
            raise Misuse("a decision weighs other labels than it counts")

    @property
    def weights(self) -> tuple[int, ...]:
        """What stood behind each label."""
        return self.support


class NumberDecision(Record, frozen=True, tag=2):
    """How a question for a number ended. value: None unless DECIDED.

    low, high: whatever f liars said, honest voters alone would have been answered from within
    these; None where too few answered. counted: voters who gave a value; the rest as in Decision.
    Raises Misuse for fields that contradict one another.
    """

    number: _Number
    question: Digest
    outcome: OutcomeKind
    value: Value | None
    low: Value | None
    high: Value | None
    counted: VoterCount
    abstentions: VoterCount
    voided: VoterCount
    voters: _Voters
    opened_ms: TimeMs
    closed_ms: TimeMs
    height: Height

    def __post_init__(self) -> None:
        cast = self.counted + self.abstentions + self.voided
        _check(self.outcome, cast, self.voters, self.opened_ms, self.closed_ms)
        if (self.outcome == OutcomeKind.DECIDED) != (self.value is not None):
            raise Misuse(f"value {self.value} does not go with outcome {self.outcome.name}")
        if (self.low is None) != (self.high is None):
            raise Misuse("a decision has one bound of two")
        low = self.low if self.low is not None else self.value
        high = self.high if self.high is not None else self.value
        value = self.value if self.value is not None else low
        if low is not None and high is not None and value is not None:
            if not low <= value <= high:
                raise Misuse(f"{value} is not from {low} to {high}")
            if self.value is not None and (self.low is None or not self.counted):
                raise Misuse("a value was decided without bounds, or a single vote")

    @property
    def weights(self) -> tuple[int, ...]:
        """Nothing: values aren't weighed."""
        return ()

    def answer(self, question: AnyQuestion) -> str:
        """Return the number with its unit; "" if nothing was decided."""
        unit = self._unit(question)
        return f"{self.value} {unit}".rstrip() if self.value is not None else ""

    def votes(self, question: AnyQuestion) -> dict[str, int]:
        """Return how many gave a value, "unknown" for the abstentions."""
        self._unit(question)
        return {"value": self.counted, ABSTAIN_NAME: self.abstentions}

    def _unit(self, question: AnyQuestion) -> str:
        if not isinstance(question, NumberQuestion):
            raise Misuse(f"decision {self.number} is a number, which its question isn't about")
        return question.unit


AnyDecision: TypeAlias = Decision | Weighed | NumberDecision


def describe(decision: AnyDecision, question: AnyQuestion) -> str:
    """Return one line for people. Raises Misuse unless the decision answers the question."""
    if question_id(encode(question)) != decision.question:
        raise Misuse(
            f"decision {decision.number} does not answer this question, its digest differs",
            remedy=f"Look up question {decision.question.hex()}.",
        )
    answer = decision.answer(question) or decision.outcome.name.lower()
    told = [f"{name} {n}" for name, n in decision.votes(question).items()]
    told += [f"voided {decision.voided}"] * bool(decision.voided)
    if isinstance(decision, NumberDecision) and decision.low is not None:
        told.append(f"bounds {decision.low} to {decision.high}")
    took = decision.closed_ms - decision.opened_ms
    return (
        f"Decision {decision.number} at height {decision.height}: {question.subject}: {answer} "
        f"({', '.join(told)}; {decision.voters} voters; open for {took} ms)"
    )


def parse_decision(encoded: bytes) -> AnyDecision:
    """Return the decision in outside bytes, valid in every field and in itself.

    Raises PeerFault("oversize" | "malformed").
    """
    decision: AnyDecision = decode(encoded, AnyDecision, limit=DECISION_LIMIT)
    return decision


class Settled(Record, frozen=True, tag=1):
    """A question with its decision: the ledger's leaf, which says all by itself what was decided.

    Raises Misuse unless the decision answers the question.
    """

    question: AnyQuestion
    decision: AnyDecision

    def __post_init__(self) -> None:
        describe(self.decision, self.question)

    @property
    def answer(self) -> str | None:
        """The label that won, or the number with its unit; None where nothing was decided."""
        return self.decision.answer(self.question) or None

    @property
    def votes(self) -> dict[str, int]:
        """Counted votes by label, of a number as "value"; "unknown" for the abstentions."""
        return self.decision.votes(self.question)

    @property
    def text(self) -> str:
        """One line for people."""
        return describe(self.decision, self.question)


def parse_settled(encoded: bytes) -> Settled:
    """Return the settled question in outside bytes, valid in every field and in itself.

    Raises PeerFault("oversize" | "malformed").
    """
    return decode(encoded, Settled, limit=QUESTION_LIMIT + DECISION_LIMIT)
