# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What arrives at a drone with secrecy: ciphertexts, shares, what is confided, from a liar."""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import suppress

import msgspec

from swarm_ledger.encoding import decode, encode
from swarm_ledger.envelope import Kind, introduce, kind_of
from swarm_ledger.identity.confided import confide, parse_confided
from swarm_ledger.identity.cose import parse1
from swarm_ledger.identity.encrypt0 import parse0
from swarm_ledger.identity.secrecy import Circle, Lacking, parse_lacking, parse_shares
from swarm_ledger.runtime.doorman import Doorman
from swarm_ledger.transport.secret import Secrets
from tests.crew import Crew
from tests.fuzz.forging import of_sealed
from tests.fuzz.mutation import MOST, of_bytes, of_cbor

CREW = Crew(secret=True)
_LIAR = CREW.identity("drone_2")
_CONFIDED = bytes([Kind.CONFIDED])


def _secrets(name: str) -> tuple[Secrets, Circle]:
    """A member's secrets; they are all zeros, so that each run has the same."""
    secrets = Secrets(CREW.channel(name), run=1, now_ms=0, draw=bytes)
    secrets.settle([CREW.roster], 1)
    circle = secrets.circle(1)
    assert circle is not None
    return secrets, circle


_HANDED_OUT = parse_shares(_secrets("drone_2")[1].hand_out([0]))


def secret(data: bytes) -> None:
    """All that a drone does before it hands on what was said."""
    secrets, circle = _secrets("drone_1")
    assert circle.take(1, _HANDED_OUT)
    plain = secrets.reveal(data)
    assert secrets.reveal(data) == plain
    if plain is None or not plain:
        return
    kind = kind_of(plain)
    if kind in (Kind.SHARES, Kind.LACKING):
        opened = Doorman(CREW.opener([])).open(plain)
        if kind is Kind.LACKING:
            parse_lacking(opened.payload)
        else:
            circle.take(opened.author.index, parse_shares(opened.payload))
    assert len(secrets.lacking) <= 1


def of_secret(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Change what is said, and encrypt or sign it again; or what is around it."""
    with suppress(Exception):
        if rng.random() < 0.6 and data[0] == Kind.SECRET:
            return _concealed(rng, data, others)
        if rng.random() < 0.6 and data[0] == Kind.CONFIDED:
            return _confided(rng, data, others)
        if rng.random() < 0.6 and data[0] in (Kind.SHARES, Kind.LACKING):
            return _signed(rng, data, others)
        if rng.random() < 0.6:
            return data[:2] + of_cbor(rng, data[2:], ())[:MOST]
    return of_bytes(rng, data, others)


def _concealed(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    secrets, circle = _secrets("drone_1")
    circle.take(1, _HANDED_OUT)
    plain = secrets.reveal(data) or b""
    liar = _secrets("drone_2")[1]
    return bytes([Kind.SECRET]) + liar.conceal(of_sealed(rng, plain, others)[:MOST])


def _confided(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Change what is confided; or the shares and the ciphertext, which may be another's then."""
    if rng.random() < 0.5:
        plain = _secrets("drone_1")[0].reveal(data) or b""
        return _CONFIDED + confide(of_sealed(rng, plain, others)[:MOST], CREW.roster, bytes)
    found = parse_confided(data[1:])[0]
    ciphertext = found.message[:1] + of_cbor(rng, found.message[1:], ())
    bent = msgspec.structs.replace(found, message=ciphertext[:MOST])
    return _CONFIDED + of_cbor(rng, encode(rng.choice((bent, found))), others)[:MOST]


def _signed(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    parts = decode(data[1:], tuple[bytes, bytes], limit=MOST)
    payload = of_cbor(rng, parse1(parts[1], limit=MOST).payload, ())
    kind = rng.choice((Kind(data[0]), Kind(data[0]), Kind.SHARES, Kind.LACKING, Kind.VOTE))
    return introduce(_LIAR.delegation, _LIAR.seal(kind, payload))


def samples() -> list[bytes]:
    """One of each form."""
    _, liar = _secrets("drone_2")
    said = [CREW.vote("drone_2"), CREW.asked(), b""]
    asks = encode(Lacking(0))
    return [
        *(bytes([Kind.SECRET]) + liar.conceal(plain) for plain in said),
        introduce(_LIAR.delegation, _LIAR.seal(Kind.SHARES, liar.hand_out())),
        introduce(_LIAR.delegation, _LIAR.seal(Kind.SHARES, liar.hand_out([0]))),
        introduce(_LIAR.delegation, _LIAR.seal(Kind.LACKING, asks)),
        *(_CONFIDED + confide(plain, CREW.roster, bytes) for plain in said),
    ]


def records() -> list[bytes]:
    """Their parts, as the target of records takes them."""
    _, liar = _secrets("drone_2")
    key_id = parse0(liar.conceal(b""), limit=MOST).kid
    return [
        b"\x0c" + liar.hand_out([0, 2]),
        b"\x0d" + key_id,
        b"\x0e" + encode(Lacking(0)),
        b"\x13" + confide(CREW.asked(), CREW.roster, bytes),
    ]
