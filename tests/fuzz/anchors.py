# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Targets about anchors: what is sealed, what lists leaves, and the files between processes."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from swarm_ledger.encoding import decode, encode
from swarm_ledger.errors import PeerFault
from swarm_ledger.relay.anchor import (
    Anchor,
    Leaf,
    Range,
    Told,
    leaves_data,
    parse_anchor,
    parse_leaves,
    told_of,
)
from swarm_ledger.relay.statement import WINDOWS, sequence_of
from swarm_ledger.runtime.courier import HELD, WANTED, Outbox
from tests.anchored import sealed_anchor
from tests.fuzz.forging import CREW, of_sealed
from tests.fuzz.mutation import of_bytes, of_cbor
from tests.fuzz.scratch import put
from tests.fuzz.target import Target


def _leaves(data: bytes) -> None:
    hashes = parse_leaves(data)
    assert leaves_data(Leaf("", 0, one) for one in hashes) == data


def _told(data: bytes) -> None:
    told: Told = decode(data, Told, limit=128)
    assert encode(told) == data


def _anchor(data: bytes) -> None:
    assert encode(parse_anchor(data)) == data


def _files(data: bytes) -> None:
    """A relay comes up with what is in the drone's folder."""
    folder = put("drone_1/" + WANTED, data).parent
    put("drone_1/" + HELD, data)
    outbox = Outbox(folder)
    told, pending = outbox.told(), outbox.pending()
    outbox.close()
    if told is None and pending is None:
        raise PeerFault("malformed", "neither file is whole.")


_FORMS: tuple[Callable[[bytes], None], ...] = (_anchor, _told, _leaves, _files)


def _run(data: bytes) -> None:
    """The first byte says which."""
    if not data:
        raise PeerFault("malformed", "nothing.")
    _FORMS[data[0] % len(_FORMS)](data[1:])


def _mutate(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    pool = [other[1:] for other in others]
    form = data[0] % len(_FORMS) if data else 0
    if form == 2 or rng.random() < 0.05:
        return data[:1] + of_bytes(rng, data[1:], pool)
    if form == 3 and rng.random() < 0.7:
        return data[:1] + of_sealed(rng, data[1:], pool)
    return data[:1] + of_cbor(rng, data[1:], pool)


def samples() -> list[bytes]:
    """Return one of each form."""
    ranges = (
        Range(WINDOWS, sequence_of(1, 1), 2),
        Range("/drone_1/odom", sequence_of(1, 1), 3),
        Range("/drone_1/odom", sequence_of(2, 1), 3),
    )
    first = Anchor(1, b"", 1_893_456_000_000_000, 5, bytes(32), ranges)
    second = Anchor(2, first.digest, 1_893_456_030_000_000, 5, b"\1" * 32, ranges)
    return [
        b"\0" + encode(first),
        b"\0" + encode(second),
        b"\1" + encode(Told()),
        b"\1" + encode(told_of(second)),
        b"\2" + leaves_data([Leaf("/a", n, bytes([n]) * 32) for n in range(3)]),
        b"\3" + sealed_anchor(CREW, "drone_1", first),
    ]


ANCHORS = (Target("anchor", _run, _mutate, (PeerFault,), cost=3),)
