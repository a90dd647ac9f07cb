# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The simulated world by itself: disks, clocks, the network, the radio channel that all share."""

from __future__ import annotations

import random

import pytest

from swarm_ledger.consensus.ready import Decided
from swarm_ledger.sim.pbft.clock import Clock
from swarm_ledger.sim.pbft.disk import Content, Disk, DiskFull, Transaction
from swarm_ledger.sim.pbft.network import Air, Radio, Weather

RAW = bytes(range(200))


def block(seq: int) -> Decided:
    return Decided(seq, 0, (), ())


def record(seq: int, *, version: int = 1, tag: int = 2) -> Transaction:
    return Transaction(journal=(((version, seq, 0, tag, 1), b"%d" % seq),))


def seqs(content: Content) -> list[int]:
    return sorted(key[1] for key in content.journal)


# disk


def test_a_crash_keeps_what_was_synced() -> None:
    disk = Disk()
    disk.write(Transaction(block=block(1), bodies=((b"k", b"body"),)))
    disk.write(record(7))
    disk.sync()
    disk.crash(random.Random(1))
    assert disk.content.blocks == [block(1)]
    assert disk.content.bodies == {b"k": b"body"}
    assert seqs(disk.content) == [7]
    assert disk.torn == 0


def test_of_what_was_not_synced_the_first_few_whole_transactions_survive() -> None:
    left = set()
    for seed in range(40):
        disk = Disk()
        disk.write(record(1))
        disk.sync()
        for seq in (2, 3, 4):
            disk.write(Transaction(record(seq).journal, block=block(seq)))
        assert seqs(disk.content) == [1, 2, 3, 4]
        disk.crash(random.Random(seed))
        kept = seqs(disk.content)
        assert kept == list(range(1, len(kept) + 1))  # in order, without a gap
        assert [one.seq for one in disk.content.blocks] == kept[1:]  # all of one, or nothing
        assert disk.torn == (len(kept) < 4)
        left.add(len(kept))
    assert left == {1, 2, 3, 4}


def test_what_a_crash_took_does_not_come_back() -> None:
    disk, losing = Disk(), random.Random(0)
    while True:
        disk.write(record(5))
        disk.crash(losing)
        if not disk.content.journal:
            break
        disk.wipe()
    disk.sync()
    disk.crash(random.Random(0))
    assert disk.empty


def test_a_wiped_disk_is_empty() -> None:
    disk = Disk()
    disk.write(Transaction(record(1).journal, block=block(1)))
    disk.sync()
    assert not disk.empty
    disk.wipe()
    disk.crash(random.Random(1))
    assert disk.empty


def test_a_full_disk_takes_nothing_until_there_is_room() -> None:
    disk = Disk()
    disk.full = True
    with pytest.raises(DiskFull):
        disk.write(record(1))
    assert disk.empty
    disk.full = False
    disk.write(record(1))
    assert seqs(disk.content) == [1]


def test_the_journal_below_a_stable_checkpoint_is_dropped() -> None:
    content = Content()
    for seq in (3, 4, 5):
        content.take(record(seq))
    content.take(Transaction(stable=4))
    assert seqs(content) == [4, 5]


def test_a_new_epoch_drops_the_old_journal_but_for_votes_for_its_end() -> None:
    content = Content()
    content.take(record(6))
    content.take(record(6, tag=4))  # a checkpoint vote
    content.take(record(5, tag=4))
    content.take(record(1, version=2))
    content.take(Transaction(purge=(1, 6)))
    assert sorted(content.journal) == [(1, 6, 0, 4, 1), (2, 1, 0, 2, 1)]


def test_bodies_go_with_the_block_that_holds_them() -> None:
    content = Content()
    content.take(Transaction(bodies=((b"a", b"1"), (b"b", b"2"))))
    content.take(Transaction(block=block(1), done=(b"a", b"never here")))
    assert content.bodies == {b"b": b"2"}


# clock


def test_a_clock_is_off_and_drifts() -> None:
    clock = Clock(skew_ms=50, drift_ppm=100_000, since_ms=1_000)
    assert clock.read(1_000) == 1_050
    assert clock.read(2_000) == 2_150


def test_setting_a_clock_ends_its_drift() -> None:
    clock = Clock(skew_ms=50, drift_ppm=100_000)
    clock.correct(5_000, -7)
    assert [clock.read(now) for now in (5_000, 9_000)] == [4_993, 8_993]


def test_a_clock_remembers_the_latest_time_that_it_showed() -> None:
    clock = Clock(skew_ms=3_600_000)
    clock.read(1_000)
    clock.correct(1_100, 0)
    clock.read(1_100)
    assert clock.furthest_ms == 3_601_000


# network


def air(weather: Weather, radio: Radio | None = None, seed: int = 1) -> Air:
    return Air(random.Random(seed), weather, radio)


def send(
    air: Air, to: list[int], *, now: int = 0, sender: int = 0
) -> list[tuple[int, int, bytes]]:
    return list(air.transmit(now, sender, to, RAW, len(RAW)))


def test_a_calm_network_delivers_once_to_each_but_the_sender_within_its_delay() -> None:
    got = send(air(Weather(delay_ms=20)), [0, 1, 2])
    assert [(other, raw) for _, other, raw in got] == [(1, RAW), (2, RAW)]
    assert all(1 <= delay <= 20 for delay, _, _ in got)


@pytest.mark.parametrize("loss", [0.0, 0.2, 0.5, 1.0])
def test_as_much_is_lost_as_was_asked_for(loss: float) -> None:
    arrived = len(send(air(Weather(loss=loss)), [1] * 5_000))
    assert arrived == pytest.approx(5_000 * (1 - loss), abs=150)


def test_as_much_arrives_twice_as_was_asked_for() -> None:
    assert len(send(air(Weather(twice=0.3)), [1] * 5_000)) == pytest.approx(6_500, abs=150)


def test_a_corrupted_message_differs_in_one_byte() -> None:
    got = [raw for _, _, raw in send(air(Weather(corrupted=0.1)), [1] * 5_000)]
    changed = [raw for raw in got if raw != RAW]
    assert len(changed) == pytest.approx(500, abs=100)
    assert all(sum(a != b for a, b in zip(raw, RAW, strict=True)) == 1 for raw in changed)


def test_a_cut_is_one_way_and_lasts_until_it_is_joined() -> None:
    network = air(Weather())
    network.cut = {(0, 1)}
    assert [other for _, other, _ in send(network, [1, 2])] == [2]
    assert [other for _, other, _ in send(network, [0], sender=1)] == [0]
    network.cut = set()
    assert [other for _, other, _ in send(network, [1, 2])] == [1, 2]


def test_a_slow_link_takes_ten_times_as_long() -> None:
    network = air(Weather(delay_ms=20, slow=(0, 1)))
    slow = [delay for delay, _, _ in send(network, [1] * 500)]
    usual = [delay for delay, _, _ in send(network, [0] * 500, sender=1)]
    assert max(usual) <= 20
    assert 150 < max(slow) <= 200


def test_nothing_overtakes_where_links_keep_order() -> None:
    """But on another link, which shares nothing with it."""

    def arrivals(network: Air, to: int) -> list[int]:
        return [now + send(network, [to], now=now)[0][0] for now in range(200)]

    network = air(Weather(delay_ms=20, in_order=True))
    first, other = arrivals(network, 1), arrivals(network, 2)
    assert first == sorted(first)
    assert other == sorted(other)
    assert min(other) <= 20
    free = arrivals(air(Weather(delay_ms=20)), 1)
    assert free != sorted(free)


def test_some_messages_are_very_late() -> None:
    delays = [delay for delay, _, _ in send(air(Weather(delay_ms=20, late=0.1)), [1] * 5_000)]
    assert max(delays) > 100
    assert sum(delay > 20 for delay in delays) < 500


def test_a_link_s_bytes_count_for_each_receiver() -> None:
    network = air(Weather())
    send(network, [1, 2, 3])
    assert (network.sent, network.air_bytes) == (1, 3 * len(RAW))


# radio

SURE = Radio(bit_rate=8_000, header_bytes=0, hidden=0.0)
"""A byte takes a millisecond."""
AT_ONCE = Weather(delay_ms=1)


def test_the_bit_rate_decides_how_long_a_message_is_on_the_air() -> None:
    for rate, delay in ((8_000, 201), (16_000, 101), (80_000, 21)):
        network = air(AT_ONCE, Radio(bit_rate=rate, header_bytes=0, hidden=0.0))
        assert send(network, [1]) == [(delay, 1, RAW)]
    network = air(AT_ONCE, Radio(bit_rate=8_000, header_bytes=50, hidden=0.0))
    assert send(network, [1]) == [(251, 1, RAW)]


def test_a_broadcast_costs_the_channel_as_much_as_a_message_to_one() -> None:
    network = air(AT_ONCE, Radio(bit_rate=8_000, header_bytes=24, hidden=0.0))
    assert [other for _, other, _ in send(network, [1, 2, 3])] == [1, 2, 3]
    assert network.air_bytes == len(RAW) + 24


def test_who_finds_the_channel_busy_waits_for_its_end() -> None:
    network = air(AT_ONCE, SURE)
    send(network, [1])
    ((delay, _, _),) = send(network, [2], now=50, sender=1)
    assert 350 < delay <= 355  # 150 until it is free, at most 4 at random, 200 on the air
    ((delay, _, _),) = send(network, [2], now=1_000, sender=1)
    assert delay == 201


def test_who_does_not_hear_the_other_collides() -> None:
    network = air(AT_ONCE, Radio(bit_rate=8_000, header_bytes=0, hidden=1.0))
    assert send(network, [1])
    assert send(network, [2], now=50, sender=1) == []
    assert network.collisions == 1
    assert network.air_bytes == 2 * len(RAW)  # it was sent, and for nothing
    assert send(network, [2], now=1_000, sender=1)


def test_two_that_begin_at_once_collide() -> None:
    network = air(AT_ONCE, Radio(bit_rate=8_000_000, header_bytes=0, guard_ms=5, hidden=0.0))
    assert send(network, [1])
    assert send(network, [2], now=1, sender=1) == []
    assert network.collisions == 1


def test_a_sender_s_queue_has_an_end() -> None:
    network = air(AT_ONCE, Radio(bit_rate=8_000, header_bytes=0, hidden=0.0, queue=3))
    arrived = [bool(send(network, [1])) for _ in range(10)]
    assert arrived == sorted(arrived, reverse=True)
    assert 3 <= sum(arrived) <= 4
    assert network.air_bytes == sum(arrived) * len(RAW)
