# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What somebody wants to ask the swarm, checked against the limits that the ledger has."""

from __future__ import annotations

import re
from dataclasses import dataclass

from swarm_ledger.encoding import encode
from swarm_ledger.errors import Misuse, PeerFault
from swarm_ledger.voting.limits import ABSTAIN_NAME, MAX_DURATION_MS, MAX_LABELS
from swarm_ledger.voting.question import Question, parse_question
from swarm_ledger.voting.rules import AnyRule, Majority

RULES: dict[int, AnyRule] = {1: Majority()}
"""By the numbers that Question.RULE_* have in swarm_interfaces."""

_MAX_SUBJECT = 64
_MAX_LABEL = 32
_SUBJECT = re.compile(r"[ -~]+")
_LABEL = re.compile(r"[a-z0-9_]+")


def rule_number(rule: AnyRule) -> int:
    """Return the number of a question's rule; 0 for one without."""
    return next((number for number, one in RULES.items() if one == rule), 0)


@dataclass(frozen=True)
class Goal:
    """What to ask. rule: one of RULES; duration_ms: for the vote, in the ledger's time."""

    subject: str
    labels: tuple[str, ...]
    duration_ms: int
    rule: int = 1

    def question(self, nonce: bytes) -> Question:
        """Return it as a question, which a nonce (16 random bytes) makes one of its own.

        Raises Misuse that says what is out of its limits, and what to do.
        """
        self._check()
        question = Question(self.subject, self.labels, RULES[self.rule], self.duration_ms, nonce)
        try:
            return parse_question(encode(question))
        except PeerFault as fault:
            raise Misuse(f"the labels are too long together: {fault.what}") from fault

    def _check(self) -> None:
        if not self.subject:
            raise Misuse("the subject is empty.", remedy="Say what the question is about.")
        if len(self.subject) > _MAX_SUBJECT:
            raise Misuse(
                f"the subject has {len(self.subject)} characters.",
                remedy=f"Take {_MAX_SUBJECT} at most.",
            )
        if not _SUBJECT.fullmatch(self.subject):
            raise Misuse(
                f"the subject {self.subject!r} is not printable ASCII.",
                remedy="Write it with letters, digits and signs from space to ~.",
            )
        self._check_labels()
        if self.rule not in RULES:
            raise Misuse(
                f"there is no rule {self.rule}.", remedy="Take 1, RULE_MAJORITY of Question."
            )
        if not 1 <= self.duration_ms <= MAX_DURATION_MS:
            raise Misuse(
                f"the deadline is {self.duration_ms / 1000:.9g} s.",
                remedy=f"Take from 0.001 to {MAX_DURATION_MS // 1000} s.",
            )

    def _check_labels(self) -> None:
        count = len(self.labels)
        if not 2 <= count <= MAX_LABELS:
            raise Misuse(
                f"a question with {count} label{'' if count == 1 else 's'} can't be asked.",
                remedy=f"Give 2 to {MAX_LABELS} possible answers.",
            )
        for label in self.labels:
            if len(label) > _MAX_LABEL or not _LABEL.fullmatch(label):
                raise Misuse(
                    f"{label[:40]!r} is no label.",
                    remedy=f"Take 1 to {_MAX_LABEL} of a-z, 0-9 and _.",
                )
            if label == ABSTAIN_NAME:
                raise Misuse(
                    f"the label {ABSTAIN_NAME} is reserved for abstention.",
                    remedy="Leave it out: every voter may abstain on every question.",
                )
            if self.labels.count(label) > 1:
                raise Misuse(f"the label {label} is there twice.", remedy="Name each label once.")
