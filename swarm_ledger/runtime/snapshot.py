# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The state machine's state after a block, so that a start need not replay all that came before.

A snapshot holds only what the ledger does not: open questions with their votes, ledger times, and
which anchors counted last, and what the rules have come to.
Members and past decisions are read from their entries again. What comes of it counts only if its
digest is the one in that block's header; else it is as if there were no snapshot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import groupby
from typing import Annotated

from msgspec import Meta

from swarm_ledger.encoding import Count, Record, decode, encode
from swarm_ledger.envelope import Kind
from swarm_ledger.errors import Misuse, NotVerified, PeerFault
from swarm_ledger.identity.roster import MAX_MEMBERS
from swarm_ledger.identity.trust import Trust
from swarm_ledger.ledger.store import Store
from swarm_ledger.rules.state import BookState
from swarm_ledger.runtime.blocks import split_block
from swarm_ledger.runtime.chains import Chain
from swarm_ledger.runtime.machine import Machine
from swarm_ledger.runtime.membership import (
    MEMBERSHIP,
    Membership,
    follow_members,
    take_block,
)
from swarm_ledger.voting.decision import parse_settled
from swarm_ledger.voting.limits import RETAINED_DECISIONS
from swarm_ledger.voting.state import LearningState, TallyState

MAX_SNAPSHOT_BYTES = 1 << 24
EVERY = 256
"""Blocks from one snapshot to the next."""


class Snapshot(Record, frozen=True, tag=1):
    """height, time_ms: of the last block applied; times: see Membership, ascending by height."""

    height: Count
    time_ms: Count
    times: tuple[tuple[Count, Count], ...]
    tally: TallyState | LearningState
    chains: Annotated[tuple[Chain, ...], Meta(max_length=MAX_MEMBERS)] = ()


class Ruled(Snapshot, frozen=True, tag=2):
    """The same where there are rules, or were grants: without any, it has the form above."""

    rules: BookState = BookState()


def parse_snapshot(raw: bytes) -> Snapshot:
    """Return the snapshot in stored bytes; PeerFault if there is none, or no such one is made."""
    snapshot: Snapshot = decode(raw, Snapshot | Ruled, limit=MAX_SNAPSHOT_BYTES)
    if isinstance(snapshot, Ruled) and snapshot.rules == BookState():
        raise PeerFault("malformed", "without rules it has another form.")
    return snapshot


def take(machine: Machine) -> bytes:
    """Return the snapshot of a machine between two blocks."""
    times = tuple(sorted(machine.members.times.items()))
    state = machine.tally.state()
    chains = machine.chains.kept()
    rules = machine.rules.kept()
    plain = Snapshot(machine.height, machine.time_ms, times, state, chains)
    if rules == BookState():
        return encode(plain)
    return encode(Ruled(plain.height, plain.time_ms, times, state, chains, rules))


def opened(machine: Machine) -> list[int]:
    """Return the heights at which the questions were asked that are open."""
    return [asked.height for asked in machine.tally.open_questions()]


def put(
    store: Store, height: int, taken: bytes, asked: Iterable[int], *, prunes: bool = False
) -> None:
    """Store a snapshot, and drop those that no start needs any more. asked: see `opened`, then.

    prunes: whether blocks are pruned, which goes from snapshot to snapshot: then all stay.
    """
    heights = store.snapshot_heights()
    store.snapshot_put(height, taken, heights if prunes else needed(heights, asked))


def needed(heights: Iterable[int], asked: Iterable[int]) -> set[int]:
    """Return which snapshots a start may need beside the newest: see `begin`.

    heights: that there are snapshots of; asked: at which the open questions were asked.
    """
    ascending = sorted(heights)
    before = ([height for height in ascending if height < question] for question in asked)
    return {found[-1] for found in before if found}


def begin(store: Store, trust: Trust, report: Callable[[NotVerified], None]) -> Machine:
    """Return a machine that a drone can go on from by following the blocks behind it.

    It stands before the oldest question that may still be open: a drone must see again all that
    it, and others, said about that. What is missing is done without, and so is what is damaged,
    after a report; in a pruned ledger, where there is nothing else, NotVerified.
    """
    heights = store.snapshot_heights()
    try:
        if heights:
            newest = restore(store, trust, heights[-1])
            asked = opened(newest)
            if not asked:
                return newest
            older = needed(heights, [min(asked)])
            if older:
                return restore(store, trust, older.pop())
    except NotVerified as error:
        report(error)
    return oldest(store, trust)


def start_of(store: Store) -> int:
    """Return the height of the snapshot that begin() chooses, 0 where it replays everything."""
    heights = store.snapshot_heights()
    try:
        newest = parse_snapshot(store.snapshot(heights[-1]))
    except (IndexError, PeerFault):
        return 0
    asked = [question.height for question in newest.tally.open]
    if not asked:
        return heights[-1]
    return max(needed(heights, [min(asked)]), default=0)


def oldest(store: Store, trust: Trust) -> Machine:
    """Return the machine from which all that follows in a ledger can be replayed.

    It stands before the first block; in a pruned ledger, at its oldest snapshot. NotVerified where
    that does not hold: whether the header's state is the swarm's, a checkpoint over it tells.
    """
    if not store.base:
        return Machine(trust)
    heights = store.snapshot_heights()
    if not heights:
        raise NotVerified("it is pruned, and has no snapshot", where=f"height {store.base}")
    return restore(store, trust, heights[0])


def members_from(store: Store, trust: Trust) -> Membership:
    """Return the membership that a ledger leads to, from the beginning that it has; see oldest().

    From a ledger that is not pruned it is membership_of().
    """
    machine = oldest(store, trust)
    follow_members(machine.members, store, machine.height, machine.time_ms)
    return machine.members


def members_in(store: Store, trust: Trust) -> Membership:
    """Return the membership that a ledger leads to, from its newest snapshot where that holds.

    The same as membership_of(), which trusts nothing but the blocks and reads them all.
    """
    return members_and_time(store, trust)[0]


def members_and_time(store: Store, trust: Trust) -> tuple[Membership, int]:
    """Return the same, and the ledger time at the end in milliseconds, to go on from."""
    machine = _newest(store, trust)
    members = machine.members
    return members, follow_members(members, store, machine.height, machine.time_ms)


def machine_in(store: Store, trust: Trust) -> Machine:
    """Return the state machine that a ledger leads to, from its newest snapshot where that holds.

    NotVerified for a block that doesn't follow.
    """
    machine = _newest(store, trust)
    for height in range(machine.height + 1, store.height + 1):
        machine.follow(height, store.block(height).entries)
    return machine


def _newest(store: Store, trust: Trust) -> Machine:
    """Return the machine at the newest snapshot where that holds, else at the oldest place."""
    for height in store.snapshot_heights()[-1:]:
        with suppress(NotVerified):
            return restore(store, trust, height)
    return oldest(store, trust)


def restore(store: Store, trust: Trust, height: int) -> Machine:
    """Return the machine as it was after a block; NotVerified if its snapshot does not hold."""
    where = f"snapshot {height}"
    try:
        raw = store.snapshot(height)
        snapshot = parse_snapshot(raw)
        if snapshot.height != height or not 1 <= height <= store.height:
            raise NotVerified("it is of another height", where=where)
        machine = Machine(trust)
        _restore_members(store, snapshot, machine.members)
        made = snapshot.tally.decided
        oldest = max(0, made - RETAINED_DECISIONS)
        block = store.block(height)
        end = block.first + len(block.entries)
        found = store.find(Kind.DECISION, limit=made - oldest, newest=True, within=end)
        settled = [parse_settled(one.data[1:]) for one in found]
        numbers = [one.decision.number for one in settled]
        heights = [one.decision.height for one in settled]
        if numbers != list(range(oldest + 1, made + 1)) or heights != [f.height for f in found]:
            raise NotVerified("the ledger has other decisions", where=where)
        rules = snapshot.rules if isinstance(snapshot, Ruled) else BookState()
        machine.resume(
            height,
            snapshot.time_ms,
            snapshot.tally,
            settled,
            chains=snapshot.chains,
            rules=rules,
        )
        if machine.chains.kept() != snapshot.chains:
            raise NotVerified("its anchors are out of order", where=where)
        if machine.rules.kept() != rules:
            raise NotVerified("its rules are out of order", where=where)
        header, _ = split_block(block.entries)
        if machine.state() != header.state:
            raise NotVerified("it is not the state that the block's header states", where=where)
    except (Misuse, PeerFault) as error:
        raise NotVerified(error.what, where=where) from error
    return machine


def _restore_members(store: Store, snapshot: Snapshot, members: Membership) -> None:
    times = dict(snapshot.times)
    all_found = (one for kind in MEMBERSHIP for one in store.find(kind))
    found = [one for one in all_found if one.height <= snapshot.height]
    found.sort(key=lambda one: one.index)
    at = {one.height for one in found}
    missing = any(height not in at for height in times if height >= store.base)
    if missing or [*times.values()] != sorted(times.values()):
        raise NotVerified("its times are not the ledger's", where=f"snapshot {snapshot.height}")
    for height, group in groupby(found, lambda one: one.height):
        if height in times:  # what counted for nothing has none
            take_block(members, (one.data for one in group), height, times[height])
