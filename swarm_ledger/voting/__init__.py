# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Questions, observations, rules and the tally: pure, in integers, the same on every replica."""

from swarm_ledger.voting.commitment import Commitment, Reveal, hide
from swarm_ledger.voting.decision import (
    AnyDecision,
    Decision,
    NumberDecision,
    Weighed,
    parse_decision,
)
from swarm_ledger.voting.limits import ABSTAIN, ABSTAIN_NAME
from swarm_ledger.voting.observation import (
    AnyObservation,
    NumberObservation,
    Observation,
    parse_observation,
)
from swarm_ledger.voting.poll import OpenQuestion
from swarm_ledger.voting.question import (
    AnyQuestion,
    NumberQuestion,
    Question,
    parse_question,
    question_id,
)
from swarm_ledger.voting.rules import AnyRule, Ballot, Majority, Outcome, OutcomeKind, Rule
from swarm_ledger.voting.state import OpenResult, VoteResult
from swarm_ledger.voting.tally import Tally

__all__ = [
    "ABSTAIN",
    "ABSTAIN_NAME",
    "AnyDecision",
    "AnyObservation",
    "AnyQuestion",
    "AnyRule",
    "Ballot",
    "Commitment",
    "Decision",
    "Majority",
    "NumberDecision",
    "NumberObservation",
    "NumberQuestion",
    "Observation",
    "OpenQuestion",
    "OpenResult",
    "Outcome",
    "OutcomeKind",
    "Question",
    "Reveal",
    "Rule",
    "Tally",
    "VoteResult",
    "Weighed",
    "hide",
    "parse_decision",
    "parse_observation",
    "parse_question",
    "question_id",
]
