# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A target that reads what is packed on a disk: whatever comes out packs to the same again."""

from __future__ import annotations

import random
import zlib
from collections.abc import Sequence

from swarm_ledger.errors import NotVerified
from swarm_ledger.ledger.packing import DICTIONARY, pack, unpack
from tests.fuzz.mutation import of_bytes
from tests.fuzz.target import Target


def _run(data: bytes) -> None:
    """The first byte says how many parts, less one."""
    if not data:
        raise NotVerified("nothing", where="here")
    count = data[0] + 1
    parts = unpack(data[1:], count, "here")
    assert len(parts) == count
    assert unpack(pack(parts), count, "here") == parts


def of_packed(rng: random.Random, data: bytes) -> bytes:
    """Change what is packed as it is, or what is deflated in it."""
    inflate = zlib.decompressobj(zdict=DICTIONARY)
    try:
        inside = inflate.decompress(data, 1 << 16) if rng.random() < 0.7 else b""
    except zlib.error:
        inside = b""
    if not inside:
        return of_bytes(rng, data, [data])
    deflate = zlib.compressobj(zdict=DICTIONARY)
    changed = deflate.compress(of_bytes(rng, inside, [inside])) + deflate.flush()
    return changed + inflate.unused_data


def _mutate(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    count = data[:1] if rng.random() < 0.9 else rng.randbytes(1)
    return count + of_packed(rng, data[1:])


def samples() -> list[bytes]:
    """Return a block with signatures, a note, and one of each thing that is rare."""
    vote = b"\x03\x58\x20" + bytes(32) + b"\x58\x40" + bytes(range(64))
    blocks = (
        [vote, vote, b"certificate"],
        [b"", b""],
        [b"X X@X X" * 20],
        [b"note\n\n\xe2\x80\x94 a b\n"],
    )
    return [bytes([len(parts) - 1]) + pack(parts) for parts in blocks]


PACKED = (Target("packed", _run, _mutate, (NotVerified,), lines=4_000_000, memory=1 << 26),)
"""What it may take is what the largest block takes: a small file may well hold one."""
