# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Signed notes: text that one or more keys have signed (C2SP signed-note).

Two of the signature types are known: Ed25519 over the text (01), and the timestamped Ed25519
cosignature of a checkpoint (04, C2SP tlog-cosignature).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping

import msgspec

from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.identity import ed25519
from swarm_ledger.ledger.lexical import (
    MAX_INTEGER,
    from_base64,
    from_utf8,
    is_key_name,
    to_base64,
)

ED25519 = 1
COSIGNATURE_V1 = 4
KEY_ID_SIZE = 4
TIME_SIZE = 8
MAX_NOTE_SIZE = 1 << 20
MAX_SIGNATURES = 128

Sign = Callable[[bytes], bytes]
"""Makes a 64-byte Ed25519 signature over a message; private keys stay behind it."""

KeyRing = Mapping[tuple[str, bytes], tuple["NoteVerifier", ...]]
"""Known keys by (name, key id). With 4 bytes of id, somebody can make two keys with the same."""


def key_id(name: str, kind: int, public_key: bytes) -> bytes:
    """Return the 4-byte key id that goes with a name, a signature type and a public key."""
    hashed = hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public_key)
    return hashed.digest()[:KEY_ID_SIZE]


def cosigned_message(text: str, time: int) -> bytes:
    """Return what a cosignature/v1 signs: its header, a POSIX time in seconds, the whole text."""
    return f"cosignature/v1\ntime {time}\n{text}".encode()


class NoteSignature(msgspec.Struct, frozen=True):
    """One signature line: key name, 4-byte key id, and the signature as its type lays it out."""

    name: str
    key_id: bytes
    signature: bytes

    @classmethod
    def parse(cls, line: str) -> NoteSignature:
        """Read a line without its newline; raises NotVerified."""
        parts = line.split(" ")
        if len(parts) != 3 or parts[0] != "—" or not is_key_name(parts[1]):
            raise NotVerified("it isn't '— <key name> <base64>'", where=f"line {line[:60]!r}")
        blob = from_base64(parts[2], f"signature of {parts[1]}")
        if len(blob) <= KEY_ID_SIZE:
            raise NotVerified("it is too short", where=f"signature of {parts[1]}")
        return cls(parts[1], blob[:KEY_ID_SIZE], blob[KEY_ID_SIZE:])

    @property
    def line(self) -> str:
        """The line as it stands in a note, newline included."""
        return f"— {self.name} {to_base64(self.key_id + self.signature)}\n"

    @property
    def time(self) -> int:
        """Seconds since the epoch that a cosignature/v1 claims; meaningless for other types."""
        return int.from_bytes(self.signature[:TIME_SIZE], "big")


class NoteVerifier(msgspec.Struct, frozen=True):
    """A known key: what its signature lines look like, and whether one is good.

    kind: ED25519 or COSIGNATURE_V1. Raises Misuse for other kinds, names or key lengths.
    """

    name: str
    kind: int
    public_key: bytes

    def __post_init__(self) -> None:
        if not is_key_name(self.name):
            raise Misuse(f"{self.name!r} can't be a key name: it is empty or has a space or '+'.")
        if self.kind not in (ED25519, COSIGNATURE_V1):
            raise Misuse(f"{self.name}: signature type {self.kind:#04x} is not 0x01 or 0x04.")
        if len(self.public_key) != ed25519.PUBLIC_KEY_SIZE:
            raise Misuse(f"{self.name}: an Ed25519 public key has 32 bytes.")

    @classmethod
    def from_vkey(cls, text: str) -> NoteVerifier:
        """Read a verifier key, <name>+<8 hex>+<base64>; raises Misuse when it isn't one."""
        # base64 may hold a plus, a name may not
        name, _, rest = text.partition("+")
        stated, plus, encoded = rest.partition("+")
        if not plus:
            raise Misuse(f"{text[:60]!r} is not a verifier key '<name>+<id>+<key>'.")
        try:
            blob = from_base64(encoded, name)
        except NotVerified as error:
            raise Misuse(f"The verifier key of {error}.") from error
        if not blob:
            raise Misuse(f"The verifier key of {name} is empty.")
        verifier = cls(name, blob[0], blob[1:])
        if verifier.key_id.hex() != stated:
            raise Misuse(
                f"The verifier key of {name} states the id {stated[:16]!r}, but has another."
            )
        return verifier

    @property
    def key_id(self) -> bytes:
        """The 4 bytes that name this key in signature lines."""
        return key_id(self.name, self.kind, self.public_key)

    @property
    def vkey(self) -> str:
        """This key as a verifier key's text."""
        blob = bytes([self.kind]) + self.public_key
        return f"{self.name}+{self.key_id.hex()}+{to_base64(blob)}"

    def accepts(self, text: str, signature: NoteSignature) -> bool:
        """Tell whether a line is this key's good signature on a note's text."""
        if (signature.name, signature.key_id) != (self.name, self.key_id):
            return False
        if self.kind == ED25519:
            return ed25519.verify(self.public_key, text.encode(), signature.signature)
        if signature.time > MAX_INTEGER:
            return False
        message = cosigned_message(text, signature.time)
        return ed25519.verify(self.public_key, message, signature.signature[TIME_SIZE:])

    def sign(self, sign: Sign, text: str, time: int = 0) -> NoteSignature:
        """Return this key's line on a text, made by a callable that holds the private key.

        time: POSIX seconds, only for cosignatures. Raises Misuse when the callable's key is not
        this one, so that a mix-up is found by its maker.
        """
        if not 0 <= time <= MAX_INTEGER:
            raise Misuse(f"{time} is not a time in seconds since the epoch.")
        if self.kind == ED25519:
            blob = sign(text.encode())
        else:
            blob = time.to_bytes(TIME_SIZE, "big") + sign(cosigned_message(text, time))
        line = NoteSignature(self.name, self.key_id, blob)
        if not self.accepts(text, line):
            raise Misuse(f"{self.name}: the signer's key is not the one it is listed with.")
        return line


def key_ring(verifiers: Iterable[NoteVerifier]) -> KeyRing:
    """Index known keys by name and id; a key that is listed twice is known once."""
    ring: dict[tuple[str, bytes], tuple[NoteVerifier, ...]] = {}
    for verifier in dict.fromkeys(verifiers):
        key = (verifier.name, verifier.key_id)
        ring[key] = (*ring.get(key, ()), verifier)
    return ring


class Note(msgspec.Struct, frozen=True):
    """A text that ends in a newline, and its signature lines in their order."""

    text: str
    signatures: tuple[NoteSignature, ...]

    @classmethod
    def parse(cls, data: bytes) -> Note:
        """Read a signed note; raises NotVerified for anything that isn't exactly one."""
        whole = from_utf8(data, MAX_NOTE_SIZE, "signed note")
        text, blank, tail = whole.rpartition("\n\n")
        if not blank or not tail.endswith("\n"):
            raise NotVerified("it has no signatures after a blank line", where="signed note")
        lines = tail[:-1].split("\n")
        if len(lines) > MAX_SIGNATURES:
            raise NotVerified(f"it has more than {MAX_SIGNATURES} lines", where="signed note")
        return cls(text + "\n", tuple(NoteSignature.parse(line) for line in lines))

    def encode(self) -> bytes:
        """Return the note's bytes."""
        return (self.text + "\n" + "".join(s.line for s in self.signatures)).encode()

    def verify(self, known: KeyRing) -> tuple[NoteVerifier, ...]:
        """Return the known keys that signed, in the order of their lines.

        Lines of unknown keys are ignored. Raises NotVerified when a known key's line is bad or
        stands there twice, or when no known key signed at all.
        """
        signers: list[NoteVerifier] = []
        for signature in self.signatures:
            candidates = known.get((signature.name, signature.key_id))
            if candidates is None:
                continue
            where = f"signature of {signature.name}"
            verifier = next((v for v in candidates if v.accepts(self.text, signature)), None)
            if verifier is None:
                raise NotVerified("it is not this key's signature on this text", where=where)
            if verifier in signers:
                raise NotVerified("it stands there twice", where=where)
            signers.append(verifier)
        if not signers:
            raise NotVerified("no known key has signed it", where="signed note")
        return tuple(signers)
