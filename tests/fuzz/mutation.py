# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Changes to bytes, trees and texts: what one who knows the formats would send."""

from __future__ import annotations

import base64
import json
import random
import re
from collections.abc import Callable, Sequence
from typing import Any

import cbor2

NUMBERS = (0, 1, 2, -1, 16, 255, 256, 2**16, 2**31, 2**32, 2**53 - 1, 2**53, 2**63 - 1, 2**63)
MOST = 1 << 18
"""Inputs longer than that are cut: what is slow or large shows before."""

UNREADABLE = (cbor2.CBORDecodeError, ValueError, TypeError, OverflowError, RecursionError)
"""What is raised for bytes that are no CBOR or JSON."""

_LEAVES: tuple[Any, ...] = (
    *NUMBERS, 2**64 - 1, -(2**63), 1.5, float("inf"), float("nan"), None, True, False,
    b"", bytes(32), b"\xff" * 8, "", "x", "\x00", "\n", "é" * 40, "\U0001f680",
    [], {}, [[]], [[[]]],
)  # fmt: skip


def of_bytes(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Flip, cut, repeat, insert and splice, without knowing what any of it means."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        at = rng.randrange(len(changed) + 1)
        until = min(len(changed), at + rng.choice((1, 1, 2, 4, 8, 64, 1024)))
        deed = rng.randrange(7)
        if deed == 0 and at < len(changed):
            changed[at] ^= 1 << rng.randrange(8)
        elif deed == 1 and at < len(changed):
            changed[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        elif deed == 2:
            del changed[at:until]
        elif deed == 3:
            changed[at:at] = changed[at:until] * rng.choice((1, 1, 2, 100))
        elif deed == 4:
            changed[at:at] = rng.randbytes(rng.choice((1, 2, 8, 64)))
        elif deed == 5:
            changed[at:until] = rng.choice(NUMBERS).to_bytes(9, "big", signed=True)[
                -(until - at) :
            ]
        elif others:
            other = rng.choice(others)
            there = rng.randrange(len(other) + 1)
            changed[at:until] = other[there : there + rng.choice((4, 32, 1024))]
    return bytes(changed[:MOST])


def of_tree(rng: random.Random, tree: Any, inner: Callable[[bytes], bytes | None]) -> Any:
    """Change a value of lists, maps and leaves in one place or in several.

    inner: changes a byte string that holds a message of its own, or tells that it does not.
    """
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        tree = _at(rng, tree, inner)
    return tree


def _at(rng: random.Random, tree: Any, inner: Callable[[bytes], bytes | None]) -> Any:
    if isinstance(tree, list | tuple) and tree and rng.random() < 0.9:
        items = list(tree)
        at = rng.randrange(len(items))
        deed = rng.randrange(12)
        if deed == 0:
            del items[at]
        elif deed == 1:
            items[at:at] = [items[at]] * rng.choice((1, 1, 2, 300))
        elif deed == 2:
            rng.shuffle(items)
        elif deed == 3:
            items.append(rng.choice(_LEAVES))
        else:
            items[at] = _at(rng, items[at], inner)
        return items
    if isinstance(tree, dict) and tree and rng.random() < 0.9:
        pairs = dict(tree)
        key = rng.choice(list(pairs))
        deed = rng.randrange(8)
        if deed == 0:
            del pairs[key]
        elif deed == 1:
            pairs[rng.choice((*NUMBERS, 3, -65_537, "", b"", rng.randrange(12)))] = pairs[key]
        else:
            pairs[key] = _at(rng, pairs[key], inner)
        return pairs
    if isinstance(tree, bytes) and rng.random() < 0.8:
        changed = inner(tree)
        return of_bytes(rng, tree, ()) if changed is None else changed
    return _leaf(rng, tree)


def _leaf(rng: random.Random, leaf: Any) -> Any:
    """Return a neighbour of a leaf, or quite another one."""
    if isinstance(leaf, bool) or rng.random() < 0.3:
        return rng.choice([odd for odd in _LEAVES if not isinstance(odd, list | dict)])
    if isinstance(leaf, int):
        return rng.choice((leaf + 1, leaf - 1, -leaf, leaf * 2, rng.choice(NUMBERS)))
    if isinstance(leaf, str):
        return of_bytes(rng, leaf.encode(), ()).decode(errors=rng.choice(("replace", "ignore")))
    return [leaf] * rng.choice((0, 1, 2)) if rng.random() < 0.5 else rng.choice(_LEAVES[:14])


def packed(value: Any, rng: random.Random) -> bytes:
    """Return CBOR, mostly in the one form that is taken."""
    try:
        return cbor2.dumps(value, canonical=rng.random() < 0.95)
    except (cbor2.CBOREncodeError, RecursionError, ValueError):
        return b"\xf6"


def of_cbor(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Change what CBOR says, or its bytes."""
    try:
        tree = cbor2.loads(data)
    except UNREADABLE:
        tree = None
    if tree is None or rng.random() < 0.2:
        return of_bytes(rng, data, others)
    if rng.random() < 0.01:
        return _bomb(rng)
    return packed(of_tree(rng, tree, lambda raw: _inner(rng, raw, others)), rng)[:MOST]


def _inner(rng: random.Random, raw: bytes, others: Sequence[bytes]) -> bytes | None:
    if raw[:1] in b"\x80\x81\x82\x83\x84\xa0\xa1\xa2\xa3\xa4\xa5" and rng.random() < 0.8:
        return of_cbor(rng, raw, others)
    return rng.choice(others) if others and rng.random() < 0.1 else None


def _bomb(rng: random.Random) -> bytes:
    """Return a few bytes that claim to be large or deep."""
    length = rng.choice((2**16, 2**31, 2**32, 2**62)).to_bytes(8, "big")
    return rng.choice(
        (
            bytes([rng.choice((0x5B, 0x7B, 0x9B, 0xBB))]) + length + b"\x00" * rng.randrange(9),
            rng.choice((b"\x81", b"\x9f", b"\xa1\x00", b"\xd8\x1c\x81")) * rng.choice((9, 50_000)),
            b"\xc2\x5a\x00\x01\x00\x00" + bytes(65536),
            b"\x5f" + b"\x41\x00" * 20_000,
            b"\x99\xff\xff" + b"\x80" * 65535,
        )
    )


def of_json(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Change what JSON says, or its bytes."""
    try:
        tree = json.loads(data)
    except UNREADABLE:
        tree = None
    if tree is None or rng.random() < 0.2:
        return of_bytes(rng, data, others)
    if rng.random() < 0.01:
        deep = rng.choice((b"[", b'{"a":')) * rng.choice((200, 100_000))
        return rng.choice((deep, b"1" * 100_000, b'"' + b"\\u0000" * 9_000 + b'"'))
    changed = of_tree(rng, tree, lambda _: None)
    try:
        text = json.dumps(changed, default=repr, skipkeys=True, indent=rng.choice((None, 1)))
    except UNREADABLE:
        return b"null"
    return text.encode()[:MOST]


_BASE64 = re.compile(rb"[A-Za-z0-9+/]{8,}={0,2}")
_NUMBER = re.compile(rb"[0-9]+")


def of_text(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Change a text by lines and words, and by what its base64 and its numbers say."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        deed = rng.randrange(10)
        lines = data.split(b"\n")
        at = rng.randrange(len(lines))
        if deed == 0:
            del lines[at]
        elif deed == 1:
            lines[at:at] = [lines[at]] * rng.choice((1, 1, 2, 500))
        elif deed == 2:
            other = rng.randrange(len(lines))
            lines[at], lines[other] = lines[other], lines[at]
        elif deed == 3:
            words = lines[at].split(b" ")
            which = rng.randrange(len(words))
            words[which : which + 1] = rng.choice(([], [words[which]] * 2, [b""], [b"none"]))
            lines[at] = b" ".join(words)
        elif deed == 4 and others:
            lines[at:at] = rng.choice(others).split(b"\n")[: rng.choice((1, 4))]
        elif deed == 5:
            lines[at] = of_bytes(rng, lines[at], ())
        elif deed == 6:
            return of_bytes(rng, data, others)
        data = b"\n".join(lines)
        if deed == 7:
            data = _one(rng, _NUMBER, data, lambda found: _recounted(rng, found))
        elif deed > 7:
            data = _one(rng, _BASE64, data, lambda found: _rewritten(rng, found))
    return data[:MOST]


def _one(
    rng: random.Random, form: re.Pattern[bytes], data: bytes, change: Callable[[bytes], bytes]
) -> bytes:
    found = [match.span() for match in form.finditer(data)]
    if not found:
        return data
    start, end = rng.choice(found)
    return data[:start] + change(data[start:end]) + data[end:]


def _recounted(rng: random.Random, found: bytes) -> bytes:
    number = int(found[:4000])
    changed = rng.choice((number + 1, number - 1, -number, number * 10, rng.choice(NUMBERS), "x"))
    return str(changed).encode()


def _rewritten(rng: random.Random, found: bytes) -> bytes:
    bare = found.rstrip(b"=")
    raw = base64.b64decode(bare[: len(bare) // 4 * 4])
    return base64.b64encode(of_bytes(rng, raw, ()))
