# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Checkpoints, cosignatures and Merkle proofs, exchanged with a verifier that others wrote."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from swarm_ledger.errors import NotVerified
from swarm_ledger.ledger import merkle
from swarm_ledger.ledger.checkpoint import (
    Checkpoint,
    assemble,
    cosign,
    log_key,
    sign_checkpoint,
    witness_key,
)
from swarm_ledger.ledger.note import NoteVerifier
from swarm_ledger.ledger.policy import Policy
from swarm_ledger.ledger.proof import LogProof
from swarm_ledger.ledger.store import Store
from swarm_ledger.light_client import verify_proof

theirs = pytest.importorskip(
    "aics_tlog", reason="aics-tlog is not installed (pip install aics-tlog, Python >= 3.12)"
)

ORIGIN = "swarm.example/stranger"
NAMES = ["drone_1", "drone_2", "drone_3", "drone_4"]
KEYS = {name: Ed25519PrivateKey.from_private_bytes(name.encode().ljust(32)) for name in NAMES}
PUBLIC = {name: key.public_key().public_bytes_raw() for name, key in KEYS.items()}
POLICY = Policy.for_swarm(ORIGIN, PUBLIC, 3)
TIME = 1_700_000_000
ENTRIES = [b"entry %d" % i for i in range(37)]


def our_note(checkpoint: Checkpoint) -> bytes:
    cosignatures = [
        cosign(checkpoint, witness_key(ORIGIN, name, PUBLIC[name]), KEYS[name].sign, TIME)
        for name in NAMES
    ]
    log_line = sign_checkpoint(checkpoint, PUBLIC["drone_1"], KEYS["drone_1"].sign)
    return assemble(checkpoint, log_line, cosignatures, 3).encode()


def their_verdict(note: bytes, quorum: int) -> bool:
    """What they say of a note when configured with our policy's own verifier keys."""
    log = theirs.parse_vkey(log_key(ORIGIN, PUBLIC["drone_1"]).vkey)
    witnesses = [theirs.parse_vkey(key.vkey) for key in POLICY.witnesses.values()]
    try:
        parsed = theirs.parse_note(note.decode())
    except ValueError:
        return False
    verdict = theirs.verify_checkpoint(parsed, log, witnesses, quorum, expected_origin=ORIGIN)
    return bool(verdict.ok)


@pytest.fixture(scope="module")
def store() -> Store:
    opened = Store.open(":memory:")
    opened.append_block(0, ENTRIES, b"")
    return opened


def test_they_accept_our_cosigned_checkpoints_and_nothing_less(store: Store) -> None:
    note = our_note(Checkpoint(ORIGIN, store.size, store.root()))
    assert their_verdict(note, 3)
    assert not their_verdict(note, 4)
    lines = note.split(b"\n")
    for place in range(1, len(note), 7):
        changed = note[:place] + bytes([note[place] ^ 1]) + note[place + 1 :]
        try:
            changed.decode()
        except UnicodeDecodeError:
            continue
        assert not their_verdict(changed, 3), f"byte {place}"
    for missing in range(len(lines) - 1):
        assert not their_verdict(b"\n".join(lines[:missing] + lines[missing + 1 :]), 3)


def test_we_accept_their_cosigned_checkpoints(store: Store) -> None:
    checkpoint = theirs.Checkpoint(ORIGIN, store.size, store.root())
    signed = theirs.sign_checkpoint(checkpoint, KEYS["drone_2"], ORIGIN)
    lines = [
        theirs.sign_cosignature(
            KEYS[name], f"{ORIGIN}/{name}", TIME, ORIGIN, store.size, store.root()
        )[1]
        for name in NAMES[1:]
    ]
    note = theirs.Note(text=signed.text, signatures=(*signed.signatures, *lines)).to_bytes()
    checked = POLICY.examine(note, exact=True)
    assert checked.checkpoint == Checkpoint(ORIGIN, store.size, store.root())
    assert checked.witnesses == tuple(NAMES[1:])
    few = theirs.Note(text=signed.text, signatures=(*signed.signatures, *lines[1:]))
    with pytest.raises(NotVerified):
        POLICY.check(few.to_bytes())


def test_both_write_the_same_bytes(store: Store) -> None:
    ours = Checkpoint(ORIGIN, store.size, store.root())
    checkpoint = theirs.Checkpoint(ORIGIN, store.size, store.root())
    assert checkpoint.text() == ours.text
    theirs_line = theirs.sign_checkpoint(checkpoint, KEYS["drone_1"], ORIGIN).to_bytes()
    our_line = sign_checkpoint(ours, PUBLIC["drone_1"], KEYS["drone_1"].sign)
    assert theirs_line == (ours.text + "\n" + our_line.line).encode()
    for kind, make in (
        (1, lambda: theirs.vkey_from_ed25519("k.example/a", PUBLIC["drone_1"])),
        (4, lambda: theirs.cosignature_vkey("k.example/a", PUBLIC["drone_1"])),
    ):
        vkey = theirs.format_vkey(make())
        assert vkey == NoteVerifier("k.example/a", kind, PUBLIC["drone_1"]).vkey
        assert NoteVerifier.from_vkey(vkey).kind == kind


def test_trees_and_proofs_go_both_ways(store: Store) -> None:
    tree = theirs.MerkleTree(ENTRIES)
    for size in range(1, len(ENTRIES) + 1):
        root = tree.root(size)
        assert store.root(size) == root
        for index in range(0, size, 3):
            leaf = merkle.leaf_hash(ENTRIES[index])
            ours = store.inclusion(index, size)
            assert theirs.verify_leaf_inclusion(ENTRIES[index], index, size, ours, root)
            merkle.verify_inclusion(leaf, index, size, tree.inclusion_proof(index, size), root)
        for first in range(0, size + 1, 4):
            ours = store.consistency(first, size)
            assert theirs.verify_consistency(first, size, tree.root(first), root, ours)
            proof = tree.consistency_proof(first, size)
            merkle.verify_consistency(first, size, proof, store.root(first), root)


def test_they_refuse_our_proofs_once_tampered_with(store: Store) -> None:
    proof, root = store.inclusion(5), store.root()
    verify: Callable[..., bool] = theirs.verify_leaf_inclusion
    assert verify(ENTRIES[5], 5, 37, proof, root)
    assert not verify(ENTRIES[6], 5, 37, proof, root)
    assert not verify(ENTRIES[5], 4, 37, proof, root)
    assert not verify(ENTRIES[5], 5, 37, proof[:-1], root)


def test_a_strangers_reading_of_our_proof_file(store: Store) -> None:
    """The file is taken apart by hand, as its specification says, and verified by them."""
    note = our_note(Checkpoint(ORIGIN, store.size, store.root()))
    file = LogProof(ENTRIES[9], 9, tuple(store.inclusion(9)), note).encode()
    assert verify_proof(POLICY, file).entry == ENTRIES[9]
    head, _, rest = file.decode().partition("\n\n")
    magic, extra, index, *path = head.split("\n")
    assert magic == "c2sp.org/tlog-proof@v1"
    assert their_verdict(rest.encode(), 3)
    checkpoint = theirs.parse_checkpoint(theirs.parse_note(rest).text)
    assert theirs.verify_leaf_inclusion(
        base64.b64decode(extra.removeprefix("extra ")),
        int(index.removeprefix("index ")),
        checkpoint.size,
        [base64.b64decode(part) for part in path],
        checkpoint.root,
    )
