# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Anchors: what a relay gathers, what it asks for and when, and what the ledger lets count."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm_ledger.encoding import encode
from swarm_ledger.envelope import Kind, Opener
from swarm_ledger.errors import Misuse, PeerFault
from swarm_ledger.ledger.merkle import leaf_hash, verify_inclusion
from swarm_ledger.relay.anchor import (
    LEAVES_TOPIC,
    LEAVES_TYPE,
    MAX_ANCHOR_BYTES,
    MAX_LEAVES,
    MAX_RANGES,
    Anchor,
    Anchoring,
    Gathering,
    Range,
    Told,
    Tree,
    leaves_data,
    parse_anchor,
    parse_leaves,
    told_of,
)
from swarm_ledger.relay.sender import Credentials, Sender
from swarm_ledger.relay.statement import NUMBER_BITS, WINDOWS, sequence_of, split_delegation
from swarm_ledger.runtime.chains import AHEAD_MS, EVERY_MS, Chains
from tests.anchored import EVERY_US, anchor, anchoring_sender
from tests.crew import T0_MS, Crew
from tests.relayed import LATER_US, ODOM, receiver, signed, windowed

FIRST = sequence_of(1, 1)


def test_what_was_signed_is_a_leaf_each_and_each_number_is_told(crew: Crew) -> None:
    by = anchoring_sender(crew)
    singly = [signed(by, number) for number in range(3)]
    batched = windowed(by, 5, "/imu")
    made = by.anchor(Told(), LATER_US, last=True)
    assert made is not None
    assert made.leaves is not None
    opened = Opener(crew.roster)
    opened.add_session(by.credentials.delegation)
    said = opened.open(made.sealed)
    held = parse_anchor(said.payload)
    assert (said.kind, said.author.name) == (Kind.ANCHOR, "drone_1")
    assert (held.sequence, held.previous, held.stamp_us, held.size) == (1, b"", LATER_US, 4)
    assert held.ranges == (
        Range(WINDOWS, FIRST, 1),
        Range(ODOM, FIRST, 3),
        Range("/imu", FIRST, 5),
    )
    leaves = parse_leaves(made.leaves.data)
    assert leaves[1:] == tuple(leaf_hash(split_delegation(one.sealed)[1]) for one in singly)
    assert Tree(leaves).root == held.root
    assert len(batched) == 5


def test_the_list_is_a_signed_message_like_any_other(crew: Crew) -> None:
    by = anchoring_sender(crew)
    signed(by)
    made = by.anchor(Told(), LATER_US, last=True)
    assert made is not None
    assert made.leaves is not None
    said = receiver(crew).take(made.leaves, LATER_US).statement
    assert (said.topic, said.type_name) == (LEAVES_TOPIC, LEAVES_TYPE)


@given(
    said=st.lists(
        st.tuples(st.sampled_from(["/a", "/b", "/c"]), st.integers(1, 4), st.booleans()),
        min_size=1,
        max_size=30,
    )
)
def test_ranges_cover_each_number_once_and_leaves_are_in_order(
    crew: Crew, said: list[tuple[str, int, bool]]
) -> None:
    by = anchoring_sender(crew)
    count = dict.fromkeys(["/a", "/b", "/c"], 0)
    for topic, size, singly in said:
        count[topic] += size
        if singly:
            for number in range(size):
                signed(by, number, topic)
        else:
            windowed(by, size, topic)
    assert by.anchoring is not None
    ranges, leaves = by.anchoring.gathering.take()
    covered: dict[str, int] = {}
    for one in ranges:
        covered[one.stream] = covered.get(one.stream, 0) + one.count
    windows = sum(not singly for _, _, singly in said)
    expected = {topic: n for topic, n in count.items() if n}
    assert {t: n for t, n in covered.items() if t != WINDOWS} == expected
    assert covered.get(WINDOWS, 0) == windows
    assert all(one < other for one, other in pairwise(leaves))
    root = Tree(leaf.hash for leaf in leaves).root
    parse_anchor(encode(Anchor(1, b"", 1, len(leaves), root, ranges)))


@given(size=st.integers(1, 70))
def test_every_leaf_has_a_path(size: int) -> None:
    hashes = [leaf_hash(bytes([at])) for at in range(size)]
    tree = Tree(hashes)
    for at, leaf in enumerate(hashes):
        assert tree.index(leaf) == at
        verify_inclusion(leaf, at, size, tree.path(at), tree.root)
    assert tree.index(bytes(32)) is None


def test_lists_of_leaves_have_one_form() -> None:
    by = Gathering()
    for number in range(3):
        by.add("/a", FIRST + number, bytes([number]))
    data = leaves_data(by.take()[1])
    assert len(parse_leaves(data)) == 3
    for wrong in (
        b"",
        data[:-1],
        data + b"\0",
        data[:-32],
        data[:16],
        b"\0\0" + data[2:],
        data[:12] + (2**32 - 1).to_bytes(4, "little") + data[16:],
        data[:12] + bytes(4),
        data[:12] + (32 * (MAX_LEAVES + 1)).to_bytes(4, "little") + bytes(32 * (MAX_LEAVES + 1)),
    ):
        with pytest.raises(PeerFault) as caught:
            parse_leaves(wrong)
        assert caught.value.reason == "malformed"


GOOD = anchor(2, bytes(32), ranges=(Range("/a", FIRST, 3), Range("/a", sequence_of(2, 1), 1)))
MALFORMED = {
    "no previous": {"previous": b""},
    "half a previous": {"previous": bytes(16)},
    "first with a previous": {"sequence": 1},
    "sequence 0": {"sequence": 0},
    "huge sequence": {"sequence": 2**53},
    "no leaves": {"size": 0},
    "more leaves than numbers": {"size": 5},
    "too many leaves": {"size": MAX_LEAVES + 1},
    "short root": {"root": bytes(31)},
    "no ranges": {"ranges": ()},
    "stamp 0": {"stamp_us": 0},
    "out of order": {"ranges": (Range("/b", FIRST, 2), Range("/a", FIRST, 2))},
    "overlapping": {"ranges": (Range("/a", FIRST, 2), Range("/a", FIRST + 1, 2))},
    "out of its run": {"ranges": (Range("/a", FIRST, (1 << NUMBER_BITS) - 1 + 1),)},
    "over into the next run": {"ranges": (Range("/a", FIRST + 1, (1 << NUMBER_BITS) - 1),)},
    "number 0": {"ranges": (Range("/a", 1 << NUMBER_BITS, 4),)},
    "empty range": {"ranges": (Range("/a", FIRST, 0),)},
    "no topic": {"ranges": (Range("a b", FIRST, 4),)},
    "long topic": {"ranges": (Range("/" + "a" * 255, FIRST, 4),)},
    "too many ranges": {
        "ranges": tuple(Range("/a", sequence_of(run, 1), 1) for run in range(1, MAX_RANGES + 2))
    },
}


@pytest.mark.parametrize("what", MALFORMED)
def test_malformed(what: str) -> None:
    assert parse_anchor(encode(GOOD)) == GOOD
    with pytest.raises(PeerFault) as caught:
        parse_anchor(encode(msgspec.structs.replace(GOOD, **MALFORMED[what])))
    assert caught.value.reason in ("malformed", "oversize")


def test_what_is_gathered_is_bounded() -> None:
    """What finds no room is counted, and the anchor is still one that others take."""
    by = Gathering()
    for number in range(2_000):
        by.add(f"/topic_{number}", FIRST, bytes([number % 256]))
    ranges, leaves = by.take()
    raw = encode(Anchor(2**53 - 1, bytes(32), 2**53 - 1, len(leaves), bytes(32), ranges))
    assert MAX_ANCHOR_BYTES // 2 < len(raw) <= MAX_ANCHOR_BYTES
    assert by.left_out == 2_000 - len(leaves)
    for number in range(MAX_LEAVES + 7):
        by.add("/a", FIRST + number, b"")
    by.add(WINDOWS, FIRST, b"", [("/a", FIRST + MAX_LEAVES + 7 + at) for at in range(5)])
    assert by.left_out == 2_000 - len(leaves) + 7 + 5
    ranges, leaves = by.take()
    assert (ranges, len(leaves)) == ((Range("/a", FIRST, MAX_LEAVES),), MAX_LEAVES)


def test_one_at_a_time_and_not_before_its_time(crew: Crew) -> None:
    by = anchoring_sender(crew)
    signed(by)
    assert by.anchor(Told(), LATER_US) is None
    assert by.anchor(Told(), LATER_US + EVERY_US - 1) is None
    made = by.anchor(Told(), LATER_US + EVERY_US)
    assert made is not None
    signed(by)
    assert by.anchor(Told(), LATER_US + 3 * EVERY_US) is None
    assert by.anchoring is not None
    held = by.anchoring.pending
    assert held is not None
    following = by.anchor(told_of(held), LATER_US + 4 * EVERY_US)
    assert following is not None
    then = by.anchoring.pending
    assert then is not None
    assert (then.sequence, then.previous) == (2, held.digest)
    assert by.anchoring.anchored == 1


def test_an_idle_relay_asks_for_nothing(crew: Crew) -> None:
    """The list of an anchor's leaves is signed, too, and must not keep it going."""
    by = anchoring_sender(crew)
    signed(by)
    assert by.anchor(Told(), LATER_US, last=True)
    assert by.anchoring is not None
    assert by.anchoring.pending is not None
    told = told_of(by.anchoring.pending)
    for hour in range(5):
        assert by.anchor(told, LATER_US + hour * 3_600_000_000, last=True) is None
    signed(by)
    made = by.anchor(told, LATER_US + 18_000_000_000)
    assert made is not None
    assert by.anchoring.pending is not None
    assert LEAVES_TOPIC in {one.stream for one in by.anchoring.pending.ranges}


def test_what_does_not_come_is_asked_for_again_and_says_the_same(crew: Crew) -> None:
    """Ordered and refused, the same bytes would never be ordered again."""
    by = anchoring_sender(crew)
    signed(by)
    made = by.anchor(Told(), LATER_US, last=True)
    assert made is not None
    assert by.anchoring is not None
    first = by.anchoring.pending
    assert first is not None
    assert by.anchor(Told(), LATER_US + 119_000_000) is None
    again = by.anchor(Told(), LATER_US + 120_000_000)
    assert again is not None
    assert again.leaves is None
    assert again.sealed != made.sealed
    second = by.anchoring.pending
    assert second is not None
    assert (second.root, second.size, second.ranges) == (first.root, first.size, first.ranges)
    assert by.anchor(told_of(first), LATER_US + 121_000_000) is None, "either form will do"
    assert by.anchoring.pending is None


def test_overtaken_by_another_it_takes_the_next_place(crew: Crew) -> None:
    by = anchoring_sender(crew)
    signed(by)
    by.anchor(Told(), LATER_US, last=True)
    other = Told(7, b"\1" * 32, b"\2" * 32)
    assert by.anchor(other, LATER_US + 1)
    assert by.anchoring is not None
    assert by.anchoring.pending is not None
    assert (by.anchoring.pending.sequence, by.anchoring.pending.previous) == (8, other.digest)
    assert by.anchor(Told(3, b"\3" * 32, b"\4" * 32), LATER_US + 2) is None, "it catches up"


def test_a_new_session_seals_it_anew(crew: Crew) -> None:
    by = anchoring_sender(crew)
    signed(by)
    made = by.anchor(Told(), LATER_US, last=True)
    identity = crew.identity("drone_1", 1)
    by.change(Credentials(identity.roster, identity.session, identity.delegation))
    again = by.anchor(Told(), LATER_US + 1)
    assert made is not None
    assert again is not None
    opener = Opener(crew.roster)
    for delegation in (crew.identity("drone_1").delegation, identity.delegation):
        opener.add_session(delegation)
    assert opener.open(made.sealed).payload == opener.open(again.sealed).payload
    assert made.sealed != again.sealed
    assert by.anchor(Told(), LATER_US + 2) is None


def test_a_relay_that_was_restarted_goes_on(crew: Crew) -> None:
    by = anchoring_sender(crew)
    signed(by)
    made = by.anchor(Told(), LATER_US, last=True)
    assert by.anchoring is not None
    pending = by.anchoring.pending
    assert made is not None
    assert pending is not None
    later = anchoring_sender(crew, run=2, pending=pending)
    again = later.anchor(Told(), LATER_US + 1)
    assert again is not None
    assert again.sealed == made.sealed
    signed(later)
    assert later.anchor(told_of(pending), LATER_US + EVERY_US + 1)


def test_a_clock_that_was_set_back_stops_nothing(crew: Crew) -> None:
    by = anchoring_sender(crew)
    signed(by)
    assert by.anchor(Told(), LATER_US) is None
    assert by.anchor(Told(), LATER_US - 10**12) is None
    assert by.anchor(Told(), LATER_US - 10**12 + EVERY_US)


def test_no_time_between_anchors_is_misuse() -> None:
    with pytest.raises(Misuse):
        Anchoring(0)


def test_a_sender_without_anchors(crew: Crew) -> None:
    identity = crew.identity("drone_1")
    credentials = Credentials(identity.roster, identity.session, identity.delegation)
    by = Sender(credentials, lambda: 1, announce_us=0)
    signed(by)
    windowed(by, 3)
    assert by.anchor(Told(), LATER_US, last=True) is None


# what the ledger lets count


def refusal(chains: Chains, crew: Crew, one: Anchor, time_ms: int = T0_MS) -> str:
    with pytest.raises(PeerFault) as caught:
        chains.apply(crew.roster.named("drone_1"), one, time_ms)
    return caught.value.reason


def test_a_chain_has_no_gap_and_goes_nowhere_twice(crew: Crew) -> None:
    chains, me = Chains(), crew.roster.named("drone_1")
    first = anchor(1)
    assert refusal(chains, crew, anchor(2, bytes(32))) == "broken_chain"
    assert chains.state() == b""
    chains.apply(me, first, T0_MS)
    before = chains.state()
    second = anchor(2, first.digest)
    for wrong, reason in (
        (first, "known"),
        (anchor(1, root=b"\7" * 32), "stale_anchor"),
        (anchor(2, bytes(32)), "broken_chain"),
        (anchor(3, first.digest), "broken_chain"),
        (anchor(3, second.digest), "broken_chain"),
    ):
        assert refusal(chains, crew, wrong, T0_MS + EVERY_MS) == reason
    assert chains.state() == before
    assert chains.told(me) == told_of(first)
    chains.apply(me, second, T0_MS + EVERY_MS)
    assert refusal(chains, crew, first, T0_MS + 2 * EVERY_MS) == "stale_anchor"
    assert chains.told(crew.roster.named("drone_2")) == Told()


@given(steps=st.lists(st.integers(0, 30_000), min_size=1, max_size=60))
def test_at_most_so_many_in_any_time(crew: Crew, steps: list[int]) -> None:
    chains, me = Chains(), crew.roster.named("drone_1")
    now_ms, times = T0_MS, []
    for step in steps:
        now_ms += step
        last = chains.told(me)
        with suppress(PeerFault):
            chains.apply(me, anchor(last.sequence + 1, last.digest), now_ms)
            times.append(now_ms)
    for start, begin in enumerate(times):
        for end in range(start, len(times)):
            span = times[end] - begin
            assert (end - start + 1) <= 1 + AHEAD_MS // EVERY_MS + span // EVERY_MS + 1


def test_leaders_clocks_do_not_make_an_honest_anchor_too_soon(crew: Crew) -> None:
    """One may be half a second ahead, the next ten seconds behind."""
    chains, me, last = Chains(), crew.roster.named("drone_1"), Told()
    ledger_ms = 0
    for number in range(200):
        true_ms = T0_MS + number * 12_000
        shown = true_ms + (500 if number % 2 == 0 else -10_000)
        ledger_ms = max(ledger_ms, shown)
        chains.apply(me, anchor(last.sequence + 1, last.digest), ledger_ms)
        last = chains.told(me)


def test_chains_outlive_rosters_and_end_with_their_members(crew: Crew) -> None:
    chains = Chains()
    for name in ("drone_1", "drone_2"):
        chains.apply(crew.roster.named(name), anchor(1), T0_MS)
    later = crew.changed(crew.roster, revoke=["drone_2"], add=["drone_9"]).roster
    chains.change(later)
    assert chains.told(later.named("drone_1")).sequence == 1
    assert chains.told(crew.roster.named("drone_2")) == Told()
