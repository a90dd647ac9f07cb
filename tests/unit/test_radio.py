# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Short forms, the station that sends them, the channel, and the times that follow from it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm_ledger.consensus.messages import (
    Batch,
    Checkpoint,
    Commit,
    Committed,
    Fetch,
    NewView,
    Prepare,
    Prepared,
    PrePrepare,
    Status,
    ViewChange,
    Want,
)
from swarm_ledger.consensus.settings import Settings
from swarm_ledger.encoding import digest, encode
from swarm_ledger.envelope import Kind, carry, seal
from swarm_ledger.errors import Misuse, PeerFault
from swarm_ledger.runtime.evidence import accusation
from swarm_ledger.runtime.lpwan import Profile, least_bit_rate, traffic
from swarm_ledger.runtime.machine import Tick
from swarm_ledger.sim.radio.bench import Setting, measure
from swarm_ledger.transport.radio import DutyCycle, Link, Station
from swarm_ledger.transport.shorthand import NOT_HEARD, VERBATIM, Shorthand
from tests.crew import T0_MS, Crew

CREW = Crew()
VOTES = [CREW.vote(name) for name in CREW.names]
DELEGATIONS = [CREW.identity(name).delegation for name in CREW.names]
BATCH = Batch(1, T0_MS, tuple(digest(vote) for vote in VOTES))
PROPOSAL = CREW.say("drone_1", PrePrepare(0, BATCH))
PREPARES = [CREW.say(name, Prepare(0, 1, BATCH.digest())) for name in CREW.names[1:]]
COMMITS = [CREW.say(name, Commit(0, 1, BATCH.digest())) for name in CREW.names]
CHECKPOINTS = [CREW.say(name, Checkpoint(1, 7, bytes(32), bytes(72))) for name in CREW.names]
CHANGE = ViewChange(1, 0, tuple(CHECKPOINTS[:3]), (Prepared(PROPOSAL, tuple(PREPARES[:2])),))
SAID = [
    *DELEGATIONS,
    CREW.asked(),
    *VOTES,
    PROPOSAL,
    *PREPARES,
    *COMMITS,
    *CHECKPOINTS,
    CREW.say("drone_2", CHANGE),
    CREW.say("drone_2", NewView(1, (digest(VOTES[0]), digest(VOTES[1])))),
    CREW.say("drone_3", Status(0, 1, 0)),
    CREW.say("drone_3", Fetch(1)),
    CREW.say("drone_3", Want((digest(VOTES[0]),))),
    CREW.say("drone_4", Committed(1, T0_MS, tuple(VOTES), tuple(COMMITS[:3]))),
    carry(DELEGATIONS[0], PROPOSAL),
    accusation(VOTES[0], CREW.vote("drone_1", 1)),
    seal(Kind.TICK, encode(Tick(T0_MS)), CREW.session("drone_1"), CREW.roster),
    bytes([Kind.ROSTER]) + encode([b"targets", CREW.raw_roster]),
]
IDS = [f"{place}-{Kind(raw[0]).name}" for place, raw in enumerate(SAID)]


def shorthand() -> Shorthand:
    return Shorthand(lambda: [CREW.roster])


def knowing() -> Shorthand:
    """Return one that has heard all there is."""
    words = shorthand()
    for raw in SAID:
        words.learn(raw)
    return words


@pytest.mark.parametrize("raw", SAID, ids=IDS)
@pytest.mark.parametrize("alone", [False, True])
def test_a_short_form_is_the_message_itself(raw: bytes, alone: bool) -> None:
    """The receiver's clock may be hours off."""
    sender, receiver = knowing(), knowing()
    short = sender.shorten(raw, T0_MS, alone=alone)
    assert receiver.expand(short, T0_MS + 7_200_000) == raw
    assert len(short) < len(raw) or short[0] == VERBATIM


@pytest.mark.parametrize("raw", SAID, ids=IDS)
def test_what_is_said_alone_needs_sessions_only(raw: bytes) -> None:
    receiver = shorthand()
    for delegation in DELEGATIONS:
        receiver.learn(delegation)
    assert receiver.expand(knowing().shorten(raw, T0_MS, alone=True), T0_MS) == raw


SIZES = {
    "vote": (VOTES[0], 125),
    "prepare": (PREPARES[0], 78),
    "commit": (COMMITS[0], 78),
    "proposal": (PROPOSAL, 105),
    "checkpoint": (CHECKPOINTS[0], 152),
    "carried": (carry(DELEGATIONS[0], PREPARES[0]), 92),
    "view change": (CREW.say("drone_2", CHANGE), 107),
}


@pytest.mark.parametrize("name", SIZES)
def test_short_forms_are_as_short_as_the_profile_counts(name: str) -> None:
    raw, most = SIZES[name]
    assert len(knowing().shorten(raw, T0_MS)) <= most


def test_what_was_not_heard_can_be_read_once_it_is() -> None:
    receiver = shorthand()
    for raw in DELEGATIONS:
        receiver.learn(raw)
    short = knowing().shorten(PREPARES[0], T0_MS)
    with pytest.raises(PeerFault) as fault:
        receiver.expand(short, T0_MS)
    assert fault.value.reason == NOT_HEARD
    receiver.learn(PROPOSAL)
    assert receiver.expand(short, T0_MS) == PREPARES[0]


def test_what_would_be_read_as_something_else_is_not_read() -> None:
    short = bytearray(knowing().shorten(VOTES[0], T0_MS))
    short[-1] ^= 1
    with pytest.raises(PeerFault):
        knowing().expand(bytes(short), T0_MS)


@given(st.binary(max_size=300))
def test_any_bytes_survive_or_are_refused(data: bytes) -> None:
    words = shorthand()
    assert words.expand(words.shorten(data, T0_MS), T0_MS) == data
    with suppress(PeerFault):  # and nothing else
        words.expand(data, T0_MS)


LINK = Link(50_000)


def stations(link: Link = LINK) -> list[Station]:
    found = [Station(me, link, lambda: T0_MS) for me in range(3)]
    for station in found:
        station.rosters = lambda: [CREW.roster]
    return found


def test_long_messages_go_in_fragments_whose_lost_ones_come_with_the_next_time() -> None:
    one, two, _ = stations()
    block = CREW.say("drone_4", Committed(1, T0_MS, tuple(VOTES), tuple(COMMITS[:3])))
    for attempt in range(2):
        one.broadcast(block)
        frames = []
        while one.waiting:
            frames.append(one.next_frame())
        assert len(frames) > 2
        assert max(map(len, frames)) <= LINK.mtu
        lost = {attempt}  # the first time one, then another one
        heard = [
            raw for at, frame in enumerate(frames) if at not in lost for raw in two.hear(frame)
        ]
        assert bool(heard) == (attempt == 1)
        one = stations()[0]
    assert heard == [block]


def test_a_newer_status_replaces_an_older_and_the_urgent_goes_first() -> None:
    one, two, _ = stations()
    for raw in DELEGATIONS:
        two._words.learn(raw)
        one._words.learn(raw)
    newer = CREW.say("drone_1", Status(0, 2, 0))
    one.broadcast(CREW.say("drone_1", Status(0, 1, 0)))
    one.broadcast(newer)
    one.broadcast(VOTES[0])
    assert two.hear(one.next_frame()) == [VOTES[0]]
    assert two.hear(one.next_frame()) == [newer]
    assert not one.waiting


def test_whose_word_is_needless_keeps_it() -> None:
    one = stations()[0]
    one.needless = lambda said: isinstance(said, Prepare)
    one.broadcast(PREPARES[0])
    assert not one.waiting
    one.broadcast(COMMITS[0])
    assert one.waiting


def _all_said(one: Station, two: Station) -> list[bytes]:
    """Return what a station says until it has nothing more to say, as another one hears it."""
    heard = []
    while one.waiting:
        heard += two.hear(one.next_frame())
    return heard


def test_what_is_said_again_though_it_was_spared_is_needed() -> None:
    """A liar may say to one drone what it then needs not say itself, and to no other."""
    one, two, _ = stations()
    one.needless = lambda said: isinstance(said, Prepare)
    one.broadcast(PREPARES[0])
    assert not one.waiting
    one.broadcast(PREPARES[0])
    assert _all_said(one, two) == [PREPARES[0]]


def test_what_two_lack_is_not_needless_because_we_know_it() -> None:
    one, two, _ = stations()
    one.needless = lambda _said: True
    for to in (1, 2):
        one.send(to, CHECKPOINTS[3])
    assert _all_said(one, two) == [CHECKPOINTS[3]]


def test_who_asks_for_several_view_changes_gets_them_all() -> None:
    one, two, _ = stations()
    changes = [CREW.say(name, ViewChange(1, 0, (), ())) for name in CREW.names[1:]]
    for raw in changes:
        one.send(1, raw)
    assert sorted(_all_said(one, two)) == sorted(changes)


def test_one_question_is_not_asked_instead_of_another() -> None:
    one, two, _ = stations()
    asked = [CREW.say("drone_1", Want((digest(raw),))) for raw in (VOTES[0], CHECKPOINTS[0])]
    for raw in asked:
        one.broadcast(raw)
    assert sorted(_all_said(one, two)) == sorted(asked)


def test_what_was_said_to_one_only_is_still_said_to_all() -> None:
    """Else a liar that repeats others' words to itself silences whoever repeats them to all."""
    liar, two, three = stations()
    two.broadcast(VOTES[0])
    item = bytes((liar.me, VERBATIM)) + VOTES[0]
    frame = bytes((liar.me, len(item) >> 8 | 0x80, len(item) & 0xFF)) + item
    assert two.hear(frame) == three.hear(frame) == []
    assert _all_said(two, three) == [VOTES[0]]


def test_what_is_asked_of_one_is_for_that_one() -> None:
    one, two, three = stations()
    for station in (one, two, three):
        for raw in DELEGATIONS:
            station._words.learn(raw)
    one.send(1, CREW.say("drone_1", Fetch(1)))
    frame = one.next_frame()
    assert (len(two.hear(frame)), len(three.hear(frame))) == (1, 0)
    one.send(1, VOTES[0])
    frame = one.next_frame()
    assert two.hear(frame) == three.hear(frame) == [VOTES[0]]


@given(st.binary(max_size=255))
def test_no_frame_raises(frame: bytes) -> None:
    station = stations()[0]
    for _ in range(2):
        station.hear(frame)


def test_a_duty_cycle_holds_over_any_hour_but_the_first() -> None:
    link = Link(5_000, duty_cycle=0.01)
    duty, frame_us, now_us = DutyCycle(link), link.airtime_us(255), 0
    for _ in range(3_000):
        now_us += duty.wait_us(frame_us, now_us)
        assert duty.wait_us(frame_us, now_us) == 0
        duty.spend(frame_us)
        now_us += frame_us
    hours = now_us / 3.6e9
    assert duty.spent_us <= 0.01 * now_us + 0.01 * 3.6e9
    assert hours > 30


@pytest.mark.parametrize("n", [4, 7, 16, 31])
def test_times_grow_with_drones_and_shrink_with_bits(n: int) -> None:
    slow, fast = Profile(n, Link(5_000)), Profile(n, Link(50_000))
    assert slow.resend_ms > 6 * fast.resend_ms
    assert traffic(n + 1, LINK).decision_bytes > traffic(n, LINK).decision_bytes
    rare = Profile(n, Link(50_000, duty_cycle=0.001)).report_ms
    assert traffic(n, LINK).idle_s / (rare / 1_000) <= 0.001 / 4 * 1.01


def test_who_started_under_a_larger_roster_proposes_nothing_that_others_refuse() -> None:
    """Members change in flight; what was set when a drone started stays."""
    given = Settings((0, 1, 2, 3), 0)
    before, after = (Profile(n, LINK).settings(given) for n in (4, 5))
    assert before.max_batch == after.max_batch


def test_what_is_too_narrow_is_refused_with_the_least_that_is_not() -> None:
    link = Link(1_000)
    with pytest.raises(Misuse) as error:
        Profile(31, link)
    least = least_bit_rate(31, link)
    assert f"{least:,} bit/s" in error.value.explain()
    Profile(31, replace(link, bit_rate=least))
    with pytest.raises(Misuse):
        Profile(31, replace(link, bit_rate=least - 1))


HELD = {4: 2_900, 7: 4_450}
"""Bytes on the air for a decision; at 5 kbit/s, as at any rate, by virtual time."""


@pytest.mark.parametrize("drones", HELD)
def test_a_decision_costs_no_more_bytes_than_it_did(drones: int) -> None:
    found = measure(Setting(drones, 50_000, decisions=2, idle=False), range(1))
    assert found.air_bytes <= HELD[drones]
    assert found.air_bytes == pytest.approx(found.formula_bytes, rel=0.15)
    assert found.slowest_s < 2
    assert found.view_changes == found.collisions == 0
