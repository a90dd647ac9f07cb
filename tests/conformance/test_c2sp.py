# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The examples of C2SP's signed-note, tlog-checkpoint and tlog-cosignature, as far as they go.

Only signed-note publishes a key with its example; the other examples are checked for their form.
"""

from __future__ import annotations

import base64
import hashlib

import pytest

from swarm_ledger.errors import NotVerified
from swarm_ledger.ledger.checkpoint import Checkpoint
from swarm_ledger.ledger.note import ED25519, Note, NoteVerifier, cosigned_message, key_ring
from swarm_ledger.ledger.proof import LogProof

VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
SIGNED = (
    "This is an example message.\n\n"
    "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3"
    "mFXmRKuwHjG1Yu72IneyaQM=\n"
).encode()
CHECKPOINT = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
)
COSIGNED = (
    f"{CHECKPOINT}\n"
    "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhc"
    "yv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3"
    "b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
).encode()


def test_the_verifier_key_and_the_note_it_verifies() -> None:
    key = NoteVerifier.from_vkey(VKEY)
    assert (key.name, key.kind, key.vkey) == ("example.com/foo", ED25519, VKEY)
    note = Note.parse(SIGNED)
    assert note.verify(key_ring([key])) == (key,)
    assert note.encode() == SIGNED
    with pytest.raises(NotVerified):
        Note.parse(SIGNED.replace(b"message", b"massage")).verify(key_ring([key]))


def test_the_key_id_is_the_specified_hash() -> None:
    key = NoteVerifier.from_vkey(VKEY)
    material = b"example.com/foo\n\x01" + base64.b64decode(VKEY.split("+", 2)[2])[1:]
    assert key.key_id == hashlib.sha256(material).digest()[:4] == bytes.fromhex("530d903a")


def test_a_note_whose_text_has_empty_lines() -> None:
    text = (
        "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\n"
        "ed è subito sera.\n"
    )
    line = (
        "— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONr"
        "MouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n"
    )
    note = Note.parse((text + "\n" + line).encode())
    assert note.text == text
    assert note.signatures[0].line == line


def test_the_checkpoint_and_its_cosignature() -> None:
    note = Note.parse(COSIGNED)
    assert note.encode() == COSIGNED
    checkpoint = Checkpoint.parse(note.text)
    assert checkpoint.text == CHECKPOINT
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    log, witness = note.signatures
    assert (log.name, len(log.signature)) == (checkpoint.origin, 64)
    assert (witness.name, len(witness.signature)) == ("witness.example.com/w1", 72)
    assert witness.time == 1679315147
    assert cosigned_message(note.text, witness.time) == (
        b"cosignature/v1\ntime 1679315147\n" + CHECKPOINT.encode()
    )


def test_a_proof_as_the_specification_lays_it_out() -> None:
    path = (
        "gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=\n"
        "B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=\n"
    )
    file = b"c2sp.org/tlog-proof@v1\nindex 73894\n" + path.encode() + b"\n" + COSIGNED
    proof = LogProof.parse(file)
    assert (proof.index, proof.extra, len(proof.path)) == (73894, b"", 2)
    assert proof.note == COSIGNED
    assert proof.encode() == file
