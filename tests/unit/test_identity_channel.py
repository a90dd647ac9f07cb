# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Channel keys: two keys from one secret in a file, their place in rosters and requests."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import zmq.utils.z85 as z85
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from zmq import curve_public

from swarm_ledger.encoding import encode
from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.identity import cose, edits
from swarm_ledger.identity.channel import CHANNEL, ChannelKeys, ChannelPublic, beside
from swarm_ledger.identity.enrolment import make_request, open_request
from swarm_ledger.identity.roster import (
    FLYING,
    Member,
    Role,
    Roster,
    check_succession,
    parse_roster,
    render_roster,
)
from tests.crew import Crew, key

CREW = Crew()
KEYS = ChannelKeys(bytes(32))
LOW_ORDER = (
    bytes(32),
    (1).to_bytes(32, "little"),
    (2**255 - 20).to_bytes(32, "little"),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
)


def channel(name: str) -> ChannelPublic:
    return ChannelKeys(key(f"channel {name}").public_key).public


def with_channels(version: int = 1, **other: ChannelPublic | None) -> Roster:
    """The crew's roster, whose drones all have channel keys, some others than those by name."""
    members = [
        replace(member, channel=other.get(member.name, channel(member.name)))
        if Role.VALIDATOR in member.roles
        else member
        for member in CREW.roster.members
    ]
    return parse_roster(render_roster("test", version, members))


def form_of(roster: Roster, place: int, **changes: Any) -> bytes:
    form = json.loads(roster.raw)
    for name, value in changes.items():
        if value is None:
            del form["members"][place][name]
        else:
            form["members"][place][name] = value
    return json.dumps(form).encode()


def test_two_keys_that_have_nothing_in_common() -> None:
    secrets = KEYS.curve_secret, KEYS.hpke_secret
    assert len({*secrets, bytes(32), KEYS.curve, KEYS.hpke}) == 5
    for secret, public in zip(secrets, (KEYS.curve, KEYS.hpke), strict=True):
        assert (
            X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw() == public
        )
    assert z85.decode(curve_public(z85.encode(KEYS.curve_secret))) == KEYS.curve
    # HKDF-SHA256 (RFC 5869) with the labels, worked out with hmac and hashlib alone.
    assert KEYS.curve_secret.hex() == hkdf(bytes(32), b"swarm_ledger/v1 curve")
    assert KEYS.hpke_secret.hex() == hkdf(bytes(32), b"swarm_ledger/v1 hpke")
    assert KEYS.curve_secret.hex() not in repr(KEYS)
    with pytest.raises(Misuse, match="come from 32 bytes"):
        ChannelKeys(bytes(31))


def hkdf(secret: bytes, info: bytes) -> str:
    first = hmac.new(bytes(32), secret, hashlib.sha256).digest()
    return hmac.new(first, info + b"\1", hashlib.sha256).hexdigest()


def test_made_once_and_kept(tmp_path: Path) -> None:
    path = tmp_path / CHANNEL
    made = ChannelKeys.load_or_make(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [path] == list(tmp_path.iterdir())
    assert ChannelKeys.load_or_make(path).public == ChannelKeys.load(path).public == made.public
    with pytest.raises(Misuse, match="never overwritten"):
        KEYS.save(path)
    assert [path] == list(tmp_path.iterdir())
    assert ChannelKeys.load(path).public == made.public
    with pytest.raises(Misuse, match="cannot write the channel keys"):
        ChannelKeys.load_or_make(tmp_path / "none" / CHANNEL)
    with pytest.raises(Misuse, match="there are no channel keys"):
        ChannelKeys.load(tmp_path / "none")


def test_files_that_hold_none(tmp_path: Path) -> None:
    path = tmp_path / CHANNEL
    KEYS.save(path)
    good = path.read_bytes()
    for bad in (
        b"",
        good[:-1],
        good + b"\0",
        bytes(32),
        good.replace(b"channel", b"Channel"),
        encode(["swarm_ledger/v1 channel", bytes(31)]),
        b"x" * 5_000,
    ):
        path.write_bytes(bad)
        with pytest.raises(Misuse, match="no channel keys, or is damaged") as caught:
            ChannelKeys.load_or_make(path)
        assert "roster request" in caught.value.remedy
    path.write_bytes(good)
    path.chmod(0o640)
    with pytest.raises(Misuse, match="others may read") as caught:
        ChannelKeys.load(path)
    assert "chmod 600" in caught.value.remedy


def test_where_they_are_by_default() -> None:
    assert beside("file:drone_1/key.pem") == Path("drone_1") / CHANNEL
    assert beside("file:key.pem?passphrase=env:X") == Path(CHANNEL)
    assert beside("pkcs11:token=a;object=b") == beside("tpm2:0x81000001") == Path(CHANNEL)


@pytest.mark.parametrize("bad", LOW_ORDER)
def test_points_that_everybody_shares_a_secret_with(bad: bytes) -> None:
    for pair in ((bad, KEYS.hpke), (KEYS.curve, bad)):
        with pytest.raises(Misuse, match="low order"):
            ChannelPublic(*pair)


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        KEYS.curve[:31],
        KEYS.curve + b"\0",
        KEYS.curve[:31] + bytes([KEYS.curve[31] | 0x80]),
        (2**255 - 19 + 9).to_bytes(32, "little"),
        b"\xff" * 32,
    ],
)
def test_points_have_one_encoding(bad: bytes) -> None:
    with pytest.raises(Misuse, match="no X25519 public key"):
        ChannelPublic(bad, KEYS.hpke)


def test_rosters_carry_them() -> None:
    roster = with_channels()
    assert roster.has_channels
    assert not CREW.roster.has_channels
    assert roster.named("drone_2").channel == channel("drone_2")
    assert roster.named("operator_1").channel is None
    assert b"curve" not in CREW.raw_roster
    assert parse_roster(roster.raw).members == roster.members


def test_rosters_that_are_none() -> None:
    roster = with_channels()
    one, two = channel("drone_1"), channel("drone_2")
    for raw, said in (
        (form_of(roster, 0, curve=None), "not both"),
        (form_of(roster, 0, hpke=None), "not both"),
        (form_of(roster, 0, curve=None, hpke=None), "drone_1 have no channel keys"),
        (form_of(CREW.roster, 0, curve="", hpke=""), "not a valid roster"),
        (form_of(CREW.roster, 0, curve="AB" * 32, hpke="ab" * 32), "not a valid roster"),
        (form_of(CREW.roster, 0, curve=one.curve.hex(), hpke=one.hpke.hex()), "no channel keys"),
        (form_of(roster, 0, curve=two.curve.hex()), "channel key .* stands twice"),
        (form_of(roster, 0, hpke=two.hpke.hex()), "channel key .* stands twice"),
        (form_of(roster, 0, hpke=two.curve.hex()), "channel key .* stands twice"),
        (form_of(roster, 0, hpke=one.curve.hex()), "channel key .* stands twice"),
        (form_of(roster, 0, curve="00" * 32), "drone_1 has a bad key: 0000.* low order"),
        (form_of(roster, 0, hpke="ff" * 32), "drone_1 has a bad key: ffff.* no X25519"),
    ):
        with pytest.raises(Misuse, match=said):
            parse_roster(raw)
    first, *others = roster.members
    gone = replace(first, roles=frozenset(), name="gone")
    place = len(roster.members)
    fresh = replace(first, index=place, public_key=key("fresh").public_key)
    again = render_roster("test", 2, [gone, *others, fresh])
    assert parse_roster(again).members[place].channel == one, (
        "a revoked member's stand for nothing"
    )


def test_who_only_watches_needs_none() -> None:
    roster = with_channels()
    watcher = roster.named("watcher")
    assert watcher.channel is None
    members = list(roster.members)
    members[watcher.index] = replace(watcher, channel=channel("watcher"))
    assert parse_roster(render_roster("test", 1, members)).has_channels
    members = list(CREW.roster.members)
    members[watcher.index] = replace(watcher, channel=channel("watcher"))
    assert not parse_roster(render_roster("test", 1, members)).has_channels


def test_they_come_change_and_go_with_versions() -> None:
    plain = parse_roster(render_roster("test", 2, CREW.roster.members))
    check_succession(CREW.roster, with_channels(2))
    check_succession(with_channels(), with_channels(2, drone_3=channel("other")))
    check_succession(with_channels(), plain)


def test_requests_carry_them() -> None:
    text = make_request(key("x"), "test", "drone_1", KEYS.public)
    request = open_request(text, "test")
    assert request.channel == KEYS.public
    assert open_request(make_request(key("x"), "test", "drone_1"), "test").channel is None
    head, body = text.split(b" ")
    tampered = base64.b64decode(body).replace(KEYS.curve, channel("thief").curve)
    with pytest.raises(NotVerified, match="signature"):
        open_request(head + b" " + base64.b64encode(tampered), "test")


@pytest.mark.parametrize(
    "more", [[KEYS.curve], [KEYS.curve, bytes(32)], [KEYS.curve, b""], [KEYS.curve, KEYS.hpke, 1]]
)
def test_requests_that_are_none(more: list[object]) -> None:
    signer = key("x")
    payload = encode(["test", "drone_1", signer.public_key, signer.key_store, *more])
    domain = encode(["swarm_ledger/v1 enrolment", "test"])
    line = b"swarm_ledger/request/v1 " + base64.b64encode(cose.sign1(signer, payload, domain))
    with pytest.raises(NotVerified):
        open_request(line, "test")


def asked(name: str, channel: ChannelPublic | None, of: str = "") -> Any:
    signer = CREW.root(of or name)
    return open_request(make_request(signer, "test", name, channel), "test")


def test_operators_edit_them() -> None:
    members = list(with_channels().members)
    changed = edits.channel(members, [asked("drone_1", KEYS.public)])
    assert changed[0].channel == KEYS.public
    assert edits.channel(members, [asked("drone_1", None)])[0].channel is None
    for request, said in (
        (asked("drone_2", KEYS.public, of="drone_1"), "that key is drone_1's"),
        (asked("drone_9", KEYS.public), "no member is called"),
        (asked("operator_1", KEYS.public), "operators have no links"),
    ):
        with pytest.raises(Misuse, match=said):
            edits.channel(members, [request])
    flying, signing = FLYING, frozenset({Role.OPERATOR})
    enrolled: list[Member] = edits.enrol(None, [], asked("drone_1", KEYS.public), flying)
    assert enrolled[0].channel == KEYS.public
    assert edits.enrol(None, [], asked("bob", KEYS.public), signing)[0].channel is None
    assert edits.revoke(enrolled, ["drone_1"])[0].channel is None
