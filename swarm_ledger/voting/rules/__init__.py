# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Rules: from the ballots cast so far to an outcome, or to None while it is too early to say."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta, to_builtins

from swarm_ledger.encoding import Record
from swarm_ledger.errors import Misuse
from swarm_ledger.voting.limits import MAX_DURATION_MS
from swarm_ledger.voting.rules.base import (
    Ballot,
    NumberOutcome,
    Outcome,
    OutcomeKind,
    Rule,
)
from swarm_ledger.voting.rules.counting import Majority, Plurality
from swarm_ledger.voting.rules.numbers import Median, TrimmedMean
from swarm_ledger.voting.rules.views import Views
from swarm_ledger.voting.rules.weighing import Bayes, Sequential, Weighted

LabelRule: TypeAlias = Majority | Plurality | Weighted | Bayes | Sequential
"""The rules a question can name, told apart by their tag; a tag is never used again."""

NumberRule: TypeAlias = Median | TrimmedMean
"""Those that a question for a number can name."""

_RevealMs = Annotated[int, Meta(ge=1, le=MAX_DURATION_MS)]


class Sealed(Record, frozen=True, tag=8):
    """A rule whose ballots are committed to first, and opened in the last reveal_ms.

    So nobody can say what it heard others say. Who does not open its ballot is voided.
    """

    rule: LabelRule
    reveal_ms: _RevealMs


class SealedNumbers(Record, frozen=True, tag=9):
    """The same of a rule for numbers."""

    rule: NumberRule
    reveal_ms: _RevealMs


AnyRule: TypeAlias = LabelRule | Sealed
AnyNumberRule: TypeAlias = NumberRule | SealedNumbers

RULES: dict[str, LabelRule] = {
    "majority": Majority(),
    "plurality": Plurality(),
    "weighted": Weighted(),
    "bayes": Bayes(),
    "sequential": Sequential(),
}
"""Rules for labels by name, with the parameters that they have unless one says otherwise."""

NUMBER_RULES: dict[str, NumberRule] = {"median": Median(), "trimmed_mean": TrimmedMean()}

NAMES: dict[type[Record], str] = {
    type(rule): name for name, rule in (*RULES.items(), *NUMBER_RULES.items())
}

TAGS: dict[str, int] = {
    name: to_builtins(rule)[0] for name, rule in (*RULES.items(), *NUMBER_RULES.items())
}
"""What messages of ROS 2 call the rules, as the ledger does; never used again."""


def rule_named(name: str) -> LabelRule:
    """Return the rule for labels of that name; Misuse for none."""
    try:
        return RULES[name]
    except KeyError as error:
        known = " or ".join(RULES)
        raise Misuse(f"unknown rule {name!r}.", remedy=f"Take {known}.") from error


__all__ = [
    "NAMES",
    "NUMBER_RULES",
    "RULES",
    "TAGS",
    "AnyNumberRule",
    "AnyRule",
    "Ballot",
    "Bayes",
    "LabelRule",
    "Majority",
    "Median",
    "NumberOutcome",
    "NumberRule",
    "Outcome",
    "OutcomeKind",
    "Plurality",
    "Rule",
    "Sealed",
    "SealedNumbers",
    "Sequential",
    "TrimmedMean",
    "Views",
    "Weighted",
    "rule_named",
]
