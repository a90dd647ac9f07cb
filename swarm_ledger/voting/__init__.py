# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Questions, observations, rules and the tally: pure, in integers, the same on every replica."""

from swarm_ledger.voting.decision import Decision, parse_decision
from swarm_ledger.voting.limits import ABSTAIN, ABSTAIN_NAME
from swarm_ledger.voting.observation import Observation, parse_observation
from swarm_ledger.voting.question import Question, parse_question, question_id
from swarm_ledger.voting.rules import AnyRule, Ballot, Majority, Outcome, OutcomeKind, Rule
from swarm_ledger.voting.tally import OpenQuestion, OpenResult, Tally, VoteResult

__all__ = [
    "ABSTAIN",
    "ABSTAIN_NAME",
    "AnyRule",
    "Ballot",
    "Decision",
    "Majority",
    "Observation",
    "OpenQuestion",
    "OpenResult",
    "Outcome",
    "OutcomeKind",
    "Question",
    "Rule",
    "Tally",
    "VoteResult",
    "parse_decision",
    "parse_observation",
    "parse_question",
    "question_id",
]
