# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The attack table, first half: messages that must not open, each with the reason it is given."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import cbor2
import pytest

from swarm_ledger.consensus.messages import Checkpoint, Commit, Fetch, Prepare, Status
from swarm_ledger.encoding import encode
from swarm_ledger.envelope import MAX_ENVELOPE_BYTES, Kind, Opener, carry, seal
from swarm_ledger.errors import PeerFault
from swarm_ledger.identity import cose
from swarm_ledger.identity.session import domain
from swarm_ledger.runtime.doorman import Doorman, log_checkpoint
from swarm_ledger.signers import SoftwareSigner
from tests.crew import DAY_S, T0_S, Crew, key

CREW = Crew()
VOTE = CREW.vote("drone_1")
TOKEN = cose.parse1(VOTE[1:], limit=1000)
L = 2**252 + 27742317777372353535851937790883648493


def vote_as(signer: SoftwareSigner, crew: Crew = CREW) -> bytes:
    return seal(Kind.VOTE, encode(crew.observation()), signer, crew.roster)


def rebuilt(
    header: Any = None,
    unprotected: Any = None,
    payload: bytes = TOKEN.payload,
    signature: bytes | None = None,
    signer: SoftwareSigner | None = None,
) -> bytes:
    """Return the vote with another header, signed over whatever it says now."""
    protected = TOKEN.protected if header is None else cbor2.dumps(header)
    aad = domain("test", Kind.VOTE, 1)
    signed = encode(["Signature1", protected, aad, payload])
    if signature is None:
        signature = (signer or CREW.session("drone_1")).sign(signed)
    return b"\x03\xd2" + cbor2.dumps([protected, unprotected or {}, payload, signature])


def non_canonical_s() -> bytes:
    s = int.from_bytes(TOKEN.signature[32:], "little") + L
    return rebuilt(signature=TOKEN.signature[:32] + s.to_bytes(32, "little"))


def cut(raw: bytes, at: int, insert: bytes, drop: int = 0) -> bytes:
    return raw[:at] + insert + raw[at + drop :]


KID = TOKEN.kid
SMALL_ORDER_R = (1).to_bytes(32, "little") + bytes(32)

ATTACKS: dict[str, tuple[bytes, str]] = {
    "nothing is changed": (VOTE, ""),
    "rebuilt as it was": (rebuilt({1: -8, 4: KID}), ""),
    # who
    "forged signature": (VOTE[:-1] + bytes([VOTE[-1] ^ 1]), "bad_signature"),
    "no signature": (rebuilt(signature=bytes(64)), "bad_signature"),
    "another member's signature": (rebuilt(signer=CREW.session("drone_2")), "bad_signature"),
    "stranger's key": (vote_as(key("stranger")), "unknown_key"),
    "absent member": (CREW.vote("drone_4"), "unknown_key"),
    "root key instead of a session's": (vote_as(CREW.root("drone_1")), "unknown_key"),
    "observer votes": (CREW.vote("watcher"), "wrong_role"),
    "operator votes": (vote_as(CREW.root("operator_1")), "wrong_role"),
    "drone asks": (
        seal(Kind.QUESTION, encode(CREW.question), CREW.session("drone_1"), CREW.roster),
        "wrong_role",
    ),
    "observer in consensus": (CREW.say("watcher", Status(0, 0, 0)), "wrong_role"),
    "operator in consensus": (
        seal(Kind.CONSENSUS, encode(Status(0, 0, 0)), CREW.root("operator_1"), CREW.roster),
        "wrong_role",
    ),
    # replays
    "replay as another kind": (b"\x10" + VOTE[1:], "bad_signature"),
    "replay as a question": (b"\x02" + VOTE[1:], "wrong_role"),
    "replay from another swarm": (
        vote_as(CREW.session("drone_1"), Crew(swarm="other")),
        "bad_signature",
    ),
    "replay from another epoch": (
        vote_as(CREW.session("drone_1"), Crew(version=2)),
        "bad_signature",
    ),
    # contents
    "tampered payload": (
        rebuilt(payload=encode(CREW.observation(1)), signature=TOKEN.signature),
        "bad_signature",
    ),
    "oversize": (b"\x03\xd2" + bytes(MAX_ENVELOPE_BYTES + 1), "oversize"),
    # COSE
    "ES256 claimed": (rebuilt({1: -7, 4: KID}), "wrong_algorithm"),
    "ES384 claimed": (rebuilt({1: -35, 4: KID}), "malformed"),
    "HMAC claimed": (rebuilt({1: 5, 4: KID}), "malformed"),
    "no algorithm": (rebuilt({4: KID}), "malformed"),
    "no kid": (rebuilt({1: -8}), "malformed"),
    "algorithm as text": (rebuilt({1: "EdDSA", 4: KID}), "malformed"),
    "crit header": (rebuilt({1: -8, 2: [7], 4: KID}), "malformed"),
    "content type header": (rebuilt({1: -8, 3: 60, 4: KID}), "malformed"),
    "text header": (rebuilt({1: -8, 4: KID, "x": 1}), "malformed"),
    "other kid": (rebuilt({1: -8, 4: cose.kid(key("x").public_key)}), "unknown_key"),
    "another member's kid": (
        rebuilt({1: -8, 4: cose.kid(CREW.session("drone_2").public_key)}),
        "bad_signature",
    ),
    "kid of 32 bytes": (rebuilt({1: -8, 4: KID * 4}), "malformed"),
    "empty kid": (rebuilt({1: -8, 4: b""}), "malformed"),
    "kid as an integer": (rebuilt({1: -8, 4: 7}), "malformed"),
    "empty header": (rebuilt({}), "malformed"),
    "header is a list": (rebuilt([1, -8]), "malformed"),
    "unprotected kid": (rebuilt(unprotected={4: KID}), "malformed"),
    "unprotected algorithm": (rebuilt(unprotected={1: -8}), "malformed"),
    "signature of 63 bytes": (rebuilt(signature=TOKEN.signature[:63]), "malformed"),
    "signature of 65 bytes": (rebuilt(signature=TOKEN.signature + b"\0"), "malformed"),
    "tag missing": (VOTE[:1] + VOTE[2:], "malformed"),
    "tag of COSE_Mac0": (b"\x03\xd1" + VOTE[2:], "malformed"),
    "tag of COSE_Sign": (b"\x03\xd8\x62" + VOTE[2:], "malformed"),
    "tag twice": (b"\x03\xd2" + VOTE[1:], "malformed"),
    "tag in two bytes": (b"\x03\xd8\x12" + VOTE[2:], "malformed"),
    "three parts": (b"\x03\xd2" + cbor2.dumps([TOKEN.protected, {}, b""]), "malformed"),
    "five parts": (
        b"\x03\xd2" + cbor2.dumps([TOKEN.protected, {}, b"", TOKEN.signature, 0]),
        "malformed",
    ),
    "detached payload": (
        b"\x03\xd2" + cbor2.dumps([TOKEN.protected, {}, None, TOKEN.signature]),
        "malformed",
    ),
    # CBOR
    "length not minimal": (cut(VOTE, 2, b"\x98\x04", 1), "malformed"),
    "indefinite array": (cut(VOTE, 2, b"\x9f", 1) + b"\xff", "malformed"),
    "something after the end": (VOTE + b"\0", "malformed"),
    "header integers not minimal": (
        b"\x03\xd2" + cbor2.dumps([cut(TOKEN.protected, 1, b"\x18\x01", 1), {}, b"", bytes(64)]),
        "malformed",
    ),
    "a header key twice": (
        b"\x03\xd2" + cbor2.dumps([b"\xa3\x01\x27\x01\x27\x04\x48" + KID, {}, b"", bytes(64)]),
        "malformed",
    ),
    "a float": (
        b"\x03\xd2" + cbor2.dumps([TOKEN.protected, {1: 1.5}, b"", bytes(64)]),
        "malformed",
    ),
    "a tag inside": (
        b"\x03\xd2" + cbor2.dumps([TOKEN.protected, {}, cbor2.CBORTag(24, b""), bytes(64)]),
        "malformed",
    ),
    "deep nesting": (b"\x03\xd2" + b"\x81" * 100_000, "malformed"),
    "huge array": (b"\x03\xd2\x9b" + struct.pack(">Q", 2**63), "malformed"),
    "huge bytes": (b"\x03\xd2\x84\x5b" + struct.pack(">Q", 2**40), "malformed"),
    # Ed25519
    "S + L": (non_canonical_s(), "bad_signature"),
    "small-order R": (rebuilt(signature=SMALL_ORDER_R), "bad_signature"),
    # sessions
    "unknown kind": (b"\x0e" + VOTE[1:], "malformed"),
    "a block as a message": (b"\x21" + VOTE[1:], "malformed"),
    "empty": (b"", "malformed"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_message(attack: str) -> None:
    raw, reason = ATTACKS[attack]
    opener = CREW.opener(["drone_1", "drone_2", "watcher"])
    if not reason:
        assert opener.open(raw).author.name == "drone_1"
        return
    with pytest.raises(PeerFault) as caught:
        opener.open(raw)
    assert caught.value.reason == reason
    assert caught.value.what.endswith(".")


def small_order_session() -> bytes:
    """A member delegates to a key under which one signature fits every message."""
    issuer = CREW.root("drone_2")
    point = (1).to_bytes(32, "little")
    claims = {
        1: cose.kid(issuer.public_key),
        4: T0_S + 100,
        5: T0_S,
        8: {1: {1: 1, -1: 6, -2: point}},
        -65_537: point + bytes(32),
    }
    return b"\x01" + cose.sign1(issuer, encode(claims), domain("test", 1, 1))


def stolen_claim() -> bytes:
    issuer = CREW.root("drone_2")
    token = cose.parse1(CREW.identity("drone_1").delegation[1:], limit=1000)
    claims: dict[int, Any] = cbor2.loads(token.payload)
    claims[1] = cose.kid(issuer.public_key)
    return b"\x01" + cose.sign1(issuer, encode(claims), domain("test", 1, 1))


DELEGATIONS: dict[str, tuple[Callable[[], bytes], str]] = {
    "by a stranger": (
        lambda: Crew(swarm="other").identity("drone_1").delegation,
        "not_a_member",
    ),
    "of another epoch": (lambda: Crew(version=2).identity("drone_1").delegation, "bad_signature"),
    "of another member's key": (stolen_claim, "stolen_session"),
    "of a small-order key": (small_order_session, "stolen_session"),
    "a vote": (lambda: VOTE, "malformed"),
    "a vote under its kind": (lambda: b"\x01" + VOTE[1:], "not_a_member"),
    "oversize": (lambda: b"\x01\xd2" + bytes(600), "oversize"),
}


@pytest.mark.parametrize("attack", DELEGATIONS)
def test_delegation(attack: str) -> None:
    make, reason = DELEGATIONS[attack]
    opener = CREW.opener()
    before = opener.sessions()
    with pytest.raises(PeerFault) as caught:
        opener.add_session(make())
    assert caught.value.reason == reason
    assert opener.sessions() == before


def claim(name: str, *, cosigner: str = "", size: int = 5) -> Checkpoint:
    """A checkpoint by one drone, with a cosignature by itself or another, of size 5."""
    identity = CREW.identity(cosigner or name)
    stated = log_checkpoint(CREW.roster, 5, bytes(32))
    return Checkpoint(1, size, bytes(32), identity.cosign(stated, T0_S))


def on_ledger(*names: str) -> Doorman:
    doorman = Doorman(Opener(CREW.roster))
    for name in names:
        doorman.ledger.add_session(CREW.identity(name).delegation)
    return doorman


CONSENSUS: dict[str, tuple[bytes, str]] = {
    "an honest checkpoint": (CREW.say("drone_1", claim("drone_1")), ""),
    "another's cosignature": (
        CREW.say("drone_1", claim("drone_1", cosigner="drone_2")),
        "bad_signature",
    ),
    "a cosignature of another size": (
        CREW.say("drone_1", claim("drone_1", size=6)),
        "bad_signature",
    ),
    "a cosignature of zeros": (
        CREW.say("drone_1", Checkpoint(1, 5, bytes(32), bytes(72))),
        "bad_signature",
    ),
    "a checkpoint of an empty log": (
        CREW.say("drone_1", claim("drone_1", size=0)),
        "malformed",
    ),
    "a checkpoint by a session that is not on the ledger": (
        carry(CREW.identity("drone_4").delegation, CREW.say("drone_4", claim("drone_4"))),
        "unknown_key",
    ),
    "a bare commit by a session that is not on the ledger": (
        CREW.say("drone_4", Commit(0, 1, bytes(32))),
        "unknown_key",
    ),
    "the same, carried": (
        carry(CREW.identity("drone_4").delegation, CREW.say("drone_4", Commit(0, 1, bytes(32)))),
        "",
    ),
    "a vote where consensus speaks": (VOTE, "malformed"),
    "unknown message": (CREW.say("drone_1", [99, 1]), "malformed"),
    "negative view": (CREW.say("drone_1", [2, -1, 1, bytes(32)]), "malformed"),
    "digest of 31 bytes": (CREW.say("drone_1", [2, 0, 1, bytes(31)]), "malformed"),
    "too many commits": (CREW.say("drone_1", [11, 1, 1, [], [b"x"] * 129]), "malformed"),
    "too many requests": (CREW.say("drone_1", [10, [bytes(32)] * 257]), "malformed"),
}


@pytest.mark.parametrize("attack", CONSENSUS)
def test_consensus_message(attack: str) -> None:
    raw, reason = CONSENSUS[attack]
    doorman = on_ledger("drone_1", "drone_2")
    doorman.lobby.add_session(CREW.identity("drone_4").delegation)
    if not reason:
        assert doorman.open_consensus(raw).raw == raw
        return
    with pytest.raises(PeerFault) as caught:
        doorman.open_consensus(raw)
    assert caught.value.reason == reason


def test_who_is_only_in_the_lobby_may_ask_but_not_prove() -> None:
    """A drone that lags must hear where others are, though their sessions are news to it."""
    doorman = on_ledger()
    doorman.lobby.add_session(CREW.identity("drone_2").delegation)
    for message in (Status(0, 9, 9), Fetch(1)):
        assert doorman.open_consensus(CREW.say("drone_2", message)).sender == 1
    with pytest.raises(PeerFault):
        doorman.open_consensus(CREW.say("drone_2", Prepare(0, 1, bytes(32))))


@pytest.mark.parametrize("late_s", [-61, DAY_S, 30 * DAY_S])
def test_expired_session(late_s: int) -> None:
    with pytest.raises(PeerFault) as caught:
        on_ledger("drone_1").open(VOTE).check_fresh(T0_S + late_s)
    assert caught.value.reason == "stale_session"
