# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Fragments of long messages, which nobody has signed: gathered within bounds."""

from __future__ import annotations

import tracemalloc

import pytest

from swarm_ledger.errors import PeerFault
from swarm_ledger.transport.radio_fragments import (
    MAX_PARTS,
    MOST_BYTES,
    PART_BYTES,
    Gathering,
    cut,
)

ITEM = bytes(range(256)) * 4


def fragment(sender: int, name: int, place: int, of: int, part: bytes) -> bytes:
    return bytes((0x80 | sender, *name.to_bytes(2, "big"), place, of)) + part


@pytest.mark.parametrize("size", [1, 250])
def test_what_never_comes_whole_takes_bounded_memory(size: int) -> None:
    """Anybody may name any sender: four messages of each of 127 would be 33 MB."""
    gathering, count = Gathering(), 4 * MOST_BYTES // (size + PART_BYTES)
    tracemalloc.start()
    try:
        for number in range(count):
            name, place = divmod(number, 254)
            assert gathering.take(fragment(name % 127, name, place, 255, bytes(size))) is None
            assert gathering.bytes <= MOST_BYTES
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 1.5 * MOST_BYTES


def test_one_sender_takes_the_room_of_no_other() -> None:
    gathering = Gathering()
    first, *rest = cut(1, ITEM, 255)
    assert gathering.take(first) is None
    for name in range(20_000):
        gathering.take(fragment(2, name, 0, 255, bytes(250)))
    assert [gathering.take(part) for part in rest][-1] == ITEM


def test_a_message_is_heard_in_the_midst_of_others_fragments() -> None:
    gathering, found = Gathering(), []
    for number, part in enumerate(cut(1, ITEM, 100)):
        for place in range(200):
            for again in (b"longer", bytes(200)):
                gathering.take(fragment(7 + number, number, place, 255, again))
        found.append(gathering.take(part))
    assert found[-1] == ITEM
    assert found[:-1] == [None] * (len(found) - 1)


def test_what_is_whole_or_said_again_is_counted_once() -> None:
    gathering, frames = Gathering(), list(cut(1, ITEM, 255))
    for part in (frames[0], frames[0], fragment(1, 0, 0, 9, b"x")):
        gathering.take(part)
    other = gathering.bytes - len(frames[0]) + 5 - PART_BYTES
    assert other == 1 + PART_BYTES
    assert [gathering.take(part) for part in frames[1:]][-1] == ITEM
    assert gathering.bytes == other


def test_the_longest_message_has_room_at_the_largest_frames() -> None:
    mtu = 2_047
    item = bytes(MAX_PARTS * (mtu - 5))
    gathering = Gathering()
    assert [gathering.take(part) for part in cut(1, item, mtu)][-1] == item
    with pytest.raises(PeerFault) as caught:
        list(cut(1, item + b"x", mtu))
    assert caught.value.reason == "too_long"


def test_what_was_put_together_of_two_messages_is_neither() -> None:
    gathering, (one, *rest) = Gathering(), cut(1, ITEM, 255)
    gathering.take(one[:5] + b"other" + one[10:])
    assert [gathering.take(part) for part in rest] == [None] * len(rest)


@pytest.mark.parametrize("rest", [b"", b"ab\x00\x01", b"ab\x01\x01x", b"ab\x00\x00x"])
def test_what_is_no_fragment_is_refused(rest: bytes) -> None:
    with pytest.raises(PeerFault):
        Gathering().take(b"\x81" + rest)
