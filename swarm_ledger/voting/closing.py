# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a closed question leaves behind: the decision, and who was right about it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from swarm_ledger.voting.decision import AnyDecision, Decision, NumberDecision, Weighed
from swarm_ledger.voting.limits import ABSTAIN
from swarm_ledger.voting.poll import OpenQuestion
from swarm_ledger.voting.question import AnyQuestion, NumberQuestion, Question
from swarm_ledger.voting.rules import Ballot, NumberOutcome, Outcome, OutcomeKind


def decide(
    asked: OpenQuestion,
    outcome: Outcome | NumberOutcome,
    ballots: Sequence[Ballot],
    *,
    number: int,
    voters: int,
    closed_ms: int,
    height: int,
) -> AnyDecision:
    """Return the decision that an outcome makes, with the counts behind it."""
    heard = [ballot.label for ballot in ballots if not ballot.voided]
    abstentions = heard.count(ABSTAIN)
    common: dict[str, Any] = {
        "number": number,
        "question": asked.question_id,
        "outcome": outcome.kind,
        "abstentions": abstentions,
        "voided": len(ballots) - len(heard),
        "voters": voters,
        "opened_ms": asked.opened_ms,
        "closed_ms": closed_ms,
        "height": height,
    }
    if isinstance(outcome, NumberOutcome):
        return NumberDecision(
            value=outcome.value,
            low=outcome.low,
            high=outcome.high,
            counted=len(heard) - abstentions,
            **common,
        )
    question = asked.question
    labels = len(question.labels) if isinstance(question, Question) else 0
    counts = tuple(heard.count(label) for label in range(labels))
    if outcome.support:
        return Weighed(label=outcome.label, counts=counts, support=outcome.support, **common)
    return Decision(label=outcome.label, counts=counts, **common)


def answers(
    question: AnyQuestion, outcome: Outcome | NumberOutcome, ballots: Iterable[Ballot]
) -> list[tuple[int, bool]]:
    """Return who was right about a question; nobody is judged by what nobody knows.

    Who is voided was wrong: else a liar would take back, or never open, what turns out badly.
    """
    if outcome.kind is not OutcomeKind.DECIDED:
        return []
    found = []
    for ballot in ballots:
        if ballot.label == ABSTAIN and not ballot.voided:
            continue
        if isinstance(outcome, Outcome):
            right = ballot.label == outcome.label
        elif isinstance(question, NumberQuestion) and outcome.value is not None:
            value = ballot.value if ballot.value is not None else outcome.value
            right = abs(value - outcome.value) <= question.tolerance
        found.append((ballot.voter, right and not ballot.voided))
    return found
