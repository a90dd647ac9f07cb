# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a rule book remembers between two blocks."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from swarm_ledger.encoding import Record
from swarm_ledger.identity.roster import MAX_MEMBERS
from swarm_ledger.rules.limits import (
    MAX_QUEUE,
    MAX_RULES,
    Count,
    MemberId,
    Name,
    Number,
    TermMs,
    TimeMs,
    Version,
)
from swarm_ledger.rules.rule import Lease, Trigger


class Held(Record, frozen=True):
    """Who holds a resource: grant is the number of the last one, its fencing token."""

    member: MemberId
    grant: Number
    since_ms: TimeMs
    until_ms: TimeMs


class Wish(Record, frozen=True):
    """A request that waits. accepted: whether it only waits for its turn."""

    member: MemberId
    number: Number
    term_ms: TermMs
    accepted: bool


class Standing(Record, frozen=True):
    """One name. body: None once it is withdrawn. fired: how often this version was due.

    held: also from an earlier version, whose grant runs out. waiting: one more than may wait,
    where the holder asks for its lease to go on.
    """

    name: Name
    version: Version
    body: Lease | Trigger | None
    held: Held | None = None
    waiting: Annotated[tuple[Wish, ...], Meta(max_length=MAX_QUEUE + 1)] = ()
    fired: Count = 0


class Claimant(Record, frozen=True):
    """number: of its last claim that counts; until_ms: up to when its time is taken up."""

    member: MemberId
    number: Number
    until_ms: TimeMs


class BookState(Record, frozen=True):
    """grants, actions: how many there were ever. standing: by name; claimants: by member."""

    grants: Count = 0
    actions: Count = 0
    standing: Annotated[tuple[Standing, ...], Meta(max_length=MAX_RULES)] = ()
    claimants: Annotated[tuple[Claimant, ...], Meta(max_length=MAX_MEMBERS)] = ()
