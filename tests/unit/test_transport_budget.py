# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Who is refused too often isn't looked at for a while; and who sends much waits for its turn."""

from __future__ import annotations

from swarm_ledger.transport.budget import (
    _SOURCES,
    ANYBODY,
    EACH,
    Inbox,
    Limits,
    Patience,
)

NOW_MS = 1_893_456_000_000


def test_spent_for_the_rest_of_the_second() -> None:
    patience = Patience(per_second=3)
    for at in range(3):
        assert not patience.spent(b"flooder", NOW_MS + at)
        patience.try_it(b"flooder", NOW_MS + at)
    assert patience.spent(b"flooder", NOW_MS + 999)
    assert not patience.spent(b"other", NOW_MS + 4)
    assert not patience.spent(b"flooder", NOW_MS + 1_000)
    patience.try_it(b"flooder", NOW_MS + 1_000)
    assert not patience.spent(b"flooder", NOW_MS + 1_001)


def test_who_is_refused_now_and_then_is_heard() -> None:
    patience = Patience(per_second=3)
    for tenth in range(100):
        assert not patience.spent(b"honest", NOW_MS + tenth * 500)
        patience.try_it(b"honest", NOW_MS + tenth * 500)


def test_many_publishers_cost_bounded_memory() -> None:
    patience = Patience(per_second=1)
    for number in range(3 * _SOURCES):
        patience.try_it(b"%d" % number, NOW_MS)
    assert len(patience._refused) == _SOURCES
    assert patience.spent(b"%d" % (3 * _SOURCES - 1), NOW_MS)


def known(inbox: Inbox, *names: bytes) -> None:
    """Have something hold that nobody sent before, of each of them."""
    for name in names:
        inbox.put(name, b"hello of " + name, NOW_MS)
    while inbox.waits(NOW_MS):
        inbox.judge(inbox.take(NOW_MS), (), NOW_MS)


def taken(inbox: Inbox, now_ms: int = NOW_MS) -> list[tuple[bytes, bytes]]:
    return [(one.source, one.data) for one in inbox.take(now_ms)]


def test_one_source_is_first_come_first_served() -> None:
    inbox = Inbox()
    known(inbox, b"a")
    for number in range(100):
        inbox.put(b"a", b"%d" % number, NOW_MS)
    got = [data for _ in range(7) for _, data in taken(inbox)]
    assert got == [b"%d" % number for number in range(100)]
    assert not inbox.waits(NOW_MS)
    assert inbox.take(NOW_MS) == []
    assert inbox.dropped == {}


def test_a_flood_of_what_holds_costs_its_own_turn() -> None:
    inbox = Inbox()
    known(inbox, b"flood", b"a", b"b")
    for number in range(1_500):
        inbox.put(b"flood", b"%d" % number, NOW_MS)
    inbox.put(b"a", b"1", NOW_MS)
    inbox.put(b"b", b"2", NOW_MS)
    got = taken(inbox)
    assert got[EACH:] == [(b"a", b"1"), (b"b", b"2")]
    assert len(taken(inbox)) == EACH
    assert inbox.dropped["full"] == 1_500 - Limits().messages


def test_of_many_sources_a_bounded_number_is_taken_and_none_is_forgotten() -> None:
    inbox = Inbox()
    names = [b"%d" % number for number in range(100)]
    known(inbox, *names)
    for _ in range(EACH):
        for name in names:
            inbox.put(name, b"x", NOW_MS)
    heard: list[bytes] = []
    while inbox.waits(NOW_MS):
        got = [source for source, _ in taken(inbox)]
        assert len(got) <= 256
        heard += got
    assert heard == [name for name in names for _ in range(EACH)]


def test_strangers_share_one_turn_however_many_they_are() -> None:
    inbox = Inbox()
    known(inbox, b"a")
    for number in range(500):
        for _ in range(3):
            inbox.put(b"stranger %d" % number, b"x", NOW_MS)
    for number in range(EACH):
        inbox.put(b"a", b"%d" % number, NOW_MS)
    got = taken(inbox)
    assert sum(source == b"a" for source, _ in got) == EACH
    strangers = [source for source, _ in got if source != b"a"]
    assert len(strangers) == len(set(strangers)) == EACH, "one each, in turns"
    assert taken(inbox)[0][0] not in strangers


def test_a_new_drone_among_strangers_that_flood_gets_its_turn() -> None:
    inbox = Inbox()
    heard = 0
    for tick in range(500):
        now_ms = NOW_MS + 10 * tick
        for stranger in range(20):
            for _ in range(5):
                inbox.put(b"stranger %d" % stranger, b"junk", now_ms)
        if tick == 100:
            inbox.put(b"drone", b"hello", now_ms)
        got = inbox.take(now_ms)
        heard += any(one.source == b"drone" for one in got)
        inbox.judge(got, [i for i, one in enumerate(got) if one.data == b"junk"], now_ms)
    assert heard == 1
    assert inbox.dropped["refused"] or inbox.dropped["full"]


def test_all_strangers_together_have_so_many_refused_in_a_second() -> None:
    inbox = Inbox()
    refused = 0
    for number in range(4_000):
        inbox.put(b"%d" % number, b"junk", NOW_MS)
        got = inbox.take(NOW_MS)
        refused += len(got)
        inbox.judge(got, range(len(got)), NOW_MS)
    assert refused == Limits().strangers_refused
    assert not inbox.waits(NOW_MS)
    assert inbox.waits(NOW_MS + 1_000)


def test_what_waits_of_a_flooder_goes_when_its_patience_is_spent() -> None:
    inbox = Inbox(Limits(refused=3))
    for number in range(10):
        inbox.put(b"flood", b"%d" % number, NOW_MS)
    for _ in range(10):
        inbox.put(b"honest", b"x", NOW_MS)
    got = inbox.take(NOW_MS)[:6]
    inbox.judge(got, [i for i, one in enumerate(got) if one.source == b"flood"], NOW_MS)
    inbox.put(b"flood", b"more", NOW_MS)
    assert inbox.dropped["refused"] == 1
    assert {source for source, _ in taken(inbox)} <= {b"honest"}


def test_a_repetition_makes_nobody_known() -> None:
    """Whoever hears a message can repeat it."""
    inbox = Inbox()
    known(inbox, b"a")
    for eavesdropper in (b"e1", b"e2"):
        inbox.put(eavesdropper, b"hello of a", NOW_MS)
    inbox.judge(inbox.take(NOW_MS), (), NOW_MS)
    for name in (b"e1", b"e2", b"a"):
        for _ in range(EACH):
            inbox.put(name, b"x", NOW_MS)
    got = [source for source, _ in taken(inbox)]
    assert got == [b"a"] * EACH + [b"e1", b"e2"] * (EACH // 2)


def test_who_has_said_nothing_new_for_long_is_a_stranger_again() -> None:
    inbox = Inbox()
    known(inbox, b"a", b"b")
    later = NOW_MS + 30_000
    for name in (b"a", b"b"):
        for _ in range(EACH):
            inbox.put(name, b"x", later)
    assert len(taken(inbox, later)) == EACH
    assert len(taken(inbox, later)) == EACH, "and loses nothing"


def test_bytes_a_second() -> None:
    inbox = Inbox(Limits(rate=1_000))
    known(inbox, b"a", b"b")
    later = NOW_MS + 1_000
    for _ in range(20):
        inbox.put(b"a", bytes(100), later)
    inbox.put(b"b", bytes(100), later)
    assert inbox.dropped == {"rate": 10}
    assert len(taken(inbox, later)) == 11
    inbox.put(b"a", bytes(100), later + 1_000)
    assert len(taken(inbox, later + 1_000)) == 1


def test_messages_a_second() -> None:
    inbox = Inbox(Limits(count=10))
    known(inbox, b"a", b"b")
    later = NOW_MS + 1_000
    for number in range(20):
        inbox.put(b"a", b"%d" % number, later)
    inbox.put(b"b", b"x", later)
    assert inbox.dropped == {"rate": 10}
    assert len(taken(inbox, later)) == 11
    inbox.put(b"a", b"again", later + 1_000)
    assert len(taken(inbox, later + 1_000)) == 1


def test_memory_is_bounded_whatever_comes_from_however_many() -> None:
    limits = Limits(size=10_000, room=100_000, strangers_room=50_000)
    inbox = Inbox(limits)
    known(inbox, *(b"%d" % number for number in range(20)))
    for number in range(3 * _SOURCES):
        for size in (0, 1, 5_000, 5_000, 20_000):
            inbox.put(b"%d" % number, bytes(size), NOW_MS)
    assert inbox._known.size <= limits.room
    assert inbox._strangers.size <= limits.strangers_room
    for rota in (inbox._known, inbox._strangers):
        assert len(rota._sources) <= _SOURCES
        assert len(rota.turns) <= _SOURCES
        assert rota.size == sum(source.size for source in rota.turns)
    held = 0
    while inbox.waits(NOW_MS):
        held += len(inbox.take(NOW_MS))
    assert held + sum(inbox.dropped.values()) == 3 * _SOURCES * 5
    assert (inbox._known.size, inbox._strangers.size) == (0, 0)


def test_where_nobody_knows_who_sent_it_only_memory_is_bounded() -> None:
    inbox = Inbox()
    for number in range(3_000):
        inbox.put(ANYBODY, b"%d" % number, NOW_MS)
        got = inbox.take(NOW_MS)
        assert [one.data for one in got] == [b"%d" % number]
        inbox.judge(got, [0], NOW_MS)
    assert inbox.dropped == {}
    for _ in range(20):
        inbox.put(ANYBODY, bytes(1 << 22), NOW_MS)
    assert inbox.dropped == {"full": 5}
