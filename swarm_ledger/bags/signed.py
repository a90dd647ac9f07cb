# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Reads SignedMessages in CDR: the one type of which a bag holds millions, so without Cdr.

What the messages of one topic share, its names and the swarm's, is the same bytes in each, and
is decoded once.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from swarm_ledger.bags.cdr import Cdr, ends, plain_text
from swarm_ledger.errors import PeerFault

_REMEMBERED = 1024
_REMEMBERED_BYTES = 1024
"""Longer names than any that we sign are decoded anew each time, rather than kept."""

_STAMP_AT, _FRAME_AT = 4, 12


@dataclass(frozen=True, slots=True)
class Envelope:
    """An envelope; only what is in data is anybody's word."""

    swarm_id: str
    epoch: int
    data: bytes


class Signed(msgspec.Struct, frozen=True):
    """A SignedMessage. sec, nanosec: its stamp; swarm_id, epoch, sealed: its envelope's."""

    sec: int
    nanosec: int
    topic: str
    type_name: str
    type_hash: str
    sequence: int
    data: bytes
    swarm_id: str
    epoch: int
    sealed: bytes


@dataclass(frozen=True, slots=True)
class _Numbers:
    """How numbers are read in one order of bytes: from (data, offset)."""

    u32: Callable[[bytes, int], tuple[Any, ...]]
    stamp: Callable[[bytes, int], tuple[Any, ...]]
    sequence: Callable[[bytes, int], tuple[Any, ...]]
    epoch: Callable[[bytes, int], tuple[Any, ...]]


_NUMBERS = {
    form: _Numbers(*(struct.Struct(order + each).unpack_from for each in ("I", "iI", "QI", "II")))
    for form, order in ((b"\x00\x01", "<"), (b"\x00\x00", ">"))
}


def _numbers(data: bytes) -> _Numbers:
    found = _NUMBERS.get(data[:2])
    if found is None:
        raise PeerFault("malformed", "not a message in plain CDR.")
    return found


def _passed(data: bytes, numbers: _Numbers) -> int:
    """Return where the names end: frame, topic, type, type hash. struct.error where they don't."""
    u32 = numbers.u32
    at = _FRAME_AT + 4 + u32(data, _FRAME_AT)[0]
    at += -at & 3
    at += 4 + u32(data, at)[0]
    at += -at & 3
    at += 4 + u32(data, at)[0]
    at += -at & 3
    end: int = at + 4 + u32(data, at)[0]
    return end


def parse_signed(data: bytes) -> Signed:
    """Return a SignedMessage; PeerFault("malformed") where the bytes are none."""
    numbers = _numbers(data)
    try:
        sec, nanosec = numbers.stamp(data, _STAMP_AT)
        end = _passed(data, numbers)
        names = data[_FRAME_AT:end]
        at = end + (4 - end & 7)
        sequence, size = numbers.sequence(data, at)
        at += 12
        body = data[at : at + size]
        at += size + 1  # the envelope's kind is told by its first byte as well
        at += -at & 3
        (size,) = numbers.u32(data, at)
        swarm = data[at + 4 : at + 4 + size]
        at += 4 + size
        at += -at & 3
        epoch, size = numbers.epoch(data, at)
    except struct.error as error:
        raise ends() from error
    at += 8
    sealed = data[at : at + size]
    if len(sealed) != size:
        raise ends()
    if len(data) - at - size > 3:
        raise PeerFault("malformed", "a message goes on behind its fields.")
    topic, type_name, type_hash = _names_of(data[:2], names)
    swarm_id = _text_of(swarm)
    return Signed(
        sec, nanosec, topic, type_name, type_hash, sequence, body, swarm_id, epoch, sealed
    )


def envelope_in(data: bytes, kinds: bytes) -> Envelope | None:
    """Return a SignedMessage's envelope if it holds one of these kinds, told by its first byte.

    Nothing else is looked at; PeerFault("malformed").
    """
    numbers = _numbers(data)
    try:
        at = _passed(data, numbers)
        at += 4 - at & 7
        at += 13 + numbers.sequence(data, at)[1]
        at += -at & 3
        begin, end = at + 4, at + 4 + numbers.u32(data, at)[0]
        at = end + (-end & 3)
        epoch, size = numbers.epoch(data, at)
    except struct.error as error:
        raise ends() from error
    at += 8
    if at + size > len(data):
        raise ends()
    if not size or data[at] not in kinds:
        return None
    return Envelope(_text_of(data[begin:end]), epoch, data[at : at + size])


def _names_of(form: bytes, raw: bytes) -> tuple[str, str, str]:
    """Return topic, type and type hash from the bytes that hold them and the frame."""
    if len(raw) > _REMEMBERED_BYTES:
        return _read_names(form, raw)
    return _kept_names(form, raw)


def _read_names(form: bytes, raw: bytes) -> tuple[str, str, str]:
    cdr = Cdr(form + b"\0\0" + raw)
    cdr.text()
    return cdr.text(), cdr.text(), cdr.text()


_kept_names = lru_cache(_REMEMBERED)(_read_names)
_kept_text = lru_cache(_REMEMBERED)(plain_text)


def _text_of(raw: bytes) -> str:
    return plain_text(raw) if len(raw) > _REMEMBERED_BYTES else _kept_text(raw)
