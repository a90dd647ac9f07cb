# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Secrets and their shares, and messages under them: any other bytes are refused."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from swarm_ledger.encoding import encode
from swarm_ledger.envelope import Kind
from swarm_ledger.errors import Misuse, PeerFault
from swarm_ledger.identity import secrecy
from swarm_ledger.identity.channel import ChannelKeys
from swarm_ledger.identity.encrypt0 import Cipher, parse0
from swarm_ledger.identity.secrecy import (
    KEPT,
    MAX_SHARES_BYTES,
    Circle,
    KeyId,
    Secret,
    Shares,
    open_share,
    parse_key_id,
    parse_lacking,
    parse_shares,
)

LIMIT = 1 << 22
KEYS = [ChannelKeys(bytes([place]) * 32) for place in range(4)]
MEMBERS = {place: keys.hpke for place, keys in enumerate(KEYS)}
ID = KeyId(1, 0, 1_900_000_000, 7)


@contextmanager
def fault(*reasons: str) -> Iterator[None]:
    with pytest.raises(PeerFault) as caught:
        yield
    assert caught.value.reason in reasons


def names(run: int = 1) -> Iterator[tuple[int, int]]:
    return ((run, number) for number in count())


def draws(seed: bytes) -> Iterator[bytes]:
    return (hashlib.sha256(seed + bytes([number])).digest() for number in count())


def circle(
    me: int, run: int = 1, *, version: int = 1, swarm: str = "test", seed: bytes = b""
) -> Circle:
    drawn = draws(seed or f"{me} {run} {version} {swarm}".encode())
    secret = KEYS[me].hpke_secret
    return Circle(
        swarm, version, me, MEMBERS, secret, names=names(run), draw=lambda size: next(drawn)[:size]
    )


def hand_over(giver: Circle, *takers: Circle) -> None:
    shares = parse_shares(giver.hand_out())
    for taker in takers:
        assert taker.take(giver.me, shares)


def reveal(taker: Circle, raw: bytes) -> bytes:
    message = parse0(raw, limit=LIMIT)
    return taker.reveal(parse_key_id(message.kid), message)


def refused(reason: str, taker: Circle, raw: bytes) -> None:
    with fault(reason):
        reveal(taker, raw)


# messages


@given(st.binary(max_size=300))
def test_whoever_was_handed_the_secret_reads_what_was_said(data: bytes) -> None:
    giver, taker = circle(0), circle(1)
    hand_over(giver, taker)
    for _ in range(3):
        raw = giver.conceal(data)
        assert reveal(taker, raw) == data
        assert len(data) < 16 or data not in raw


@given(st.data())
def test_any_bit_flipped_is_refused(data: st.DataObject) -> None:
    giver, taker = circle(0), circle(1)
    hand_over(giver, taker)
    raw = bytearray(giver.conceal(b"a sealed vote"))
    at = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[at // 8] ^= 1 << at % 8
    with pytest.raises(PeerFault):
        reveal(taker, bytes(raw))


@given(st.integers(0, 80))
def test_what_is_cut_off_is_refused(length: int) -> None:
    giver, taker = circle(0), circle(1)
    hand_over(giver, taker)
    raw = giver.conceal(b"a sealed vote of some length")
    assert length >= len(raw) or raw[:length] != raw
    for cut in (raw[: min(length, len(raw) - 1)], raw + b"\0"):
        with fault("malformed", "bad_tag"):
            reveal(taker, cut)


def test_a_message_is_bound_to_swarm_version_sender_and_secret() -> None:
    """The same secret bytes in another place are another key, and the place is authenticated."""
    secret = bytes(range(32))
    raw = Secret("test", ID, secret).conceal(b"x")
    for swarm, key in (
        ("other", ID),
        ("test", KeyId(2, 0, 1_900_000_000, 7)),
        ("test", KeyId(1, 1, 1_900_000_000, 7)),
        ("test", KeyId(1, 0, 1_900_000_001, 7)),
        ("test", KeyId(1, 0, 1_900_000_000, 8)),
    ):
        with fault("bad_tag"):
            Secret(swarm, key, secret).reveal(parse0(raw, limit=LIMIT))
    assert Secret("test", ID, secret).reveal(parse0(raw, limit=LIMIT)) == b"x"


def test_another_senders_name_on_a_message_is_refused() -> None:
    one, two, taker = circle(0), circle(2), circle(1)
    hand_over(one, taker)
    hand_over(two, taker)
    raw = one.conceal(b"x")
    forged = raw.replace(encode(one.key_id), encode(two.key_id))
    assert forged != raw
    refused("bad_tag", taker, forged)


def test_rfc_9052_and_8439_by_hand() -> None:
    """What another tool would compute from the documents alone."""
    secret = bytes(range(32))
    raw = Secret("test", ID, secret).conceal(b"hello")
    kid = cbor2.dumps([1, 0, 1_900_000_000, 7])
    info = cbor2.dumps(["swarm_ledger/v1 secrecy", "test", kid])
    okm = HKDF(algorithm=SHA256(), length=44, salt=None, info=info).derive(secret)
    protected = cbor2.dumps({1: 24, 4: kid, 6: b"\0"})
    aad = cbor2.dumps(["swarm_ledger/v1 secret", "test", 1, 0])
    bound = cbor2.dumps(["Encrypt0", protected, aad])
    ciphertext = ChaCha20Poly1305(okm[:32]).encrypt(okm[32:], b"hello", bound)
    assert raw == cbor2.dumps(cbor2.CBORTag(16, [protected, {}, ciphertext]))


def test_the_worked_example_of_the_formats_page() -> None:
    page = (Path(__file__).parents[2] / "docs" / "formats.md").read_text()
    secret = Secret("test", KeyId(1, 0, 1_893_456_000, 0), bytes(range(32)))
    secret.conceal(b"")
    said = bytes([Kind.SECRET]) + secret.conceal(bytes.fromhex("10d284"))
    assert f"    secret = {said.hex()}\n" in page


def test_every_message_has_a_nonce_of_its_own() -> None:
    giver = circle(0)
    counts = [parse0(giver.conceal(b""), limit=LIMIT).count for _ in range(300)]
    assert counts == list(range(300))


@pytest.mark.parametrize(
    "header",
    [
        {1: 24, 4: b"\x84\x01\x00\x01\x00", 6: b"\0\0"},
        {1: 24, 4: b"\x84\x01\x00\x01\x00", 6: b""},
        {1: 24, 4: b"\x84\x01\x00\x01\x00", 6: b"\1\0\0\0"},
        {1: 24, 4: b"\x84\x01\x00\x01\x00", 6: 0},
        {1: 3, 4: b"\x84\x01\x00\x01\x00", 6: b"\0"},
        {1: b"\x18", 4: b"\x84\x01\x00\x01\x00", 6: b"\0"},
        {1: 24, 4: 5, 6: b"\0"},
        {1: 24, 4: bytes(33), 6: b"\0"},
        {1: 24, 4: b"\x84\x01\x00\x01\x00"},
        {1: 24, 4: b"\x84\x01\x00\x01\x00", 5: bytes(12)},
        {1: 24, 4: b"\x84\x01\x00\x01\x00", 5: bytes(12), 6: b"\0"},
        {},
    ],
)
def test_other_headers_are_malformed(header: dict[int, object]) -> None:
    raw = b"\xd0" + encode([encode(header), {}, bytes(16)])
    with fault("malformed"):
        parse0(raw, limit=LIMIT)


def test_second_forms_are_malformed() -> None:
    giver, taker = circle(0), circle(1)
    hand_over(giver, taker)
    raw = giver.conceal(b"x")
    protected, _, ciphertext = cbor2.loads(raw[1:])
    assert reveal(taker, raw) == b"x"
    for other in (
        raw[1:],
        b"\xd8\x10" + raw[1:],
        b"\xd2" + raw[1:],
        b"\xd0\x9f" + raw[2:] + b"\xff",
        b"\xd0" + encode([protected, {1: 1}, ciphertext]),
        b"\xd0" + encode([protected, {}, ciphertext, b""]),
        b"\xd0" + encode([protected, {}, ciphertext[:15]]),
        b"\xd0\x83\x58" + bytes([len(protected)]) + raw[3:],
        b"\xd0" + encode([protected.replace(b"\x18\x18", b"\x19\0\x18"), {}, ciphertext]),
    ):
        with fault("malformed"):
            reveal(taker, other)


def test_what_is_oversized_is_refused_before_it_is_parsed() -> None:
    with fault("oversize"):
        parse0(b"\xd0" + bytes(101), limit=100)
    with fault("oversize"):
        parse_shares(bytes(MAX_SHARES_BYTES + 1))
    with fault("oversize"):
        parse_key_id(bytes(33))
    with fault("oversize"):
        parse_lacking(bytes(9))


@given(st.binary(max_size=200))
def test_garbage_is_refused(data: bytes) -> None:
    for parse in (lambda raw: parse0(raw, limit=LIMIT), parse_shares, parse_key_id, parse_lacking):
        for raw in (data, b"\xd0" + data):
            with suppress(PeerFault):
                assert parse(raw)


def test_a_cipher_refuses_what_would_repeat_or_overflow() -> None:
    with pytest.raises(Misuse):
        Cipher(bytes(32), bytes(12)).seal(b"", 1 << 24, b"", b"")
    with pytest.raises(Misuse):
        Cipher(bytes(31), bytes(12))


# wear


def test_a_secret_is_replaced_before_it_is_worn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrecy, "MAX_MESSAGES", 5)
    giver, taker = circle(0), circle(1)
    used: set[tuple[bytes, int]] = set()
    for number in range(23):
        before = giver.key_id
        raw = giver.conceal(b"%d" % number)
        if giver.key_id != before or not number:
            hand_over(giver, taker)
        message = parse0(raw, limit=LIMIT)
        assert (message.kid, message.count) not in used
        used.add((message.kid, message.count))
        assert reveal(taker, raw) == b"%d" % number
    assert len({kid for kid, _ in used}) == 5
    secret = Secret("test", ID, bytes(32))
    for _ in range(5):
        secret.conceal(b"")
    with pytest.raises(Misuse):
        secret.conceal(b"")


def test_many_bytes_wear_a_secret_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrecy, "MAX_BYTES", 1000)
    giver = circle(0)
    kids = {parse0(giver.conceal(bytes(400)), limit=LIMIT).kid for _ in range(9)}
    assert len(kids) == 3


# shares


def test_a_restart_draws_another_secret_and_its_messages_are_read() -> None:
    taker = circle(1)
    first, second = circle(0, 1), circle(0, 2)
    hand_over(first, taker)
    under_way = first.conceal(b"before")
    hand_over(second, taker)
    assert reveal(taker, second.conceal(b"after")) == b"after"
    assert reveal(taker, under_way) == b"before"


def test_an_older_secret_is_not_taken_again() -> None:
    taker, old = circle(1), circle(0, 1)
    replayed = parse_shares(old.hand_out())
    hand_over(circle(0, 2), taker)
    with fault("stale_key"):
        taker.take(0, replayed)
    refused("stale_key", taker, old.conceal(b"x"))
    refused("no_key", taker, circle(0, 3).conceal(b"x"))


def test_the_same_secret_again_is_no_news_and_another_of_that_name_changes_nothing() -> None:
    taker, giver = circle(1), circle(0)
    hand_over(giver, taker)
    assert not taker.take(0, parse_shares(giver.hand_out()))
    assert not taker.take(0, parse_shares(circle(0, seed=b"other").hand_out()))
    assert reveal(taker, giver.conceal(b"x")) == b"x"


def test_few_secrets_of_a_sender_are_kept() -> None:
    taker = circle(1)
    runs = [circle(0, run) for run in range(1, 50)]
    for giver in runs:
        hand_over(giver, taker)
    assert len(taker._held[0]) == KEPT
    for giver in runs[-KEPT:]:
        assert reveal(taker, giver.conceal(b"x")) == b"x"
    refused("stale_key", taker, runs[-KEPT - 1].conceal(b"x"))


def test_a_share_serves_its_receiver_alone() -> None:
    giver, taker, other = circle(0), circle(1), circle(2)
    shares = parse_shares(giver.hand_out([1]))
    assert [place for place, _ in shares.shares] == [1]
    assert not other.take(0, shares)
    stolen = Shares(shares.key, ((2, shares.shares[0][1]),))
    with fault("bad_share"):
        other.take(0, stolen)
    assert taker.take(0, shares)


def test_a_share_passed_on_as_ones_own_is_refused() -> None:
    """Else a member could make others believe that the secret under which it speaks is shared."""
    shares = parse_shares(circle(0).hand_out())
    with fault("malformed"):
        circle(1).take(2, shares)
    passed_off = Shares(KeyId(1, 2, *shares.key.order), shares.shares)
    with fault("bad_share"):
        circle(1).take(2, passed_off)


def test_shares_of_another_version_or_swarm_are_refused() -> None:
    with fault("malformed"):
        circle(1).take(0, parse_shares(circle(0, version=2).hand_out()))
    with fault("bad_share"):
        circle(1).take(0, parse_shares(circle(0, swarm="other").hand_out()))


@given(st.data())
def test_any_bit_flipped_in_a_share_is_refused(data: st.DataObject) -> None:
    shares = parse_shares(circle(0).hand_out([1]))
    share = bytearray(shares.shares[0][1])
    at = data.draw(st.integers(0, len(share) * 8 - 1))
    share[at // 8] ^= 1 << at % 8
    taker = circle(1)
    # Also the bit of the ephemeral key that X25519 itself ignores (RFC 7748, 5).
    with fault("bad_share"):
        taker.take(0, Shares(shares.key, ((1, bytes(share)),)))
    assert taker.take(0, shares)


def test_a_share_of_low_order_or_of_another_length_is_refused() -> None:
    private = X25519PrivateKey.from_private_bytes(KEYS[1].hpke_secret)
    for share in (bytes(80), b"\1" + bytes(79), bytes(79), b""):
        with fault("bad_share"):
            open_share(share, private, "test", ID, 1)


def test_shares_have_one_form() -> None:
    share = bytes(80)
    for shares in (
        [[1, share], [1, share]],
        [[2, share], [1, share]],
        [[1, share + b"\0"]],
        [[1, share[1:]]],
        [[128, share]],
        [[-1, share]],
    ):
        with fault("malformed"):
            parse_shares(encode([[1, 0, 1, 1], shares]))
    for key in ([0, 0, 1, 1], [1, 128, 1, 1], [1, 0, 2**32, 1], [1, 0, 1, 2**32], [1, 0, 1]):
        with fault("malformed"):
            parse_shares(encode([key, []]))
    assert parse_shares(encode([[1, 0, 1, 1], [[1, share], [2, share]]])).key == KeyId(1, 0, 1, 1)


def test_shares_for_the_largest_roster_fit() -> None:
    full = Shares(KeyId(1, 0, 1, 1), tuple((place, bytes(80)) for place in range(128)))
    assert len(encode(full)) <= MAX_SHARES_BYTES
    assert parse_shares(encode(full)) == full


def test_whoever_asks_again_costs_no_more() -> None:
    giver = circle(0)
    assert giver.hand_out() == giver.hand_out()
    assert parse_shares(giver.hand_out([3])).shares[0] in parse_shares(giver.hand_out()).shares
    assert parse_shares(giver.hand_out([0, 77])).shares == ()
