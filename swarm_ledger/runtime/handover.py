# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A pruned ledger as one message: what a drone begins with whose next block nobody has any more.

It holds what pruning up to a snapshot leaves, and the blocks from there to a cosigned checkpoint.
Whoever takes it over trusts its giver with nothing: it is judged as `ledger verify` judges a file.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from swarm_ledger.consensus.messages import MAX_WINDOW
from swarm_ledger.encoding import MAX_ENTRY_BYTES, Count, Record, decode, encode
from swarm_ledger.envelope import Kind
from swarm_ledger.errors import Misuse, NotVerified, PeerFault
from swarm_ledger.identity.trust import Trust
from swarm_ledger.ledger.check import check_store
from swarm_ledger.ledger.finding import Found
from swarm_ledger.ledger.merkle import HASH_SIZE
from swarm_ledger.ledger.remains import kept_nodes
from swarm_ledger.ledger.store import Store
from swarm_ledger.runtime import snapshot
from swarm_ledger.runtime.judging import Policies, begins_with, check_committed
from swarm_ledger.runtime.machine import Machine
from swarm_ledger.runtime.membership import MEMBERSHIP
from swarm_ledger.voting.limits import RETAINED_DECISIONS

MAX_STATE_BYTES = 1 << 25
_MAX_KEPT = 1 << 16
_MAX_NODES = 1 << 18

_Entry = Annotated[bytes, Meta(min_length=1, max_length=MAX_ENTRY_BYTES)]
_Hash = Annotated[bytes, Meta(min_length=HASH_SIZE, max_length=HASH_SIZE)]
_Level = Annotated[int, Meta(ge=0, lt=64)]


class Kept(Record, frozen=True):
    """An entry from before the first block: its index, and the height of its block."""

    index: Count
    height: Count
    data: _Entry


class Node(Record, frozen=True):
    """A perfect node of the tree below the first block."""

    level: _Level
    index: Count
    hash: _Hash


class Whole(Record, frozen=True):
    """A block, with the commits that prove it."""

    entries: tuple[_Entry, ...]
    certificate: bytes


class Handed(Record, frozen=True, tag=1):
    """What one drone hands to another. height, first: of the first block, and its first entry.

    snapshot: of the state after it; note: the cosigned checkpoint over the last block.
    """

    height: Annotated[int, Meta(ge=1, lt=2**53)]
    first: Annotated[int, Meta(ge=1, lt=2**53)]
    kept: Annotated[tuple[Kept, ...], Meta(max_length=_MAX_KEPT)]
    nodes: Annotated[tuple[Node, ...], Meta(max_length=_MAX_NODES)]
    blocks: Annotated[tuple[Whole, ...], Meta(min_length=1, max_length=MAX_WINDOW)]
    snapshot: Annotated[bytes, Meta(max_length=snapshot.MAX_SNAPSHOT_BYTES)]
    note: bytes

    @property
    def last(self) -> int:
        """The height of the last block."""
        return self.height + len(self.blocks) - 1


def pack(store: Store, trust: Trust) -> tuple[int, bytes] | None:
    """Return the newest state that a ledger can hand out, and its height; None while it has none.

    A state is one that a checkpoint covers, and that is small enough to be taken in.
    """
    for height in reversed(store.snapshot_heights()):
        try:
            machine = snapshot.restore(store, trust, height)
        except NotVerified:
            continue
        handed = _handed(store, machine)
        if handed is not None:
            raw = encode(handed)
            if len(raw) <= MAX_STATE_BYTES:
                return height, raw
    return None


def _handed(store: Store, machine: Machine) -> Handed | None:
    block = store.block(machine.height)
    covering = store.checkpoint(block.first + len(block.entries))
    if covering is None or covering.height - machine.height >= MAX_WINDOW:
        return None
    found: list[Found] = store.find(Kind.GENESIS)
    for kind in MEMBERSHIP:
        members = machine.members
        found += [one for one in store.find(kind) if members.counts(one.data, one.height)]
    kept = [one for one in found if one.index < block.first]
    kept += store.find(Kind.DECISION, limit=RETAINED_DECISIONS, newest=True, within=block.first)
    kept.sort(key=lambda one: one.index)
    places = sorted(kept_nodes(block.first, {one.index for one in kept}, set()))
    later = (store.block(height) for height in range(machine.height, covering.height + 1))
    return Handed(
        machine.height,
        block.first,
        tuple(Kept(one.index, one.height, one.data) for one in kept),
        tuple(Node(level, at, store.nodes(level, at, at + 1)[0]) for level, at in places),
        tuple(Whole(one.entries, one.certificate) for one in later),
        store.snapshot(machine.height),
        covering.note,
    )


def fill(store: Store, handed: Handed) -> None:
    """Put a state into a store in place of all entries there, in one transaction."""
    kept = [(one.index, one.height, one.data) for one in handed.kept]
    nodes = [(one.level, one.index, one.hash) for one in handed.nodes]
    with store.transaction():
        store.begin_at(handed.height, handed.first, kept, nodes)
        for height, block in enumerate(handed.blocks, start=handed.height):
            store.append_block(height, block.entries, block.certificate)
        store.put_checkpoint(handed.last, handed.note)
        store.snapshot_put(handed.height, handed.snapshot)


def judge(raw: bytes, trust: Trust, above: int) -> tuple[Handed, Machine]:
    """Return a state that holds by the roster alone, and the machine behind its last block.

    above: a height that it must bring us beyond. Raises PeerFault("bad_state").
    """
    try:
        handed: Handed = decode(raw, Handed, limit=MAX_STATE_BYTES)
        if handed.last <= above:
            raise NotVerified(f"it ends at height {handed.last}, and we have {above}")
        with Store.open(":memory:") as scratch:
            fill(scratch, handed)
            return handed, _judge(scratch, trust)
    except (NotVerified, Misuse, PeerFault) as error:
        raise PeerFault("bad_state", f"a state that does not hold: {error}") from error


def _judge(store: Store, trust: Trust) -> Machine:
    begins_with(store, trust.genesis)
    summary = check_store(store, Policies(store, trust))
    if summary.covered != summary.size:
        raise NotVerified("its checkpoint is not over all of it", where=f"height {store.height}")
    members, machine = snapshot.members_from(store, trust), snapshot.oldest(store, trust)
    for height in range(store.base, store.height + 1):
        block = store.block(height)
        if height > machine.height:
            machine.follow(height, block.entries)
        check_committed(block, members.at(height).opener)
    return machine
