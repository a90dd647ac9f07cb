# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What is confided to members: each of them reads it, nobody else, and there is one form of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

import cbor2
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from swarm_ledger.encoding import encode
from swarm_ledger.errors import PeerFault
from swarm_ledger.identity.confided import (
    MAX_CONFIDED_BYTES,
    Confided,
    confide,
    parse_confided,
    reveal,
)
from swarm_ledger.identity.encrypt0 import parse0
from swarm_ledger.identity.roster import MAX_MEMBERS, Role, Roster, parse_roster, render_roster
from swarm_ledger.identity.secrecy import Circle, KeyId, Secret, readers
from tests.crew import Crew

CREW = Crew(secret=True)
SECRET = bytes(range(32))
SAID = b"What stands there?"
RAW = confide(SAID, CREW.roster, lambda size: SECRET[:size])
PARSED = parse_confided(RAW)[0]


def circle(name: str, roster: Roster = CREW.roster, crew: Crew = CREW) -> Circle:
    names: Iterator[tuple[int, int]] = iter([(1, 0)])
    index, key = roster.named(name).index, crew.channel(name).hpke_secret
    return Circle(
        roster.swarm_id, roster.version, index, readers(roster), key, names=names, draw=bytes
    )


def refused(raw: bytes, name: str = "drone_1") -> str:
    with pytest.raises(PeerFault) as caught:
        reveal(circle(name), *parse_confided(raw))
    return caught.value.reason


def changed(**parts: object) -> bytes:
    return encode(msgspec.structs.replace(PARSED, **parts))


def test_all_who_may_read_do_and_nobody_else() -> None:
    assert [index for index, _ in PARSED.shares] == [0, 1, 2, 3, 4]
    for name in (*CREW.names, "watcher"):
        assert reveal(circle(name), *parse_confided(RAW)) == SAID
    assert CREW.roster.named("operator_1").index not in readers(CREW.roster)
    stranger = Crew(swarm="other", secret=True)
    with pytest.raises(PeerFault) as caught:
        reveal(circle("drone_1", crew=stranger), *parse_confided(RAW))
    assert caught.value.reason == "bad_share"
    assert SAID not in RAW


def test_the_bytes_are_those_of_the_page() -> None:
    """What another tool would do from docs/formats.md alone."""
    version, shares, message = cbor2.loads(RAW)
    assert version == 1
    kid = cbor2.dumps([1, 0, 0, 0])
    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
    for index, share in shares:
        key = CREW.channel([*CREW.names, "watcher"][index]).hpke_secret
        info = cbor2.dumps(["swarm_ledger/v1 share", "test", kid, index])
        assert suite.decrypt(share, X25519PrivateKey.from_private_bytes(key), info) == SECRET
    assert message == Secret("test", KeyId(1, 0, 0, 0), SECRET).conceal(SAID)
    assert parse0(message, limit=1_000).kid == kid


def test_bytes_that_were_changed_are_refused() -> None:
    share = PARSED.shares[0][1]
    bent = ((0, share[:40] + bytes([share[40] ^ 1]) + share[41:]), *PARSED.shares[1:])
    assert refused(changed(shares=bent)) == "bad_share"
    assert refused(changed(shares=((0, PARSED.shares[1][1]),))) == "bad_share"
    assert refused(changed(shares=((0, bytes(80)),))) == "bad_share"
    last = PARSED.message[:-1] + bytes([PARSED.message[-1] ^ 1])
    assert refused(changed(message=last)) == "bad_tag"
    other = parse_confided(confide(SAID, CREW.roster, lambda size: b"\1" * size))[0]
    assert refused(changed(message=other.message)) == "bad_tag"
    assert refused(changed(shares=PARSED.shares[1:])) == "no_share"
    assert refused(changed(shares=())) == "no_share"


def test_it_is_bound_to_swarm_and_version() -> None:
    members = list(CREW.roster.members)
    for swarm, version in (("test", 2), ("other", 1)):
        roster = parse_roster(render_roster(swarm, version, members))
        raw = confide(SAID, roster, lambda size: SECRET[:size])
        found = parse_confided(raw)[0]
        assert reveal(circle("drone_1", roster), *parse_confided(raw)) == SAID
        if version == 1:
            assert refused(raw) == "bad_share"
            assert refused(changed(message=found.message)) == "bad_tag"
        else:
            assert refused(changed(message=found.message)) == "malformed"
            assert refused(encode(Confided(1, found.shares, PARSED.message))) == "bad_share"


def test_there_is_one_form() -> None:
    for end in range(len(RAW)):
        assert refused(RAW[:end]) == "malformed"
    first, second, *others = PARSED.shares
    for shares in ((first, first), (second, first, *others), ((first[0], second[1]), first)):
        assert refused(changed(shares=shares)) == "malformed"
    assert refused(RAW + b"\0") == "malformed"
    assert refused(b"\x83\x18\x01" + RAW[2:]) == "malformed"
    assert refused(b"\x9f" + RAW[1:] + b"\xff") == "malformed"
    assert refused(b"\x84" + RAW[1:] + b"\0") == "malformed"
    assert refused(changed(shares=((0, bytes(79)),))) == "malformed"
    assert refused(changed(shares=((MAX_MEMBERS, bytes(80)),))) == "malformed"
    assert refused(changed(message=PARSED.message[1:])) == "malformed"


def test_a_secret_that_a_drone_has_drawn_is_none_of_these() -> None:
    """Nor one that served before: what drones said can not be put into another frame."""
    for key_id in (KeyId(1, 0, 0, 1), KeyId(1, 0, 1, 0), KeyId(1, 1, 0, 0), KeyId(2, 0, 0, 0)):
        drawn = Secret("test", key_id, SECRET)
        assert refused(changed(message=drawn.conceal(SAID))) == "malformed"
    served = Secret("test", KeyId(1, 0, 0, 0), SECRET)
    served.conceal(b"")
    assert refused(changed(message=served.conceal(SAID))) == "malformed"


def test_as_many_members_as_there_may_be_get_their_share() -> None:
    names = [f"drone_{number}" for number in range(1, MAX_MEMBERS - 4)]
    voting = frozenset({Role.VOTER})
    more = [CREW.member(index, name, voting) for index, name in enumerate(names[4:], 6)]
    roster = parse_roster(render_roster("test", 1, [*CREW.roster.members, *more]))
    raw = confide(bytes(1_200), roster, lambda size: SECRET[:size])
    assert len(raw) < MAX_CONFIDED_BYTES
    assert reveal(circle(names[-1], roster), *parse_confided(raw)) == bytes(1_200)
    assert refused(confide(bytes(MAX_CONFIDED_BYTES), CREW.roster, bytes)) == "oversize"


def test_who_was_revoked_gets_no_share() -> None:
    gone = [
        replace(member, roles=frozenset()) if member.name == "watcher" else member
        for member in CREW.roster.members
    ]
    assert list(readers(parse_roster(render_roster("test", 2, gone)))) == [0, 1, 2, 3]


def test_each_time_it_is_encrypted_anew() -> None:
    drawn = iter(hashlib.sha256(bytes([number])).digest() for number in range(2))
    one, other = (confide(SAID, CREW.roster, lambda _: next(drawn)) for _ in range(2))
    assert parse_confided(one)[0].message != parse_confided(other)[0].message
