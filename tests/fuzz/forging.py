# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Signs again what was changed: only with a member's key do changes reach the code behind."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

import cbor2
from securesystemslib.exceptions import StorageError
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, TargetFile, Targets

from swarm_ledger.encoding import encode
from swarm_ledger.envelope import Kind
from swarm_ledger.errors import NotVerified, PeerFault, SwarmLedgerError
from swarm_ledger.identity import cose
from swarm_ledger.identity.session import domain
from swarm_ledger.identity.trust import ROSTER, Version
from swarm_ledger.ledger.note import ED25519, Note, NoteSignature, cosigned_message, key_id
from swarm_ledger.signers import SoftwareSigner
from tests.crew import Crew
from tests.fuzz.mutation import (
    MOST,
    UNREADABLE,
    of_bytes,
    of_cbor,
    of_json,
    of_text,
    of_tree,
    packed,
)

CREW = Crew()
SECOND: Version = CREW.changed(CREW.roster, add=["drone_5"])
THIRD: Version = CREW.changed(SECOND.roster, revoke=["drone_2"])
NAMES = (*(f"drone_{number}" for number in range(1, 7)), "watcher", "operator_1")

_SEALED = (
    Kind.SESSION,
    Kind.QUESTION,
    Kind.VOTE,
    Kind.TICK,
    Kind.ANCHOR,
    Kind.RULE,
    Kind.CLAIM,
    Kind.NOTE,
    Kind.CONSENSUS,
    Kind.WELCOME,
    Kind.CLOCK,
)
Keys = dict[bytes, tuple[SoftwareSigner, int]]
"""By key identifier, with the roster version that each is for."""


class Forger:
    """Changes messages, and signs them with the keys that it has.

    What was signed by a key that it hasn't is signed by one that it has.
    """

    def __init__(self, swarm: str, keys: Keys, operator: SoftwareSigner | None = None) -> None:
        self._swarm, self._keys, self._operator = swarm, keys, operator
        self._own = list(keys)

    def __call__(self, rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
        """Change a message of any kind: what it says, signed again, or what is around it."""
        deed = rng.random()
        kind = data[0] if data else 0
        if deed < 0.15 or not data:
            return of_bytes(rng, data, others)
        if deed < 0.2:
            return bytes([rng.choice([*Kind, 0, 99])]) + data[1:]
        if kind in (Kind.CARRIED, Kind.EVIDENCE):
            return bytes([kind]) + self._pair(rng, data[1:], others)
        if kind == Kind.ROSTER:
            return bytes([kind]) + self.of_roster(rng, data[1:], others)
        if kind not in _SEALED:
            return bytes([kind]) + of_cbor(rng, data[1:], others)
        return self._resealed(rng, data, others)

    def _pair(self, rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
        try:
            pair = cbor2.loads(data)
        except UNREADABLE:
            return of_bytes(rng, data, others)
        changed = of_tree(rng, pair, lambda raw: self._nested(rng, raw, others))
        sortable = isinstance(changed, list) and {type(item) for item in changed} == {bytes}
        if sortable and rng.random() < 0.5:
            changed.sort()  # as evidence must be
        return packed(changed, rng)[:MOST]

    def _nested(self, rng: random.Random, raw: bytes, others: Sequence[bytes]) -> bytes | None:
        """Change a message within another one; None for bytes that are none."""
        if raw[:1] and raw[0] in (*_SEALED, Kind.CARRIED) and raw[1:2] in (cose.TAG, b"\x82"):
            return self(rng, raw, others)
        return rng.choice(others) if others and rng.random() < 0.1 else None

    def _resealed(self, rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
        try:
            token = cose.parse1(data[1:], limit=MOST)
            tree = cbor2.loads(token.payload)
        except (PeerFault, *UNREADABLE):
            return of_bytes(rng, data, others)
        ours = token.kid in self._keys and rng.random() < 0.9
        signer, version = self._keys[token.kid if ours else rng.choice(self._own)]
        kind = data[0] if rng.random() < 0.95 else rng.choice(_SEALED)
        if rng.random() < 0.05:
            version += 1
        if rng.random() < 0.05:
            payload = of_cbor(rng, token.payload, others)
        elif rng.random() < 0.1:
            payload = token.payload
        else:
            payload = packed(of_tree(rng, tree, lambda raw: self._nested(rng, raw, others)), rng)
        aad = domain(self._swarm, kind, version)
        if kind == Kind.SESSION and rng.random() < 0.7:
            payload = self._possessed(payload, aad)
        return bytes([kind]) + cose.sign1(signer, payload[:MOST], aad)

    def of_roster(self, rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
        """Change [targets.json, roster.json], mostly signed again."""
        try:
            targets, roster = (bytes.fromhex(part.hex()) for part in cbor2.loads(data))
            deed = rng.randrange(4)
            if deed == 0:
                targets = of_json(rng, targets, ())
            elif deed == 1:
                targets = self._signed(rng, _reworded(rng, targets))
            else:
                roster = of_json(rng, roster, ())
                targets = self._signed(rng, _naming(targets, roster))
        except (*UNREADABLE, LookupError, AttributeError, RepositoryError, StorageError):
            return of_cbor(rng, data, others)
        return packed([targets, roster], rng)

    def _signed(self, rng: random.Random, metadata: bytes) -> bytes:
        """Sign TUF metadata anew, as it stands, where TUF still knows how."""
        parsed: Metadata[Any] = Metadata.from_bytes(metadata)
        signer = self._operator if self._operator and rng.random() < 0.95 else self._any(rng)
        keyid = signer.public_key.hex()[:40]
        tree = json.loads(metadata)
        tree["signatures"] = [{"keyid": keyid, "sig": signer.sign(parsed.signed_bytes).hex()}]
        return json.dumps(tree).encode()

    def _any(self, rng: random.Random) -> SoftwareSigner:
        return self._keys[rng.choice(self._own)][0]

    def _possessed(self, payload: bytes, aad: bytes) -> bytes:
        """Have the session key sign a delegation's claims again, if it is one of ours."""
        try:
            claims: dict[Any, Any] = cbor2.loads(payload)
            signer, _ = self._keys[cose.kid(claims[8][1][-2])]
            said = ["swarm_ledger/v1 possession", aad, claims[1], claims[5], claims[4]]
            claims[-65_537] = signer.sign(encode(said))
            return encode(claims)
        except (*UNREADABLE, LookupError, AttributeError, SwarmLedgerError):
            return payload


def keys_of(crew: Crew, names: Sequence[str], sessions: int = 4) -> Keys:
    """Return those members' keys: sessions of three roster versions, and root keys."""
    known: Keys = {}
    for name in names:
        for number in range(sessions):
            for version in (1, 2, 3):
                signer = crew.session(name, number, version)
                known[cose.kid(signer.public_key)] = (signer, version)
        known[cose.kid(crew.root(name).public_key)] = (crew.root(name), 1)
    return known


_KEYS = keys_of(CREW, NAMES)
of_sealed = Forger(CREW.swarm, _KEYS, CREW.root("operator_1"))


def _reworded(rng: random.Random, metadata: bytes) -> bytes:
    tree = json.loads(metadata)
    tree["signed"] = of_tree(rng, tree["signed"], lambda _: None)
    return json.dumps(tree, default=repr, skipkeys=True).encode()


def _naming(targets: bytes, roster: bytes) -> bytes:
    """Have metadata vouch for other bytes, and for the version that they state."""
    metadata = Metadata[Targets].from_bytes(targets)
    metadata.signed.targets[ROSTER] = TargetFile.from_data(ROSTER, roster, ["sha256"])
    try:
        version = json.loads(roster)["version"]
        metadata.signed.version = version if type(version) is int else 2
    except (ValueError, TypeError, LookupError, RecursionError):
        metadata.signed.version = 2
    return metadata.to_bytes()


def of_note(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Change a signed note: its text, signed again by all who had signed it, or its lines."""
    if rng.random() < 0.4:
        return of_text(rng, data, others)
    try:
        note = Note.parse(data)
        text = of_text(rng, note.text.encode(), ()).decode()
    except (NotVerified, UnicodeDecodeError):
        return of_bytes(rng, data, others)
    return Note(text, tuple(_line(line, text) for line in note.signatures)).encode()[:MOST]


def _line(line: NoteSignature, text: str) -> NoteSignature:
    for signer, _ in _KEYS.values():
        if key_id(line.name, ED25519, signer.public_key) == line.key_id:
            return NoteSignature(line.name, line.key_id, signer.sign(text.encode()))
        if key_id(line.name, 4, signer.public_key) == line.key_id:
            signed = signer.sign(cosigned_message(text, line.time))
            return NoteSignature(line.name, line.key_id, line.signature[:8] + signed)
    return line


def of_proof(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Change a tlog-proof: its own lines, or the note within."""
    head, blank, note = data.partition(b"\n\n")
    if not blank or rng.random() < 0.5:
        return of_text(rng, data, others)
    return (head + blank + of_note(rng, note, ()))[:MOST]
