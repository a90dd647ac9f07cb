# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Targets that read bags: MCAP, metadata.yaml, QoS, and the messages in them."""

from __future__ import annotations

import random
import tempfile
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import zstandard

from swarm_ledger.audit.bag import Options, audit_bag
from swarm_ledger.bags.bag import Bag
from swarm_ledger.bags.messages import COMPRESSED, IMAGE, KNOWN, parse
from swarm_ledger.bags.metadata import METADATA, parse_metadata
from swarm_ledger.bags.qos import parse_qos
from swarm_ledger.bags.records import CHUNK, PREFIX, U64, Op, record, text
from swarm_ledger.bags.signed import Signed
from swarm_ledger.encoding import decode
from swarm_ledger.errors import Misuse, NotVerified, PeerFault
from swarm_ledger.relay.statement import (
    MAX_SEALED_BYTES,
    Windowed,
    parse_windowed,
    split_delegation,
)
from tests.fuzz.mutation import of_bytes, of_text
from tests.fuzz.target import Target
from tests.tampering import BAG, NAME, ROSTER, Film

_TYPES = sorted(KNOWN)


def _bag(data: bytes) -> None:
    """A file, read whatever it is and audited: what it has is told twice in the same way."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bag_0.mcap"
        path.write_bytes(data)
        bag = Bag(path)
        first = [(one.channel.topic, one.log_ns, one.data) for one in bag.messages()]
        faults = bag.faults
        assert first == [(one.channel.topic, one.log_ns, one.data) for one in bag.messages()]
        assert bag.faults == faults
        audit_bag(path, Options(roster=ROSTER))


def _message(data: bytes) -> None:
    """The first byte says of which type; places in windows are read as the codec reads them."""
    if data:
        told = parse(_TYPES[data[0] % len(_TYPES)], data[1:])
        if isinstance(told, Signed):
            tied = split_delegation(told.sealed)[1][1:]
            assert _place(lambda: parse_windowed(tied)) == _place(
                lambda: decode(tied, Windowed, limit=MAX_SEALED_BYTES)
            )


def _place(read: Callable[[], Windowed]) -> Windowed | None:
    try:
        return read()
    except PeerFault:
        return None


def _metadata(data: bytes) -> None:
    parse_metadata(data)
    with suppress(Misuse):
        parse_qos(data.decode("utf-8", "replace"))


def _of_bag(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Change bytes, and put the chunks' checksums right again, so that what is in them is read."""
    changed = bytearray(of_bytes(rng, data, others))
    at = 8
    while at + PREFIX.size <= len(changed):
        op, length = PREFIX.unpack_from(changed, at)
        start = at + PREFIX.size
        if op == Op.CHUNK and start + length <= len(changed) and length > CHUNK.size + 12:
            first, last, size, _ = CHUNK.unpack_from(changed, start)
            body = bytes(changed[start + CHUNK.size + 12 : start + length])
            CHUNK.pack_into(changed, start, first, last, size, zlib.crc32(body))
        at = start + length
    return bytes(changed)


def samples() -> dict[str, list[bytes]]:
    """Return small bags, their messages and their metadata, from the repository's flight."""
    film = Film.of(BAG)
    kept = [one for one in film.messages if one.channel.type_name in KNOWN]
    by_type = {one.channel.type_name: one for one in reversed(kept)}
    images = (IMAGE, COMPRESSED)
    film.messages = [one for one in film.messages if one.channel.type_name not in images][:60]
    film.messages += [by_type[name] for name in sorted(by_type) if name not in images]
    for number, one in enumerate(film.messages):
        one.channel = replace(one.channel, definition="", qos="")
        one.log_ns = film.messages[0].log_ns + number
    with tempfile.TemporaryDirectory() as folder:
        whole = (film.write(Path(folder) / "bag") / NAME).read_bytes()
    numbers = {name: number for number, name in enumerate(_TYPES)}
    return {
        "bag": [whole, _packed(whole), whole[: len(whole) // 2]],
        "bag_message": [
            bytes([numbers[name]]) + one.data
            for name, one in by_type.items()
            if len(one.data) < 1 << 12
        ],
        "bag_metadata": [(BAG / METADATA).read_bytes()],
    }


def _packed(whole: bytes) -> bytes:
    """Return a bag that ends after its first chunk, which is packed by zstd."""
    at = 8
    while True:
        op, length = PREFIX.unpack_from(whole, at)
        start = at + PREFIX.size
        if op == Op.CHUNK:
            head, body = whole[start : start + CHUNK.size], whole[start + CHUNK.size + 12 :]
            packed = zstandard.compress(body[: length - CHUNK.size - 12])
            chunk = head + text("zstd") + U64.pack(len(packed)) + packed
            return whole[:at] + record(Op.CHUNK, chunk)
        at = start + length


_REFUSALS = (Misuse, NotVerified, PeerFault)

BAGGED = (
    Target("bag", _bag, _of_bag, _REFUSALS, cost=60, lines=400_000, memory=1 << 24),
    Target("bag_message", _message, of_bytes, (PeerFault,)),
    Target("bag_metadata", _metadata, of_text, (Misuse,), cost=10, memory=1 << 23),
)
