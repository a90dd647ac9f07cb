# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Sealed messages: opened as what they are, by whom they are from, or refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm_ledger.consensus.messages import Status
from swarm_ledger.encoding import digest, encode
from swarm_ledger.envelope import (
    MAX_SESSIONS_PER_MEMBER,
    REMEMBERED_BYTES,
    Kind,
    Opener,
    Verified,
    carry,
    kind_of,
    seal,
)
from swarm_ledger.errors import PeerFault
from swarm_ledger.identity.cose import parse1
from swarm_ledger.identity.session import Session
from tests.crew import DAY_S, T0_S, Crew

STATUS = Status(1, 2, 3)


def reason(opener: Opener, raw: bytes) -> str:
    with pytest.raises(PeerFault) as caught:
        opener.open(raw)
    return caught.value.reason


def test_sealed_and_opened(crew: Crew) -> None:
    raw = crew.vote("drone_2")
    opened = crew.opener().open(raw)
    assert (opened.kind, opened.author.name, opened.raw) == (Kind.VOTE, "drone_2", raw)
    assert opened.payload == encode(crew.observation())
    assert len(raw) - len(opened.payload) < 90


def test_an_operator_signs_with_its_root_key(crew: Crew) -> None:
    opened = crew.opener([]).open(crew.asked())
    assert (opened.author.name, opened.session) == ("operator_1", None)
    opened.check_fresh(0)


def test_a_session_is_fresh_for_its_time(crew: Crew) -> None:
    opened = crew.opener().open(crew.vote("drone_1"))
    for seconds in (-60, DAY_S - 1):
        opened.check_fresh(T0_S + seconds)
    for seconds in (-61, DAY_S):
        with pytest.raises(PeerFault) as caught:
            opened.check_fresh(T0_S + seconds)
        assert caught.value.reason == "stale_session"


def test_without_its_session_a_message_is_unknown(crew: Crew) -> None:
    raw = crew.vote("drone_1")
    opener = crew.opener(["drone_2"])
    assert reason(opener, raw) == "unknown_key"
    opener.add_session(crew.identity("drone_1").delegation)
    assert opener.open(raw).author.name == "drone_1"


def test_what_one_opener_verified_another_takes_only_with_the_session(crew: Crew) -> None:
    shared = Verified()
    knowing, ignorant = Opener(crew.roster, shared), Opener(crew.roster, shared)
    knowing.add_session(crew.identity("drone_1").delegation)
    raw = crew.vote("drone_1")
    knowing.open(raw)
    assert reason(ignorant, raw) == "unknown_key"


def test_a_carried_message_brings_its_session(crew: Crew) -> None:
    drone = crew.identity("drone_3")
    raw = carry(drone.delegation, crew.say("drone_3", STATUS))
    opener = crew.opener([])
    for _ in range(2):
        opened = opener.open(raw)
        assert (opened.kind, opened.author.name) == (Kind.CONSENSUS, "drone_3")
        assert opened.raw == raw
    assert opener.sessions() == ()
    assert reason(opener, crew.say("drone_3", STATUS)) == "unknown_key"


def test_a_carried_message_must_fit_its_delegation(crew: Crew) -> None:
    opener, said = crew.opener(), crew.say("drone_3", STATUS)
    other, own = crew.identity("drone_2").delegation, crew.identity("drone_3").delegation
    watcher = crew.identity("watcher").delegation
    assert reason(opener, carry(other, said)) == "unknown_key"
    assert reason(opener, carry(own, crew.vote("drone_3"))) == "malformed"
    assert reason(opener, carry(own, carry(own, said))) == "malformed"
    assert reason(opener, carry(said, said)) == "malformed"
    assert reason(opener, carry(own, crew.asked())) == "malformed"
    assert reason(opener, carry(b"", b"")) == "malformed"
    assert reason(opener, carry(watcher, crew.say("watcher", STATUS))) == "wrong_role"
    assert reason(opener, carry(own[:-1] + b"\0", said)) == "bad_signature"
    assert reason(opener, carry(own, said[:-1] + b"\0")) == "bad_signature"
    assert reason(opener, carry(own, said) + b"\0") == "malformed"


def test_a_member_may_renew_a_session_but_nobody_shorten_it(crew: Crew) -> None:
    opener = crew.opener([])
    short = crew.identity("drone_1", seconds=100).delegation
    opener.add_session(short)
    opener.add_session(crew.identity("drone_1", seconds=200).delegation)
    opener.add_session(short)  # replayed
    (session,) = opener.sessions()
    assert session.expires == T0_S + 200
    opened = opener.open(crew.vote("drone_1"))
    opened.check_fresh(T0_S + 150)


def test_sessions_are_bounded_and_never_forgotten(crew: Crew) -> None:
    opener = crew.opener([])
    for number in range(MAX_SESSIONS_PER_MEMBER):
        opener.add_session(crew.identity("drone_1", number).delegation)
    with pytest.raises(PeerFault) as caught:
        opener.add_session(crew.identity("drone_1", MAX_SESSIONS_PER_MEMBER).delegation)
    assert caught.value.reason == "too_many_sessions"
    opener.add_session(crew.identity("drone_1", 7).delegation)
    opener.add_session(crew.identity("drone_2").delegation)
    assert opener.open(crew.vote("drone_1", session=0)).author.name == "drone_1"
    member = crew.roster.named("drone_1")
    assert len(opener.sessions_of(member)) == MAX_SESSIONS_PER_MEMBER
    assert opener.knows(member, crew.identity("drone_1", 7).session_kid)
    assert not opener.knows(member, crew.identity("drone_2").session_kid)


@pytest.mark.parametrize("first", [b"", b"\0", b"\x0e", b"\x0f", b"\x1d", b"\xff"])
def test_unknown_kinds(crew: Crew, first: bytes) -> None:
    with pytest.raises(PeerFault):
        kind_of(first)
    assert reason(crew.opener(), first + crew.vote("drone_1")[1:]) == "malformed"


@pytest.mark.parametrize("kind", [Kind.SESSION, Kind.EVIDENCE, Kind.GENESIS, Kind.BLOCK])
def test_kinds_that_nobody_seals(crew: Crew, kind: Kind) -> None:
    assert reason(crew.opener(), seal(kind, b"", crew.session("drone_1"), crew.roster)) == (
        "malformed"
    )


def test_memory_is_bounded(crew: Crew) -> None:
    verified = Verified(size=3)
    opener = Opener(crew.roster, verified)
    opener.add_session(crew.identity("drone_1").delegation)
    raws = [crew.say("drone_1", Status(0, seq, 0)) for seq in range(5)]
    opened = [opener.open(raw) for raw in raws]
    kept = [verified.get(digest(raw)) for raw in raws]
    assert kept == [None, None, *opened[2:]]
    large = seal(Kind.CONSENSUS, bytes(REMEMBERED_BYTES), crew.session("drone_1"), crew.roster)
    opener.open(large)
    assert verified.get(digest(large)) is None


def test_a_delegation_is_verified_once_and_what_is_none_each_time(crew: Crew) -> None:
    asked: list[bytes] = []

    def verified_as(raw: bytes) -> Session:
        asked.append(raw)
        return Opener(crew.roster).delegated(raw)

    verified = Verified(size=2)
    names = ("drone_1", "drone_1", "drone_2", "drone_3", "drone_1")
    for raw in (crew.identity(name).delegation for name in names):
        found = verified.session(raw, lambda raw=raw: verified_as(raw))
        assert found.raw == raw[1:]
    assert len(asked) == 4, "one was known, and one was forgotten again"
    cut = crew.identity("drone_1").delegation[:-1]
    for _ in range(2):
        with pytest.raises(PeerFault):
            verified.session(cut, lambda: verified_as(cut))
    assert asked[-2:] == [cut, cut]


CREW = Crew()
REAL = [
    CREW.vote("drone_1"),
    CREW.asked(),
    CREW.say("drone_1", STATUS),
    carry(CREW.identity("drone_1").delegation, CREW.say("drone_1", STATUS)),
]


@given(st.binary(max_size=400), st.integers(0, 40))
def test_random_bytes_are_a_peers_fault(data: bytes, first: int) -> None:
    opener = CREW.opener()
    for raw in (data, bytes([first]) + data, bytes([first]) + b"\xd2" + data):
        with pytest.raises(PeerFault):
            opener.open(raw)


@given(st.sampled_from(REAL), st.integers(0, 10_000), st.integers(1, 255))
def test_any_changed_byte_is_noticed(raw: bytes, at: int, flip: int) -> None:
    changed = bytearray(raw)
    changed[at % len(raw)] ^= flip
    opener = CREW.opener()
    with pytest.raises(PeerFault):
        opener.open(bytes(changed))


@given(st.sampled_from(REAL), st.integers(0, 10_000))
def test_cut_messages_are_refused(raw: bytes, at: int) -> None:
    with pytest.raises(PeerFault):
        CREW.opener().open(raw[: at % len(raw)])


def test_the_header_is_the_smallest(crew: Crew) -> None:
    token = parse1(crew.vote("drone_1")[1:], limit=1000)
    assert token.protected == bytes.fromhex("a2 01 27 04 48") + token.kid
