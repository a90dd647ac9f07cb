# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The target about a message's provenance: a file of proofs within proofs, signed again."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import cache

import cbor2

from swarm_ledger.audit.anchors import sealed_leaf
from swarm_ledger.audit.provenance import (
    MAX_PROVENANCE_BYTES,
    Provenance,
    Said,
    check_provenance,
)
from swarm_ledger.encoding import decode, encode
from swarm_ledger.errors import NotVerified
from swarm_ledger.identity.trust import Trust
from swarm_ledger.ledger.store import Store
from swarm_ledger.light_client.policies import policy_file
from swarm_ledger.relay.anchor import Told, Tree, parse_leaves
from swarm_ledger.relay.statement import Notarised
from swarm_ledger.runtime.export import prove, sessions_in
from tests.anchored import Scribe, anchoring_sender
from tests.fuzz.forging import CREW, SECOND, of_proof, of_sealed
from tests.fuzz.mutation import MOST, UNREADABLE, of_bytes, of_cbor, of_text
from tests.fuzz.target import Target
from tests.relayed import LATER_US, signed, windowed

_Change = Callable[[random.Random, bytes, Sequence[bytes]], bytes]
_WITHIN: dict[int, _Change] = {2: of_sealed, 5: of_proof, 6: of_proof, 7: of_text}
"""How the byte strings in a file are changed, by their places."""


@cache
def _trust() -> Trust:
    return CREW.knowing(SECOND)


def _provenance(data: bytes) -> None:
    proven = check_provenance(data, _trust())
    given: Provenance = decode(data, Provenance, limit=MAX_PROVENANCE_BYTES)
    assert encode(given) == data
    assert proven.verified.statement.sequence == given.message.sequence


def _mutate(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    if rng.random() < 0.2:
        return of_cbor(rng, data, others)
    try:
        tree = cbor2.loads(data)
        other = cbor2.loads(rng.choice(others))
        at = rng.randrange(1, len(tree))
        if rng.random() < 0.2:
            tree[at] = other[at]
        elif at in _WITHIN:
            tree[at] = _WITHIN[at](rng, tree[at], (other[at],))
        else:
            tree[1][-1] = of_sealed(rng, tree[1][-1], (other[1][-1],))
        return cbor2.dumps(tree)[:MOST]
    except (*UNREADABLE, LookupError, TypeError, AttributeError):
        return of_bytes(rng, data, others)


def samples() -> list[bytes]:
    """Return the proofs of a message that was signed singly, and of one in a window."""
    by = anchoring_sender(CREW)
    said = [signed(by, number) for number in range(3)] + windowed(by, 3, "/drone_1/imu")
    made = by.anchor(Told(), LATER_US, last=True)
    assert made is not None
    assert made.leaves is not None
    tree = Tree(parse_leaves(made.leaves.data))
    with Store.open(":memory:") as store:
        scribe = Scribe(store, CREW)
        scribe.block(*(CREW.identity(name).delegation for name in CREW.names))
        scribe.block(made.sealed)
        scribe.certify()
        return [_sample(store, tree, message) for message in (said[1], said[4])]


def _sample(store: Store, tree: Tree, message: Notarised) -> bytes:
    index = tree.index(sealed_leaf(message))
    assert index is not None
    end = store.size - 1
    return encode(
        Provenance(
            Said(*(getattr(message, name) for name in Said.__struct_fields__)),
            CREW.identity("drone_1").delegation,
            index,
            tree.path(index),
            prove(store, end),
            prove(store, end - 1),
            policy_file(sessions_in(store, CREW.trust)),
        )
    )


PROVENANCES = (Target("provenance", _provenance, _mutate, (NotVerified,), cost=8),)
