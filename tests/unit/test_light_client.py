# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator

import pytest
from ledger_swarm import Swarm

from swarm_ledger.errors import NotVerified
from swarm_ledger.ledger.checkpoint import Checkpoint
from swarm_ledger.ledger.note import Note
from swarm_ledger.ledger.policy import Policy
from swarm_ledger.ledger.proof import LogProof
from swarm_ledger.ledger.store import Store
from swarm_ledger.light_client import verify_proof

SWARM = Swarm()
ENTRIES = [f"entry {i}".encode() for i in range(11)]


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with Store.open(":memory:") as opened:
        opened.append_block(0, ENTRIES[:6], b"")
        SWARM.checkpoint_store(opened)
        opened.append_block(1, ENTRIES[6:], b"")
        SWARM.checkpoint_store(opened)
        yield opened


def fails(policy: Policy, proof: bytes) -> bool:
    try:
        verify_proof(policy, proof)
    except NotVerified:
        return True
    return False


@pytest.mark.parametrize("index", range(11))
def test_every_entry_is_proven_from_policy_and_file_alone(store: Store, index: int) -> None:
    policy = Policy.parse(SWARM.policy.text)
    verified = verify_proof(policy, SWARM.prove(store, index))
    size = 6 if index < 6 else 11
    assert verified.entry == ENTRIES[index]
    assert (verified.index, verified.size) == (index, size)
    assert verified.checkpoint == Checkpoint(SWARM.origin, size, store.root(size))
    assert verified.signers == ("drone_1", "drone_2", "drone_3")


@pytest.mark.parametrize("index", [0, 5, 10])
def test_no_byte_of_a_proof_can_be_changed(store: Store, index: int) -> None:
    proof = SWARM.prove(store, index)
    assert not fails(SWARM.policy, proof)
    for place, byte in enumerate(proof):
        before, after = proof[:place], proof[place + 1 :]
        changed = [before + bytes([byte ^ bits]) + after for bits in (1, 0x20, 0x80)]
        changed += [before + after, before + bytes([byte, byte]) + after]
        for mutant in changed:
            assert fails(SWARM.policy, mutant), f"byte {place} of {proof!r}"


def test_a_change_of_any_byte_of_a_short_proof_is_refused() -> None:
    """Each bit by itself, and what means something in such a file."""
    one = Swarm(1, 1)
    with Store.open(":memory:") as store:
        store.append_block(0, [b"a", b"b"], b"")
        one.checkpoint_store(store)
        proof = one.prove(store, 0)
    assert not fails(one.policy, proof)
    mutant = bytearray(proof)
    for place, byte in enumerate(proof):
        for value in (*(byte ^ 1 << bit for bit in range(8)), *b"\0\n\r =+/A0\xff"):
            mutant[place] = value
            assert value == byte or fails(one.policy, bytes(mutant)), f"byte {place} to {value}"
        mutant[place] = byte


def test_lines_cut_swapped_or_repeated_are_refused(store: Store) -> None:
    proof = SWARM.prove(store, 3)
    lines = proof.splitlines(keepends=True)
    for i, line in enumerate(lines):
        assert fails(SWARM.policy, b"".join([*lines[:i], *lines[i + 1 :]]))
        assert fails(SWARM.policy, b"".join([*lines[:i], line, line, *lines[i + 1 :]]))
        assert fails(SWARM.policy, b"".join(lines[:i]))
    for end in range(len(proof)):
        assert fails(SWARM.policy, proof[:end])


def test_parts_of_two_honest_proofs_do_not_mix(store: Store) -> None:
    early = LogProof.parse(SWARM.prove(store, 2))
    late = LogProof.parse(SWARM.prove(store, 9))
    mixed = [
        LogProof(late.extra, early.index, early.path, early.note),
        LogProof(early.extra, late.index, early.path, early.note),
        LogProof(early.extra, early.index, late.path, early.note),
        LogProof(early.extra, early.index, early.path, late.note),
        LogProof(early.extra, early.index + 6, early.path, early.note),
    ]
    for proof in mixed:
        assert fails(SWARM.policy, proof.encode())


def test_what_is_wrong_is_said(store: Store) -> None:
    good = LogProof.parse(SWARM.prove(store, 2))
    bare = LogProof(b"", good.index, good.path, good.note)
    with pytest.raises(NotVerified, match="doesn't carry the entry") as caught:
        verify_proof(SWARM.policy, bare.encode())
    assert caught.value.where == "extra line"
    other = LogProof(b"another", good.index, good.path, good.note)
    with pytest.raises(NotVerified, match="root") as caught:
        verify_proof(SWARM.policy, other.encode())
    assert caught.value.where == "inclusion proof"
    note = Note.parse(good.note)
    few = Note(note.text, note.signatures[:-1]).encode()
    with pytest.raises(NotVerified, match="quorum"):
        verify_proof(SWARM.policy, LogProof(good.extra, good.index, good.path, few).encode())


def test_another_swarms_proof_is_refused(store: Store) -> None:
    renamed = Swarm(origin="swarm.example/other")
    strict = Swarm(quorum=4)
    for other in (renamed, strict):
        assert fails(other.policy, SWARM.prove(store, 2))
    assert not fails(Swarm(quorum=2).policy, SWARM.prove(store, 2))
