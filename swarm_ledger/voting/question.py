# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What the swarm is asked: a subject, the answers it may give, and the rule that settles it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, TypeAlias

import msgspec

from swarm_ledger.encoding import Record, decode, digest
from swarm_ledger.errors import Misuse
from swarm_ledger.voting.limits import (
    ABSTAIN_NAME,
    MAX_DURATION_MS,
    MAX_LABELS,
    MAX_MAGNITUDE,
    Value,
)
from swarm_ledger.voting.observation import AnyObservation, NumberObservation, Observation
from swarm_ledger.voting.rules import (
    AnyNumberRule,
    AnyRule,
    Ballot,
    Majority,
    NumberOutcome,
    Outcome,
    Sealed,
    SealedNumbers,
)

QUESTION_LIMIT = 1024
"""Most bytes that an encoded question has."""

# ASCII by explicit ranges: Unicode's tables differ between Python versions, and replicas that
# disagree on what is printable would disagree on what is valid. \Z, as $ lets a newline pass.
Subject = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[ -~]+\Z")]
Label = Annotated[str, msgspec.Meta(min_length=1, max_length=32, pattern=r"^[a-z0-9_]+\Z")]
Unit = Annotated[str, msgspec.Meta(max_length=16, pattern=r"^[A-Za-z0-9_/%]*\Z")]
Duration = Annotated[int, msgspec.Meta(ge=1, le=MAX_DURATION_MS)]
Nonce = Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]


def _check_sealed(rule: AnyRule | AnyNumberRule, duration_ms: int) -> None:
    if isinstance(rule, Sealed | SealedNumbers) and rule.reveal_ms >= duration_ms:
        raise Misuse(
            f"of {duration_ms} ms, {rule.reveal_ms} ms are for opening ballots",
            remedy="Leave time to commit to them.",
        )


class Question(Record, frozen=True, tag=1):
    """A question, as it is signed and put on the ledger; its digest is its name.

    subject: 1..64 printable ASCII characters, for people. labels: 2..16 different answers of
    [a-z0-9_]{1,32}; "unknown" is reserved for abstention. duration_ms: how long it stays open, in
    the ledger's time. nonce: 16 random bytes, so that the same thing can be asked again.
    Raises Misuse for labels that repeat or are reserved, and where there is no time to commit.
    """

    subject: Subject
    labels: Annotated[tuple[Label, ...], msgspec.Meta(min_length=2, max_length=MAX_LABELS)]
    rule: AnyRule
    duration_ms: Duration
    nonce: Nonce

    def __post_init__(self) -> None:
        if len(set(self.labels)) != len(self.labels):
            raise Misuse("a question has the same label twice", remedy="Name each label once.")
        if ABSTAIN_NAME in self.labels:
            raise Misuse(
                f'the label "{ABSTAIN_NAME}" is reserved for abstention',
                remedy="Leave it out: every voter may abstain on every question.",
            )
        _check_sealed(self.rule, self.duration_ms)

    def allows(self, observation: AnyObservation) -> bool:
        """Whether an observation is an answer to this question."""
        return isinstance(observation, Observation) and observation.label < len(self.labels)

    def settle(
        self, ballots: Sequence[Ballot], *, voters: int, faulty: int, expired: bool
    ) -> Outcome | None:
        """Return what its rule makes of the ballots; see Rule.outcome."""
        rule = self.rule.rule if isinstance(self.rule, Sealed) else self.rule
        labels = len(self.labels)
        return rule.outcome(ballots, voters=voters, faulty=faulty, labels=labels, expired=expired)


class NumberQuestion(Record, frozen=True, tag=2):
    """A question whose answer is an integer: how many, how far, how warm.

    unit: for people, such as "mm", [A-Za-z0-9_/%]{0,16}. low, high: the range of answers; others
    are refused. tolerance: in the unit, how far honest answers may differ for there to be one.
    Raises Misuse for an empty range, and where there is no time to commit.
    """

    subject: Subject
    unit: Unit
    low: Value
    high: Value
    tolerance: Annotated[int, msgspec.Meta(ge=0, le=MAX_MAGNITUDE)]
    rule: AnyNumberRule
    duration_ms: Duration
    nonce: Nonce

    def __post_init__(self) -> None:
        if self.low >= self.high:
            raise Misuse(f"there is no number to choose from {self.low} to {self.high}")
        _check_sealed(self.rule, self.duration_ms)

    def allows(self, observation: AnyObservation) -> bool:
        """Whether an observation is an answer to this question."""
        if not isinstance(observation, NumberObservation):
            return False
        return observation.value is None or self.low <= observation.value <= self.high

    def settle(
        self, ballots: Sequence[Ballot], *, voters: int, faulty: int, expired: bool
    ) -> NumberOutcome | None:
        """Return what its rule makes of the ballots."""
        rule = self.rule.rule if isinstance(self.rule, SealedNumbers) else self.rule
        return rule.outcome(
            ballots, voters=voters, faulty=faulty, tolerance=self.tolerance, expired=expired
        )


AnyQuestion: TypeAlias = Question | NumberQuestion


def reveal_ms(question: AnyQuestion) -> int | None:
    """Return for how long at its end ballots are opened; None where they are open all along."""
    rule = question.rule
    return rule.reveal_ms if isinstance(rule, Sealed | SealedNumbers) else None


def counts_only(question: AnyQuestion) -> bool:
    """Whether a question is of the first kind there was, which asks for no reputations."""
    return isinstance(question, Question) and isinstance(question.rule, Majority)


def question_id(encoded: bytes) -> bytes:
    """Return the name of a question: SHA-256 of its encoding, 32 bytes."""
    return digest(encoded)


def parse_question(encoded: bytes) -> AnyQuestion:
    """Return the question in outside bytes, valid in every field.

    Raises PeerFault("oversize" | "malformed").
    """
    question: AnyQuestion = decode(encoded, AnyQuestion, limit=QUESTION_LIMIT)
    return question
