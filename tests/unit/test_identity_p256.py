# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Root keys of P-256: one form of each signature, and no other algorithm in their place."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from swarm_ledger.encoding import decode, encode
from swarm_ledger.envelope import Kind, Opener, seal
from swarm_ledger.errors import Misuse, NotVerified, PeerFault
from swarm_ledger.identity import cose, p256
from swarm_ledger.identity.roster import Member, Role, Roster, parse_roster, render_roster
from swarm_ledger.identity.session import delegate, domain, open_delegation
from swarm_ledger.identity.trust import Trust
from swarm_ledger.identity.tuf import sign_root, sign_roster
from swarm_ledger.signers import KeyStore, Signer, SoftwareP256Signer
from swarm_ledger.signers.p256 import ORDER, from_der, low_s, to_der
from tests.crew import END, FLYING, T0_S, Crew, key


def p256_key(secret: int) -> SoftwareP256Signer:
    return SoftwareP256Signer(ec.derive_private_key(secret, ec.SECP256R1()))


# RFC 6979, A.2.5: with SHA-256, message "sample"
SECRET = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721
X = "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
R = 0xEFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716
S = 0xF7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8
SIGNER = p256_key(SECRET)
GOOD = SIGNER.sign(b"sample")
AAD = domain("test", Kind.SESSION, 1)


def raw(r: int, s: int) -> bytes:
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def test_rfc_6979() -> None:
    assert SIGNER.public_key.hex() == "03" + X
    assert p256.verify(SIGNER.public_key, b"sample", low_s(R, S))
    assert low_s(R, S) == raw(R, ORDER - S) != raw(R, S)
    assert low_s(R, ORDER - S) == low_s(R, S)


def test_der_and_back() -> None:
    assert from_der(to_der(GOOD)) == GOOD


def test_there_is_no_second_form_of_a_signature() -> None:
    r, s = (int.from_bytes(half, "big") for half in (GOOD[:32], GOOD[32:]))
    assert p256.verify(SIGNER.public_key, b"sample", GOOD)
    for other in (
        raw(r, ORDER - s),
        raw(ORDER - r, s),
        raw(0, s),
        raw(r, 0),
        raw(0, 0),
        raw(ORDER, s),
        raw(r, ORDER),
        raw(2**256 - 1, s),
        GOOD[:-1],
        GOOD + b"\0",
        b"",
        to_der(GOOD),
    ):
        assert not p256.verify(SIGNER.public_key, b"sample", other)
    if s + ORDER < 2**256:
        assert not p256.verify(SIGNER.public_key, b"sample", raw(r, s + ORDER))


def test_the_limit_is_half_of_the_order() -> None:
    """The largest s that is taken, and the one above it, told apart by nothing but that rule."""
    seen = []

    class Noted:
        def verify(self, *_: object) -> None:
            seen.append(1)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(p256, "_point", lambda _: Noted())
        assert p256.verify(SIGNER.public_key, b"", raw(1, ORDER // 2))
        assert not p256.verify(SIGNER.public_key, b"", raw(1, ORDER // 2 + 1))
    assert len(seen) == 1


@pytest.mark.parametrize(
    "encoded",
    [
        bytes(33),
        b"\x02" + bytes(32),
        b"\x04" + bytes.fromhex(X),
        b"\x03" + b"\xff" * 32,
        b"\x00" + bytes.fromhex(X),
        bytes.fromhex(X),
        b"",
    ],
)
def test_what_is_no_point_verifies_nothing(encoded: bytes) -> None:
    assert not p256.verify(encoded, b"sample", GOOD)


@settings(max_examples=150)
@given(st.integers(0, 63), st.integers(1, 255), st.binary(max_size=40))
def test_any_change_is_noticed(at: int, flip: int, message: bytes) -> None:
    signature = bytearray(SIGNER.sign(message))
    assert p256.verify(SIGNER.public_key, message, bytes(signature))
    signature[at] ^= flip
    assert not p256.verify(SIGNER.public_key, message, bytes(signature))


# in a roster


def roster_of(signers: dict[str, Signer], operator: Signer) -> bytes:
    members = [
        Member(index, name, signer.public_key, KeyStore.TPM2, FLYING)
        for index, (name, signer) in enumerate(signers.items())
    ]
    signs = frozenset({Role.OPERATOR})
    last = Member(len(members), "operator_1", operator.public_key, KeyStore.SOFTWARE, signs)
    return render_roster("test", 1, [*members, last])


ROOTS: dict[str, Signer] = {
    "drone_1": p256_key(1001),
    "drone_2": key("drone_2"),
    "drone_3": p256_key(1003),
    "drone_4": key("drone_4"),
}
OPERATOR = p256_key(9)
ROSTER = parse_roster(roster_of(ROOTS, OPERATOR))


def test_a_roster_holds_keys_of_both_kinds() -> None:
    assert [len(member.public_key) for member in ROSTER.members] == [33, 32, 33, 32, 33]
    assert render_roster("test", 1, ROSTER.members) == ROSTER.raw
    assert ROSTER.by_kid[cose.kid(OPERATOR.public_key)].name == "operator_1"


def test_a_roster_of_ed25519_keys_is_what_it_always_was() -> None:
    """Ledgers begin with the digest of roster.json: it must not change by a byte."""
    from hashlib import sha256

    assert sha256(Crew().raw_roster).hexdigest().startswith("8ca6627ce01501ce")


@pytest.mark.parametrize(
    "public_key",
    [
        "02" + "00" * 31 + "01",
        "03" + "ff" * 32,
        "04" + X,
        "00" + X,
        "03" + X.upper(),
        "03" + X[4:],
    ],
)
def test_a_key_that_is_no_point_is_refused(public_key: str) -> None:
    spoilt = ROSTER.raw.replace(ROOTS["drone_1"].public_key.hex().encode(), public_key.encode())
    assert spoilt != ROSTER.raw
    with pytest.raises(Misuse, match=r"no point of P-256|not a valid roster"):
        parse_roster(spoilt)


def delegated(name: str, root: Signer | None = None) -> bytes:
    session = key(f"session {name}")
    return delegate(root or ROOTS[name], session, AAD, not_before=T0_S, expires=T0_S + 60)


def reason(raw_token: bytes, roster: Roster = ROSTER) -> str:
    with pytest.raises(PeerFault) as caught:
        open_delegation(raw_token, roster, AAD)
    return caught.value.reason


def test_a_p256_root_key_delegates_to_an_ed25519_session() -> None:
    for name, algorithm in (("drone_1", -7), ("drone_2", -8)):
        token = delegated(name)
        header: dict[int, object] = decode(
            cose.parse1(token, limit=512).protected, dict[int, object], limit=64
        )
        assert header == {1: algorithm, 4: cose.kid(ROOTS[name].public_key)}
        session = open_delegation(token, ROSTER, AAD)
        assert (session.member.name, len(session.public_key)) == (name, 32)


def resigned(token: bytes, header: dict[int, object], signature: bytes | None = None) -> bytes:
    parsed = cose.parse1(token, limit=512)
    parts = [encode(header), {}, parsed.payload, signature or parsed.signature]
    return cose.TAG + encode(parts)


def test_the_algorithm_is_that_of_the_key_and_no_other() -> None:
    for name, claimed in (("drone_1", -8), ("drone_2", -7)):
        kid = cose.kid(ROOTS[name].public_key)
        assert reason(resigned(delegated(name), {1: claimed, 4: kid})) == "wrong_algorithm"
        for unknown in (-35, -36, -47, -37, 5, 0, 1):
            assert reason(resigned(delegated(name), {1: unknown, 4: kid})) == "malformed"


def test_an_ed25519_signature_by_the_same_bytes_does_not_pass_for_es256() -> None:
    """drone_1's key identifier, with a key of the other kind behind it."""

    class Claims:
        algorithm, key_store = key("x").algorithm, key("x").key_store
        public_key = ROOTS["drone_1"].public_key
        sign = staticmethod(key("x").sign)

    assert reason(delegated("drone_1", Claims())) == "wrong_algorithm"  # type: ignore[arg-type]


def test_the_other_form_of_a_delegation_is_refused() -> None:
    token = delegated("drone_1")
    parsed = cose.parse1(token, limit=512)
    r, s = (int.from_bytes(half, "big") for half in (parsed.signature[:32], parsed.signature[32:]))
    header: dict[int, object] = {1: -7, 4: parsed.kid}
    assert resigned(token, header) == token
    assert reason(resigned(token, header, raw(r, ORDER - s))) == "bad_signature"


def test_sessions_stay_ed25519() -> None:
    """A session key of P-256 can't be delegated to: the claim has no place for it."""
    session = p256_key(77)
    token = delegate(ROOTS["drone_1"], session, AAD, not_before=T0_S, expires=T0_S + 60)
    assert reason(token) == "malformed"


def test_an_operator_with_a_p256_key_signs_rosters_and_questions() -> None:
    root = sign_root([OPERATOR], threshold=1, expires=END)
    targets = sign_roster(ROSTER.raw, [OPERATOR], expires=END)
    trust = Trust(root, [(targets, ROSTER.raw)])
    assert trust.genesis.raw == ROSTER.raw
    with pytest.raises(NotVerified):
        Trust(root, [(sign_roster(ROSTER.raw, [p256_key(10)], expires=END), ROSTER.raw)])
    question = encode(Crew().question)
    opened = Opener(ROSTER).open(seal(Kind.QUESTION, question, OPERATOR, ROSTER))
    assert (opened.author.name, opened.payload) == ("operator_1", question)


def test_operators_of_both_kinds_meet_one_threshold() -> None:
    operators: list[Signer] = [OPERATOR, key("op 2")]
    root = sign_root(operators, threshold=2, expires=END)
    both = sign_roster(ROSTER.raw, operators, expires=END)
    assert Trust(root, [(both, ROSTER.raw)]).newest.version == 1
    for one in operators:
        with pytest.raises(NotVerified):
            Trust(root, [(sign_roster(ROSTER.raw, [one], expires=END), ROSTER.raw)])


def test_a_key_may_not_change_its_kind_within_a_place() -> None:
    from swarm_ledger.identity.roster import check_succession

    other = replace(ROSTER.members[0], public_key=key("new").public_key)
    later = parse_roster(render_roster("test", 2, [other, *ROSTER.members[1:]]))
    with pytest.raises(Misuse, match="was not revoked before"):
        check_succession(ROSTER, later)


def test_operators_signatures_have_one_form_too() -> None:
    root = sign_root([OPERATOR], threshold=1, expires=END)
    targets = json.loads(sign_roster(ROSTER.raw, [OPERATOR], expires=END))
    good = bytes.fromhex(targets["signatures"][0]["sig"])
    r, s = decode_dss_signature(good)
    for sig in (
        encode_dss_signature(r, ORDER - s),
        from_der(good),
        good + b"\0",
        good[:-1],
        encode_dss_signature(s, r),
        b"",
    ):
        targets["signatures"][0]["sig"] = sig.hex()
        with pytest.raises(NotVerified):
            Trust(root, [(json.dumps(targets).encode(), ROSTER.raw)])


@pytest.mark.parametrize("public", ["", "-----BEGIN PUBLIC KEY-----", "00" * 32, "not PEM"])
def test_a_root_with_a_key_that_is_none(public: str) -> None:
    metadata = json.loads(sign_root([OPERATOR], threshold=1, expires=END))
    for key_form in metadata["signed"]["keys"].values():
        key_form["keyval"]["public"] = public
    with pytest.raises(NotVerified):
        Trust(json.dumps(metadata).encode(), [])
