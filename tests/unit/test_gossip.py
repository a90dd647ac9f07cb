# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Gossip among robots that meet: what spreads, what stays, and what a hostile peer can't do."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarm_ledger.encoding import encode
from swarm_ledger.errors import PeerFault
from swarm_ledger.transport.gossip import Gossip, Pace, Uncarried
from swarm_ledger.transport.gossip_frames import Items, Letters, Listing, Summary, parse_frame
from swarm_ledger.transport.gossip_shelf import (
    ALIKE,
    LARGE,
    LARGE_BYTES,
    REFUSED,
    REFUSED_MS,
    SMALL,
    Claim,
    Item,
    Refusals,
    Shelf,
    name_of,
)

KEEP_MS = 60_000


def said(origin: int, about: str, rank: int = 0, text: str = "") -> bytes:
    """What a test's member seals: `judge` reads it."""
    return f"{origin} {about} {rank} {text}".encode()


def judge(data: bytes) -> Claim | Uncarried:
    if data.startswith(b"near"):
        return Uncarried.NEAR
    if data.startswith(b"asked"):
        return Uncarried.ASKED
    try:
        origin, about, rank, _ = data.decode().split(" ", 3)
        return Claim(int(origin), (about,), int(rank), int(rank), KEEP_MS)
    except ValueError as error:
        raise PeerFault("bad_signature", "forged.") from error


class Air:
    """A radio that some robots share: what one says, the others in its place hear."""

    def __init__(self, robots: int, pace: Pace | None = None) -> None:
        self.said: list[tuple[int, bytes]] = []
        self.heard: dict[int, list[bytes]] = {me: [] for me in range(robots)}
        self.now_ms = 1_000_000
        self.robots = [
            Gossip(me, self.link(me), now_ms=self.now_ms, pace=pace) for me in range(robots)
        ]
        for robot in self.robots:
            robot.judge_by(judge)

    def link(self, me: int) -> Link:
        return Link(self, me)

    def meet(self, *together: int, ms: int = 3_000) -> None:
        for _ in range(ms // 100):
            self.now_ms += 100
            said, self.said = self.said, []
            for sender, frame in said:
                for robot in together:
                    if robot != sender:
                        self.heard[robot] += self.robots[robot].hear(frame, self.now_ms).fresh
            for robot in together:
                self.robots[robot].tick(self.now_ms)

    def apart(self, ms: int) -> None:
        self.now_ms += ms
        self.said = []


class Link:
    def __init__(self, air: Air, me: int) -> None:
        self._air, self._me = air, me

    def send(self, to: int, data: bytes) -> None:
        self._air.said.append((self._me, data))

    def broadcast(self, data: bytes) -> None:
        self._air.said.append((self._me, data))


def names(shelf: Shelf) -> set[bytes]:
    return {item.name for origin in range(20) for item in shelf.of(origin)}


def test_what_one_says_is_carried_to_whom_it_never_meets() -> None:
    air = Air(3)
    vote = said(0, "vote")
    air.robots[0].broadcast(vote)
    air.meet(0, 1)
    assert air.heard[1] == [vote]
    air.apart(20_000)
    air.meet(1, 2)
    assert air.heard == {0: [], 1: [vote], 2: [vote]}


def test_both_hold_the_same_after_they_met_and_then_fall_silent() -> None:
    air = Air(2)
    for n in range(30):
        air.robots[n % 2].broadcast(said(n % 2, f"about{n}"))
    air.meet(0, 1)
    assert names(air.robots[0].shelf) == names(air.robots[1].shelf)
    assert len(air.robots[0].shelf) == 30
    before = air.robots[0].sent_bytes
    air.meet(0, 1, ms=10_000)
    summaries = 10_000 / Pace().summary_ms
    assert air.robots[0].sent_bytes - before <= (summaries + 1) * 70


def test_a_later_word_takes_an_earlier_ones_place_whoever_brings_it_last() -> None:
    air = Air(3)
    old, new = said(0, "status", 1), said(0, "status", 2)
    air.robots[0].broadcast(old)
    air.meet(0, 1)
    air.robots[0].broadcast(new)
    air.meet(0, 2)
    assert air.heard[2] == [new]
    air.meet(1, 2)
    assert air.heard[1] == [old, new]
    assert air.heard[2] == [new]
    assert names(air.robots[1].shelf) == {name_of(new)}


def test_two_that_contradict_each_other_both_spread_and_a_third_does_not() -> None:
    air = Air(2)
    votes = [said(0, "vote", 0, text) for text in "abc"]
    for vote in votes:
        air.robots[0].broadcast(vote)
    air.meet(0, 1)
    assert len(air.heard[1]) == ALIKE
    assert set(air.heard[1]) < set(votes)


def test_nothing_is_delivered_twice_or_to_its_author() -> None:
    air = Air(4)
    air.robots[0].broadcast(said(0, "vote"))
    for pair in ((0, 1), (0, 2), (1, 2), (1, 3), (2, 3), (3, 0)):
        air.meet(*pair)
    assert {me: len(got) for me, got in air.heard.items()} == {0: 0, 1: 1, 2: 1, 3: 1}


def test_what_is_over_is_forgotten_everywhere_at_once_and_its_age_travels() -> None:
    air = Air(3)
    air.robots[0].broadcast(said(0, "vote"))
    air.meet(0, 1)
    air.apart(KEEP_MS - 10_000)
    air.meet(1, 2)
    assert len(air.robots[2].shelf) == 1
    air.apart(8_000)
    air.meet(1, 2)
    assert [len(robot.shelf) for robot in air.robots[1:]] == [0, 0]


def test_a_letter_waits_for_its_addressee_and_nobody_else_reads_it() -> None:
    air = Air(3)
    air.robots[0].send(2, b"near letter")
    air.meet(0, 1)
    assert air.heard[1] == []
    air.apart(5_000)
    air.meet(0, 2)
    assert air.heard[2] == [b"near letter"]
    air.apart(70_000)
    air.meet(0, 2)
    assert air.heard[2] == [b"near letter"]


def test_a_letter_to_somebody_near_also_arrives_where_both_hold_the_same() -> None:
    air = Air(2)
    air.meet(0, 1)
    air.robots[0].send(1, b"near now")
    air.meet(0, 1)
    assert air.heard[1] == [b"near now"]


def test_a_question_to_one_is_answered_by_whoever_is_met() -> None:
    air = Air(3)
    air.robots[0].send(2, b"asked who has block 3")
    air.meet(0, 1)
    assert air.heard[1] == [b"asked who has block 3"]


def test_what_is_said_once_reaches_who_is_near_and_is_not_carried() -> None:
    air = Air(3)
    air.robots[0].broadcast(b"near clock")
    air.meet(0, 1)
    air.meet(1, 2)
    assert air.heard == {0: [], 1: [b"near clock"], 2: []}


def test_what_was_said_before_anybody_judges_waits() -> None:
    air = Air(2)
    late = Gossip(0, air.link(0), now_ms=air.now_ms)
    late.broadcast(said(0, "session"))
    air.robots[0] = late
    air.meet(0, 1)
    assert air.heard[1] == []
    late.judge_by(judge)
    air.meet(0, 1)
    assert air.heard[1] == [said(0, "session")]


# hostile


def test_who_floods_fills_its_own_share_and_nobody_elses() -> None:
    air = Air(2)
    honest = [said(1, f"vote{n}", 5) for n in range(10)]
    for vote in honest:
        air.robots[0].broadcast(vote)
    for n in range(5_000):
        flood = encode(Items(((0, said(7, f"flood{n}", n)),)))
        air.robots[0].hear(flood, air.now_ms)
    shelf = air.robots[0].shelf
    assert len(list(shelf.of(7))) == SMALL
    assert {item.data for item in shelf.of(1)} == set(honest)
    assert len(shelf) == SMALL + 10


def test_forged_and_unknown_messages_are_refused_counted_and_not_carried() -> None:
    air = Air(2)
    robot = air.robots[0]
    frame = encode(Items(tuple((0, f"forged{n}".encode()) for n in range(60))))
    heard = robot.hear(frame, air.now_ms)
    assert heard.refused
    assert heard.fresh == ()
    assert robot.faults["bad_signature"] == 3  # then the rest of the frame isn't looked at
    assert len(robot.shelf) == 0
    assert robot.hear(b"\xff nonsense", air.now_ms).refused


def test_what_was_just_refused_is_refused_for_a_hash_but_not_for_ever() -> None:
    robot = Gossip(1, Air(2).link(1), now_ms=0)
    opened: list[bytes] = []
    strangers = {0}

    def counted(data: bytes) -> Claim | Uncarried:
        opened.append(data)
        claim = judge(data)
        if isinstance(claim, Claim) and claim.origin in strangers:
            raise PeerFault("unknown_key", "not met yet.")
        return claim

    robot.judge_by(counted)
    flood = encode(Items(((0, b"forged"), (0, said(0, "vote")))))
    for now_ms in (1_000, 1_500, 2_900):
        assert robot.hear(flood, now_ms).refused
    assert opened == [b"forged", said(0, "vote")]
    assert robot.faults == {"bad_signature": 3, "unknown_key": 3}
    strangers.clear()
    assert robot.hear(flood, 1_000 + REFUSED_MS).fresh == (said(0, "vote"),)


def test_refusals_are_bounded() -> None:
    refusals, fault = Refusals(), PeerFault("bad_signature", "forged.")
    for n in range(REFUSED + 1):
        refusals.note(b"%d" % n, fault, now_ms=0)
    refusals.check(b"0", now_ms=1)
    for n in (1, REFUSED):
        with pytest.raises(PeerFault, match="forged"):
            refusals.check(b"%d" % n, now_ms=REFUSED_MS - 1)
    refusals.check(b"1", now_ms=REFUSED_MS)


def test_large_messages_have_a_share_of_their_own() -> None:
    air = Air(1)
    robot = air.robots[0]
    robot.broadcast(said(0, "vote", 9))
    for n in range(3 * LARGE):
        robot.broadcast(said(0, f"view{n}", n, "x" * LARGE_BYTES))
    assert len(robot.shelf) == LARGE + 1
    robot.broadcast(said(0, "huge", 99, "x" * (1 << 18)))
    assert len(robot.shelf) == LARGE + 1


def test_who_makes_a_message_old_does_not_have_it_dropped() -> None:
    air = Air(2)
    robot, vote = air.robots[0], said(1, "vote")
    robot.hear(encode(Items(((KEEP_MS - 1_000, vote),))), air.now_ms)
    robot.hear(encode(Items(((5_000, vote),))), air.now_ms)
    robot.tick(air.now_ms + 10_000)
    assert name_of(vote) in robot.shelf
    robot.tick(air.now_ms + KEEP_MS)
    assert len(robot.shelf) == 0


def test_an_old_message_said_again_does_not_push_out_newer_ones() -> None:
    air = Air(1)
    robot = air.robots[0]
    for n in range(SMALL + 10):
        robot.hear(encode(Items(((0, said(1, f"seq{n}", n)),))), air.now_ms)
    kept = names(robot.shelf)
    for n in range(10):
        robot.hear(encode(Items(((0, said(1, f"seq{n}", n)),))), air.now_ms)
    assert names(robot.shelf) == kept


def test_what_a_robot_says_in_a_second_is_bounded_whatever_it_is_asked() -> None:
    air = Air(2, Pace(summary_ms=100, rate=5_000))
    robot = air.robots[0]
    for n in range(40):
        robot.broadcast(said(0, f"about{n}", 0, "x" * 2_000))
    air.now_ms += 5_000
    robot.tick(air.now_ms)
    before = robot.sent_bytes
    for _ in range(20):
        air.now_ms += 100
        robot.hear(encode(Listing((0,), ())), air.now_ms)
        robot.tick(air.now_ms)
    frame = (1 << 14) + 2_500  # the last frame may go over
    assert robot.sent_bytes - before <= 5_000 * 3 + frame + 20 * 100


@pytest.mark.parametrize(
    "frame",
    [
        Summary(3, ((1, b"x" * 16),)),
        Listing((1, 2), (b"y" * 16,)),
        Items(((5, b"data"),)),
        Letters(None, (b"letter",)),
    ],
)
def test_frames_have_one_encoding(frame: Summary | Listing | Items | Letters) -> None:
    assert parse_frame(encode(frame)) == frame
    with pytest.raises(PeerFault):
        parse_frame(encode(frame) + b"\0")


def on_shelf(origin: int, shelf: int, rank: int) -> Claim:
    """A claim; its order follows from its shelf, as it must."""
    return Claim(origin, (f"shelf{shelf}",), rank, shelf % 3, KEEP_MS)


claims = st.builds(on_shelf, st.integers(0, 2), st.integers(0, 7), st.integers(0, 3))


def fill(items: Iterable[Item]) -> Shelf:
    shelf = Shelf()
    for item in items:
        shelf.put(item)
    return shelf


@settings(max_examples=60, deadline=None)
@given(st.lists(claims, max_size=40), st.randoms(use_true_random=False))
def test_what_is_kept_follows_from_what_was_seen_and_not_from_its_order(
    found: list[Claim], rng: random.Random
) -> None:
    items = [Item(name_of(b"%d" % n), b"%d" % n, claim, 0) for n, claim in enumerate(found)]
    first = fill(items)
    rng.shuffle(items)
    second = fill(items)
    assert names(first) == names(second)
    assert first.fingerprints() == second.fingerprints()


def test_a_full_share_is_the_same_in_whatever_order_it_was_filled() -> None:
    claims_ = [on_shelf(0, n % 70, n % 3) for n in range(150)]
    items = [Item(name_of(b"%d" % n), b"%d" % n, claim, 0) for n, claim in enumerate(claims_)]
    kept = [names(fill(order)) for order in (items, items[::-1], items[::2] + items[1::2])]
    assert kept[0] == kept[1] == kept[2]
    assert len(kept[0]) == SMALL
