# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Attacks on relayed messages: each refused, counted under its reason, and never taken twice."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from swarm_ledger.encoding import decode, digest, encode
from swarm_ledger.envelope import Kind, Opener, carry, seal
from swarm_ledger.errors import PeerFault
from swarm_ledger.ledger.merkle import node_hash
from swarm_ledger.relay.sender import Credentials, Sender
from swarm_ledger.relay.statement import (
    MAX_DATA_BYTES,
    MAX_SEALED_BYTES,
    NUMBER_BITS,
    Notarised,
    Statement,
    Windowed,
    split_delegation,
    with_delegation,
)
from swarm_ledger.relay.verifier import MAX_TOPICS_PER_MEMBER, Limits, Receiver, Refused
from swarm_ledger.runtime.doorman import Doorman
from swarm_ledger.runtime.machine import read_request
from tests.crew import DAY_S, T0_S, Crew, key
from tests.relayed import DATA, HASH, LATER_US, ODOM, ODOMETRY, receiver, sender, signed, windowed

CREW = Crew(5)
OTHERS = Crew(swarm="other")
NEXT = CREW.changed(CREW.roster, revoke=["drone_2"]).roster
HONEST = signed(sender(CREW))
HONEST_WINDOW = windowed(sender(CREW), 5)
GENUINE = {"single": HONEST, "windowed": HONEST_WINDOW[2]}


def refused(message: Notarised, by: Receiver | None = None, now_us: int = LATER_US) -> Refused:
    """Return why it isn't taken, and that it is counted so."""
    by = by or receiver(CREW)
    before = by.rejections.total()
    with pytest.raises(Refused) as caught:
        by.take(message, now_us)
    assert by.rejections.total() == before + 1
    assert by.rejections[caught.value.reason, caught.value.signer] >= 1
    return caught.value


def by_root(name: str, kind: Kind = Kind.RELAYED) -> bytes:
    statement = signed(sender(CREW)).statement()
    return seal(kind, encode(statement), CREW.root(name), CREW.roster)


def observer() -> Sender:
    identity = CREW.identity("watcher")
    credentials = Credentials(identity.roster, identity.session, identity.delegation)
    return Sender(credentials, lambda: 1, announce_us=0)


def forger() -> Sender:
    """It has another drone's delegation, and not the key."""
    identity = CREW.identity("drone_1")
    credentials = Credentials(identity.roster, key("stranger"), identity.delegation)
    return Sender(credentials, lambda: 1, announce_us=0)


def rewindowed(message: Notarised, **changes: object) -> Notarised:
    delegation, tied = split_delegation(message.sealed)
    window: Windowed = decode(tied[1:], Windowed, limit=MAX_SEALED_BYTES)
    fields = {"window": window.window, "index": window.index, "path": list(window.path)}
    sealed = bytes([Kind.WINDOWED]) + encode(list((fields | changes).values()))
    return replace(message, sealed=with_delegation(delegation, sealed))


def other_kind(kind: Kind) -> Notarised:
    """Return a message whose signature is over the same bytes, as another kind."""
    identity = CREW.identity("drone_1")
    sealed = identity.seal(kind, encode(HONEST.statement()))
    return replace(HONEST, sealed=with_delegation(identity.delegation, sealed))


W = HONEST_WINDOW[2]
IDENTITY = CREW.identity("drone_1")

FORGED: dict[str, tuple[Callable[[], Notarised], str, str]] = {
    "other data": (lambda: replace(HONEST, data=DATA), "mismatch", "drone_1"),
    "no data": (lambda: replace(HONEST, data=b""), "mismatch", "drone_1"),
    "other topic": (lambda: replace(HONEST, topic="/drone_2/odom"), "mismatch", "drone_1"),
    "other type": (lambda: replace(HONEST, type_name="std_msgs/msg/Int8"), "mismatch", "drone_1"),
    "no type hash": (lambda: replace(HONEST, type_hash=""), "mismatch", "drone_1"),
    "later number": (lambda: replace(HONEST, sequence=HONEST.sequence + 1), "mismatch", "drone_1"),
    "later stamp": (lambda: replace(HONEST, stamp_us=LATER_US + 1), "mismatch", "drone_1"),
    "other data in a window": (lambda: replace(W, data=DATA), "bad_path", "drone_1"),
    "other topic in a window": (lambda: replace(W, topic="/a"), "bad_path", "drone_1"),
    "neighbour's place": (lambda: rewindowed(W, index=3), "bad_path", "drone_1"),
    "place outside": (lambda: rewindowed(W, index=5), "bad_path", "drone_1"),
    "short path": (lambda: rewindowed(W, path=[]), "bad_path", "drone_1"),
    "long path": (lambda: rewindowed(W, path=[bytes(32)] * 8), "bad_path", "drone_1"),
    "path beyond all": (lambda: rewindowed(W, path=[bytes(32)] * 9), "malformed", ""),
    "hash of 31 bytes": (lambda: rewindowed(W, path=[bytes(31)]), "malformed", ""),
    "window in a window": (
        lambda: rewindowed(W, window=split_delegation(W.sealed)[1]),
        "malformed",
        "",
    ),
    "statement as window": (
        lambda: rewindowed(W, window=split_delegation(HONEST.sealed)[1]),
        "malformed",
        "",
    ),
    "window as statement": (
        lambda: replace(HONEST, sealed=with_delegation(IDENTITY.delegation, IDENTITY.seal(
            Kind.WINDOW, encode(HONEST.statement())))),
        "malformed",
        "",
    ),
    "signed as a vote": (lambda: other_kind(Kind.VOTE), "malformed", ""),
    "signed as consensus": (lambda: other_kind(Kind.CONSENSUS), "malformed", ""),
    "a vote's signature, relabelled": (
        lambda: replace(
            HONEST, sealed=with_delegation(
                IDENTITY.delegation,
                bytes([Kind.RELAYED]) + IDENTITY.seal(Kind.VOTE, encode(HONEST.statement()))[1:],
            ),
        ),
        "bad_signature",
        "",
    ),
    "other epoch": (lambda: replace(HONEST, epoch=2), "other_epoch", ""),
    "other swarm": (lambda: replace(HONEST, swarm_id="other"), "other_swarm", ""),
    "another swarm's": (lambda: signed(sender(OTHERS)), "other_swarm", ""),
    "another swarm's, relabelled": (
        lambda: replace(signed(sender(OTHERS)), swarm_id="test"),
        "not_a_member",
        "",
    ),
    "unknown signer": (
        lambda: replace(HONEST, sealed=seal(
            Kind.RELAYED, encode(HONEST.statement()), key("stranger"), CREW.roster)),
        "unknown_key",
        "",
    ),
    "delegation of another": (
        lambda: replace(signed(sender(CREW, "drone_2")), sealed=with_delegation(
            CREW.identity("drone_1").delegation,
            split_delegation(signed(sender(CREW, "drone_2")).sealed)[1])),
        "unknown_key",
        "",
    ),
    "forged with the delegation of another": (lambda: signed(forger()), "unknown_key", ""),
    "observer": (lambda: signed(observer()), "wrong_role", ""),
    "observer's window": (lambda: windowed(observer(), 3)[1], "wrong_role", ""),
    "operator": (lambda: replace(HONEST, sealed=by_root("operator_1")), "wrong_role", ""),
    "root key": (lambda: replace(HONEST, sealed=by_root("drone_1")), "unknown_key", ""),
    "no signature": (lambda: replace(HONEST, sealed=b""), "malformed", ""),
    "only a delegation": (lambda: replace(HONEST, sealed=IDENTITY.delegation), "malformed", ""),
    "delegations in one another": (
        lambda: replace(HONEST, sealed=with_delegation(IDENTITY.delegation, HONEST.sealed)),
        "malformed",
        "",
    ),
    "oversize signature": (
        lambda: replace(HONEST, sealed=bytes(MAX_SEALED_BYTES + 1)),
        "oversize",
        "",
    ),
    "oversize data": (lambda: replace(HONEST, data=bytes(MAX_DATA_BYTES + 1)), "oversize", ""),
    "negative stamp": (lambda: replace(HONEST, stamp_us=-1), "stale", "drone_1"),
    "number of 64 bits": (lambda: replace(HONEST, sequence=2**64 - 1), "malformed", "drone_1"),
    "no topic": (lambda: replace(HONEST, topic=""), "malformed", "drone_1"),
    "text that is no text": (lambda: replace(HONEST, topic="/\ud800"), "malformed", "drone_1"),
}  # fmt: skip


@pytest.mark.parametrize("attack", FORGED)
def test_forged(attack: str) -> None:
    make, reason, signer = FORGED[attack]
    fault = refused(make())
    assert (fault.reason, fault.signer) == (reason, signer)
    assert fault.what


@pytest.mark.parametrize("form", GENUINE)
def test_what_is_forged_leaves_the_honest_one_welcome(form: str) -> None:
    """An attacker hears a message first, and sends its signature with other data ahead of it."""
    message, by = GENUINE[form], receiver(CREW)
    refused(replace(message, data=message.data + b"!"), by)
    by.take(message, LATER_US)
    assert refused(message, by).reason == "replayed"


@settings(max_examples=400)
@given(
    form=st.sampled_from(sorted(GENUINE)),
    field=st.sampled_from(["topic", "type_name", "type_hash", "data", "sealed", "swarm_id"]),
    place=st.integers(0, 10_000),
    bit=st.integers(0, 7),
)
def test_no_bit_can_be_changed(form: str, field: str, place: int, bit: int) -> None:
    message = GENUINE[form]
    old = getattr(message, field)
    raw = bytearray(old.encode() if isinstance(old, str) else old)
    raw[place % len(raw)] ^= 1 << bit
    changed = raw.decode("utf-8", "surrogateescape") if isinstance(old, str) else bytes(raw)
    refused(replace(message, **{field: changed}))


@pytest.mark.parametrize("form", GENUINE)
@pytest.mark.parametrize("field", ["sequence", "stamp_us", "epoch"])
def test_no_bit_of_a_number_can_be_changed(form: str, field: str) -> None:
    for bit in range(64 if field == "sequence" else 32):
        message = GENUINE[form]
        refused(replace(message, **{field: getattr(message, field) ^ (1 << bit)}))


@settings(max_examples=200)
@given(sealed=st.binary(max_size=300), kind=st.sampled_from([0x11, 0x13, 0x14, 0x15, 0]))
def test_garbage_is_refused(sealed: bytes, kind: int) -> None:
    fault = refused(replace(HONEST, sealed=bytes([kind]) + sealed))
    assert fault.reason in ("malformed", "not_a_member", "unknown_key")


@pytest.mark.parametrize("form", GENUINE)
def test_replayed(form: str) -> None:
    by, message = receiver(CREW), GENUINE[form]
    by.take(message, LATER_US)
    for _ in range(3):
        assert refused(message, by).reason == "replayed"
    bare = replace(message, sealed=split_delegation(message.sealed)[1])
    assert refused(bare, by).reason == "replayed"
    assert by.rejections == {("replayed", "drone_1"): 4}


def test_said_singly_and_again_in_a_window() -> None:
    """One number is one message, in whichever form."""
    by = receiver(CREW)
    by.take(HONEST_WINDOW[0], LATER_US)
    assert HONEST.sequence == HONEST_WINDOW[0].sequence
    assert refused(HONEST, by).reason == "replayed"


def test_overtaken_within_the_window_and_beyond() -> None:
    limits, by = Limits(reorder=64), sender(CREW)
    messages = [signed(by, number) for number in range(70)]
    taken_by = receiver(CREW, limits)
    taken_by.take(messages[69], LATER_US)
    for at in (68, 6, 40):
        taken_by.take(messages[at], LATER_US)
    assert refused(messages[5], taken_by).reason == "too_late"
    assert refused(messages[40], taken_by).reason == "replayed"


@pytest.mark.parametrize("form", GENUINE)
@pytest.mark.parametrize(
    ("offset_us", "reason"),
    [(2_000_001, "stale"), (60_000_000, "stale"), (-500_001, "future"), (-60_000_000, "future")],
)
def test_out_of_time(form: str, offset_us: int, reason: str) -> None:
    slow = receiver(CREW)
    slow._floor_us = 0
    assert refused(GENUINE[form], slow, LATER_US + offset_us).reason == reason


@pytest.mark.parametrize("offset_us", [2_000_000, -500_000])
def test_just_in_time(offset_us: int) -> None:
    receiver(CREW).take(HONEST, LATER_US + offset_us)


@pytest.mark.parametrize("seconds", [-61, DAY_S, 30 * DAY_S])
def test_session_that_is_over_or_not_begun(seconds: int) -> None:
    now_us = (T0_S + seconds) * 1_000_000
    by = Receiver(CREW.roster, Limits(), now_us - 10_000_000)
    fault = refused(signed(sender(CREW), now_us=now_us), by, now_us)
    assert (fault.reason, fault.signer) == ("stale_session", "drone_1")


def test_session_that_is_over_as_it_arrives() -> None:
    """A thief of the key can stamp as it likes, and still has no time after the session's end."""
    end_us = (T0_S + DAY_S) * 1_000_000
    by = Receiver(CREW.roster, Limits(), end_us - 10_000_000)
    message = signed(sender(CREW), now_us=end_us - 1)
    assert refused(message, by, end_us + 1).reason == "stale_session"


def test_revoked_in_flight() -> None:
    """From the new epoch on, neither old messages count nor the one who left."""
    by = receiver(CREW)
    speaker = sender(CREW)
    by.take(signed(speaker), LATER_US)
    signed(speaker)
    by.take(signed(speaker), LATER_US)
    assert by.lost("drone_1") == 1
    by.enter(NEXT)
    assert (by.lost("drone_1"), by.heard) == (0, {})
    assert refused(signed(sender(CREW)), by).reason == "other_epoch"
    assert refused(replace(HONEST, epoch=NEXT.version), by).reason == "bad_signature"
    staying = CREW.identity("drone_1", roster=NEXT)
    credentials = Credentials(NEXT, staying.session, staying.delegation)
    by.take(signed(Sender(credentials, lambda: 9, announce_us=0)), LATER_US)
    gone = CREW.identity("drone_2", roster=NEXT)
    credentials = Credentials(NEXT, gone.session, gone.delegation)
    message = signed(Sender(credentials, lambda: 9, announce_us=0))
    assert refused(message, by).reason == "not_a_member"


def test_a_member_cannot_fill_our_memory() -> None:
    by, taken_by = sender(CREW), receiver(CREW)
    for number in range(MAX_TOPICS_PER_MEMBER):
        taken_by.take(signed(by, topic=f"/t{number}"), LATER_US)
    for number in range(3):
        assert refused(signed(by, topic=f"/u{number}"), taken_by).reason == "overload"
    taken_by.take(signed(by, topic="/t7"), LATER_US)
    taken_by.take(signed(sender(CREW, "drone_2")), LATER_US)


def test_a_session_that_is_over_takes_no_memory() -> None:
    """A drone may have other topics under its next session, without end."""
    end_us = (T0_S + DAY_S) * 1_000_000
    taken_by = Receiver(CREW.roster, Limits(), end_us - 10_000_000)
    by = sender(CREW)
    for number in range(MAX_TOPICS_PER_MEMBER):
        taken_by.take(signed(by, topic=f"/t{number}", now_us=end_us - 1), end_us - 1)
    identity = CREW.identity("drone_1", 1, seconds=2 * DAY_S)
    by.change(Credentials(identity.roster, identity.session, identity.delegation))
    fault = refused(signed(by, topic="/u", now_us=end_us - 1), taken_by, end_us - 1)
    assert fault.reason == "overload"
    taken_by.take(signed(by, topic="/u", now_us=end_us), end_us)
    assert len(taken_by._streams["drone_1"]) == 1


def test_a_number_that_no_run_has() -> None:
    """Zero is none: it would be a second way to say that nothing was lost."""
    fields = {"sequence": 5 << NUMBER_BITS}
    said = msgspec.structs.replace(HONEST.statement(), **fields)
    sealed = with_delegation(IDENTITY.delegation, IDENTITY.seal(Kind.RELAYED, encode(said)))
    assert refused(replace(HONEST, sealed=sealed, **fields)).reason == "malformed"


def test_a_flood_counts_in_bounded_memory() -> None:
    by = receiver(CREW)
    for number in range(2_000):
        refused(replace(HONEST, sealed=number.to_bytes(8, "big")), by)
        refused(replace(HONEST, topic=f"/t{number}"), by)
    assert by.rejections == {("malformed", ""): 2_000, ("mismatch", "drone_1"): 2_000}


def test_data_is_not_hashed_for_a_replay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four megabytes of anything behind an old signature cost no digest."""
    by = receiver(CREW)
    by.take(HONEST, LATER_US)

    def forbidden(_: object) -> Statement:
        raise AssertionError("the data was hashed")

    monkeypatch.setattr(Notarised, "statement", forbidden)
    assert refused(replace(HONEST, data=bytes(MAX_DATA_BYTES)), by).reason == "replayed"


def test_a_node_of_the_tree_is_no_statement() -> None:
    """Leaves and inner nodes are hashed apart, so that a window has no second meaning."""
    left, right = (message.statement().leaf for message in HONEST_WINDOW[:2])
    assert node_hash(left, right) != digest(b"\x00" + left + right)
    short = rewindowed(HONEST_WINDOW[0], path=[])
    assert refused(short).reason == "bad_path"


@pytest.mark.parametrize("form", GENUINE)
def test_drones_take_no_relayed_message_for_one_of_theirs(form: str) -> None:
    """The same session signs votes and consensus, in domains of their own."""
    doorman = Doorman(Opener(CREW.roster))
    doorman.ledger.add_session(IDENTITY.delegation)
    carried = GENUINE[form].sealed
    delegation, bare = split_delegation(carried)
    for raw in (carried, bare, carry(delegation, bare)):
        with pytest.raises(PeerFault):
            doorman.open_consensus(raw)
        with pytest.raises(PeerFault):
            read_request(doorman.open(raw))


def test_reasons_name_types_and_hash_kept() -> None:
    """The honest messages above are honest: all else follows from that."""
    for message in (HONEST, *HONEST_WINDOW):
        said = receiver(CREW).take(message, LATER_US).statement
        assert (said.type_name, said.type_hash) == (ODOMETRY, HASH)
        assert said.topic == ODOM
