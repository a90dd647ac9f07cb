# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What an operator lays down, what members ask for by it, and what the ledger makes of both."""

from __future__ import annotations

from enum import IntEnum
from itertools import pairwise
from typing import Annotated, TypeAlias

from msgspec import Meta

from swarm_ledger.encoding import Record, decode
from swarm_ledger.errors import Misuse
from swarm_ledger.rules.limits import (
    CLAIM_LIMIT,
    MAX_NUMBER,
    MAX_QUEUE,
    OUTCOME_LIMIT,
    RULE_LIMIT,
    MemberId,
    Members,
    Name,
    Number,
    Parameters,
    Subject,
    TermMs,
    TimeMs,
    Version,
)


class Accept(IntEnum):
    """Who accepts a request for a lease. LEDGER: it itself, in the order that was agreed on."""

    UNKNOWN = 0
    LEDGER = 1
    OPERATOR = 2


class Lease(Record, frozen=True, tag=1):
    """A shared resource that one member at a time may hold: the resource is the rule's name.

    term_ms: for how long at most, in the ledger's time. queue: how many may wait. members: who may
    ask for it, by id, ascending; empty for every voter. Raises Misuse for what is no rule.
    """

    term_ms: TermMs
    queue: Annotated[int, Meta(ge=0, le=MAX_QUEUE)]
    accept: Accept = Accept.LEDGER
    members: Members = ()

    def __post_init__(self) -> None:
        if self.accept == Accept.UNKNOWN:
            raise Misuse("a lease does not say who accepts requests for it.")
        _check_ascending(self.members)


class Trigger(Record, frozen=True, tag=2):
    """An action that is due when a question with that subject settles on that label.

    action, parameters: for whoever acts; the ledger doesn't look at them. members: who is to act,
    by id, ascending; empty for all. once: only the first time, not with each such decision.
    from_ms, until_ms: when a decision counts, the end excluded, ledger time. Raises Misuse for
    what is no rule.
    """

    subject: Subject
    label: Name
    action: Name
    parameters: Parameters = ""
    members: Members = ()
    once: bool = False
    from_ms: TimeMs = 0
    until_ms: TimeMs = MAX_NUMBER

    def __post_init__(self) -> None:
        if self.from_ms >= self.until_ms:
            raise Misuse("a trigger ends before it begins.")
        _check_ascending(self.members)


Body: TypeAlias = Lease | Trigger
"""What a rule may be, told apart by the tag; a tag is never used again."""


class Rule(Record, frozen=True, tag=1):
    """A rule comes into force, in the place of the version before if there was one."""

    name: Name
    version: Version
    body: Body


class Withdrawal(Record, frozen=True, tag=2):
    """A rule is in force no more. version: the one that is."""

    name: Name
    version: Version


class Answer(Record, frozen=True, tag=3):
    """An operator accepts a request for a lease, or refuses it. number: of the request."""

    name: Name
    version: Version
    member: MemberId
    number: Number
    accepted: bool


class Ask(Record, frozen=True, tag=1):
    """Its author asks for a lease, or for it to go on. version: of the rule.

    number: higher than in any claim of this author before, under the same roster version.
    """

    name: Name
    version: Version
    number: Number
    term_ms: TermMs


class Release(Record, frozen=True, tag=2):
    """Its author gives a lease back, or waits for it no more."""

    name: Name
    number: Number


Instruction: TypeAlias = Rule | Withdrawal | Answer
Claim: TypeAlias = Ask | Release


class Grant(Record, frozen=True, tag=1):
    """A request was accepted: a leaf of the ledger.

    number: 1, 2, ... over the whole ledger, of leases that go on too: the resource refuses whoever
    shows a lower one than it has seen (a fencing token). rule, version: by which; member, asked:
    whose request, and its number. since_ms, until_ms: ledger time, the end excluded.
    """

    number: Number
    rule: Name
    version: Version
    member: MemberId
    asked: Number
    since_ms: TimeMs
    until_ms: TimeMs


class Action(Record, frozen=True, tag=1):
    """Something is due: a leaf of the ledger.

    number: 1, 2, ... over the whole ledger. decision: which one it follows from; time_ms: the
    ledger's then. The rest as the rule has it.
    """

    number: Number
    rule: Name
    version: Version
    action: Name
    parameters: Parameters
    members: Members
    decision: Number
    time_ms: TimeMs


def parse_instruction(encoded: bytes) -> Instruction:
    """Return what an operator lays down; PeerFault("oversize" | "malformed")."""
    parsed: Instruction = decode(encoded, Rule | Withdrawal | Answer, limit=RULE_LIMIT)
    return parsed


def parse_claim(encoded: bytes) -> Claim:
    """Return what a member claims; PeerFault("oversize" | "malformed")."""
    parsed: Claim = decode(encoded, Ask | Release, limit=CLAIM_LIMIT)
    return parsed


def parse_grant(encoded: bytes) -> Grant:
    """Return the grant in a leaf; PeerFault("oversize" | "malformed")."""
    return decode(encoded, Grant, limit=OUTCOME_LIMIT)


def parse_action(encoded: bytes) -> Action:
    """Return the action in a leaf; PeerFault("oversize" | "malformed")."""
    return decode(encoded, Action, limit=OUTCOME_LIMIT)


def _check_ascending(members: Members) -> None:
    if any(one >= other for one, other in pairwise(members)):
        raise Misuse("a rule lists its members in ascending order, each once.")
