# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Rules laid down by the crew's operator, and claims by its members, sealed."""

from __future__ import annotations

from swarm_ledger.encoding import encode
from swarm_ledger.envelope import Kind, seal
from swarm_ledger.identity.roster import Roster
from swarm_ledger.ledger.store import Store
from swarm_ledger.rules.limits import MAX_NUMBER
from swarm_ledger.rules.rule import (
    Accept,
    Action,
    Claim,
    Grant,
    Instruction,
    Lease,
    Rule,
    Trigger,
    parse_action,
    parse_grant,
)
from tests.crew import Crew

PAD = "charging_pad"


def lease_rule(
    version: int = 1, *, term_ms: int = 4_000, queue: int = 8, accept: Accept = Accept.LEDGER
) -> Rule:
    """Return a rule by which every voter may hold the pad."""
    return Rule(PAD, version, Lease(term_ms, queue, accept))


def cup_rule(version: int = 1, *, once: bool = False, until_ms: int = MAX_NUMBER) -> Rule:
    """Return a rule by which all approach once the crew's question is decided: a cup."""
    trigger = Trigger("What is it?", "cup", "approach", "speed=2", (), once, 0, until_ms)
    return Rule("approach_cups", version, trigger)


def sealed_rule(crew: Crew, said: Instruction, roster: Roster | None = None) -> bytes:
    """Return an instruction as the operator signs it."""
    return seal(Kind.RULE, encode(said), crew.root("operator_1"), roster or crew.roster)


def sealed_claim(crew: Crew, name: str, claim: Claim, roster: Roster | None = None) -> bytes:
    """Return a claim as a member signs it."""
    version = 1 if roster is None else roster.version
    session = crew.session(name, 0, version)
    return seal(Kind.CLAIM, encode(claim), session, roster or crew.roster)


def member_id(crew: Crew, name: str) -> bytes:
    """Return what rules know a member by."""
    return bytes.fromhex(crew.roster.named(name).drone_id)


def grants_in(store: Store) -> list[Grant]:
    """Return a ledger's grants, in order."""
    return [parse_grant(one.data[1:]) for one in store.find(Kind.GRANT)]


def actions_in(store: Store) -> list[Action]:
    """Return a ledger's actions, in order."""
    return [parse_action(one.data[1:]) for one in store.find(Kind.ACTION)]
