# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What robots that gossip say to whoever is near. None of it is signed: what it carries is.

A frame can be forged by anybody. So it may only ever cost its sender's own link: wrong summaries
and lists lead to things being sent that are not needed, or not being sent over that link.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta

from swarm_ledger.encoding import Record, decode

MAX_ITEM_BYTES = 1 << 18
MAX_FRAME_BYTES = MAX_ITEM_BYTES + (1 << 14)
MAX_ORIGINS = 1024
MAX_LISTED = 512
MAX_ITEMS = 64
NAME_BYTES = 16
"""Of an item's digest, and of a fingerprint: a collision takes 2^64 tries, and would only keep
its author's own messages from spreading.
"""

Name = Annotated[bytes, Meta(min_length=NAME_BYTES, max_length=NAME_BYTES)]
Index = Annotated[int, Meta(ge=0, lt=2**16)]
Millis = Annotated[int, Meta(ge=0, lt=2**40)]
Data = Annotated[bytes, Meta(min_length=1, max_length=MAX_ITEM_BYTES)]


class Summary(Record, tag=1, frozen=True):
    """Here is `me`, who holds this: by origin, in ascending order, a fingerprint of its items."""

    me: Index
    held: Annotated[tuple[tuple[Index, Name], ...], Meta(max_length=MAX_ORIGINS)]


class Listing(Record, tag=2, frozen=True):
    """Of these origins, these are the items that the sender holds: it lacks the others."""

    origins: Annotated[tuple[Index, ...], Meta(max_length=MAX_ORIGINS)]
    names: Annotated[tuple[Name, ...], Meta(max_length=MAX_LISTED)]


class Items(Record, tag=3, frozen=True):
    """Sealed messages to carry on, each with its age in milliseconds."""

    items: Annotated[tuple[tuple[Millis, Data], ...], Meta(max_length=MAX_ITEMS)]


class Letters(Record, tag=4, frozen=True):
    """Sealed messages for `to`, or for whoever hears it (None): nobody carries these on."""

    to: Index | None
    letters: Annotated[tuple[Data, ...], Meta(max_length=MAX_ITEMS)]


Frame: TypeAlias = Summary | Listing | Items | Letters


def parse_frame(raw: bytes) -> Frame:
    """Parse what came by radio; PeerFault("malformed" | "oversize") if it is no frame."""
    frame: Frame = decode(raw, Frame, limit=MAX_FRAME_BYTES)
    return frame
