# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a ledger gives to strangers: a policy of whom to trust, and proofs of what it holds."""

from __future__ import annotations

from collections.abc import Iterator

from swarm_ledger.envelope import Kind, Opener
from swarm_ledger.errors import Misuse
from swarm_ledger.identity.trust import Trust
from swarm_ledger.ledger.finding import Found
from swarm_ledger.ledger.proof import LogProof
from swarm_ledger.ledger.store import Store
from swarm_ledger.runtime.blocks import split_block
from swarm_ledger.runtime.snapshot import members_in
from swarm_ledger.voting.decision import Settled, parse_settled

_PAGE = 256


def sessions_in(store: Store, trust: Trust, *, entry: int | None = None) -> Opener:
    """Return an opener that knows the sessions on a ledger, each checked by its root key.

    They are those of one roster version: of the members who certify that entry, or else of the
    newest. What the state machine refused, such as a key that another member has, is not among
    them.
    """
    members = members_in(store, trust)
    checkpoint = store.checkpoint(entry + 1) if entry is not None else None
    return (members.at(checkpoint.height) if checkpoint else members.now).opener


def ledger_time_ms(store: Store) -> int:
    """Return the time that a ledger has reached, POSIX milliseconds; 0 for an empty one."""
    if store.height < 1:
        return 0
    header, _ = split_block(store.block(store.height).entries)
    return header.time_ms


def find_decision(store: Store, number: int, *, height: int | None = None) -> tuple[int, Settled]:
    """Return the index and content of decision `number` (1, 2, ...); Misuse if there is none.

    height: of its block, where that is known: then the ledger before it is not searched.
    """
    if height is not None:
        block = store.block(height)
        for index, entry in enumerate(block.entries, start=block.first):
            if entry[:1] == bytes([Kind.DECISION]):
                settled = parse_settled(entry[1:])
                if settled.decision.number == number:
                    return index, settled
        raise Misuse(f"block {height} has no decision {number}.")
    gone = pruned_before(store, number)
    skip = number - 1 - gone
    for found in store.find(Kind.DECISION, skip=skip, limit=1) if number > 0 else ():
        return found.index, parse_settled(found.data[1:])
    made = gone + len(store.find(Kind.DECISION))
    raise Misuse(f"the ledger has no decision {number}.", remedy=f"It has {made}, counted from 1.")


def pruned_before(store: Store, number: int) -> int:
    """Return how many decisions were pruned; Misuse if decision `number` is one of them."""
    kept = store.find(Kind.DECISION, limit=1) if store.base else []
    gone = parse_settled(kept[0].data[1:]).decision.number - 1 if kept else 0
    if 0 < number <= gone:
        raise Misuse(
            f"decision {number} was pruned; an archive has it.",
            remedy=f"The first one that is left here is {gone + 1}.",
        )
    return gone


def decisions_in(store: Store) -> Iterator[Settled]:
    """Yield all decisions of a ledger, in order, as they are read."""
    return (parse_settled(one.data[1:]) for one in each(store, Kind.DECISION))


def each(store: Store, kind: Kind) -> Iterator[Found]:
    """Yield all entries of a kind as Store.find() does, without holding them all at once."""
    skip = 0
    while found := store.find(kind, skip=skip, limit=_PAGE):
        yield from found
        skip += len(found)


def prove(store: Store, index: int) -> bytes:
    """Return the tlog-proof file of one entry, which carries the entry itself.

    Raises Misuse while no cosigned checkpoint covers it.
    """
    entry = store.entry(index)
    checkpoint = store.checkpoint(index + 1)
    if checkpoint is None:
        raise Misuse(
            f"no cosigned checkpoint covers entry {index} yet.",
            remedy="Wait for the next one; a quiet swarm makes it within a second.",
        )
    path = tuple(store.inclusion(index, checkpoint.size))
    return LogProof(entry, index, path, checkpoint.note).encode()
