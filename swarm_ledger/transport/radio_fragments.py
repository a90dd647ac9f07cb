# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Long messages on a narrow channel: cut into frames, and gathered from them again.

A fragment is who, the beginning of the message's digest, which part, of how many, and the part.
Nobody has signed any of that: so what is gathered is bounded for all senders together.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from swarm_ledger.encoding import digest
from swarm_ledger.errors import PeerFault

FRAGMENT = 0x80
"""Set in a frame's first byte, beside the sender."""

MAX_PARTS = 255
_NAME = 2
_HEAD = 5

_PARTIAL = 4
"""Messages of one sender that are gathered at a time."""

MOST_BYTES = 1 << 20
"""All that is gathered; at the largest frames, the longest message has room in it."""

PART_BYTES = 128
"""What a fragment takes in memory beside its bytes."""

_Name = tuple[int, bytes, int]


def cut(sender: int, item: bytes, mtu: int) -> Iterator[bytes]:
    """Yield the frames of a message; PeerFault if they are too many.

    Its name is its own, so that what is lost of it may come when it is repeated.
    """
    room = mtu - _HEAD
    parts = [item[at : at + room] for at in range(0, len(item), room)]
    if len(parts) > MAX_PARTS:
        raise PeerFault("too_long", f"{len(item)} bytes take over {MAX_PARTS} frames.")
    name = digest(item)[:_NAME]
    for place, part in enumerate(parts):
        yield bytes((sender | FRAGMENT, *name, place, len(parts))) + part


class Gathering:
    """What has come of messages that are not whole yet; what was idle longest makes room."""

    def __init__(self) -> None:
        self._partial: OrderedDict[_Name, dict[int, bytes]] = OrderedDict()
        self.bytes = 0

    def take(self, frame: bytes) -> bytes | None:
        """Take in a fragment; return its message if that is whole. PeerFault if it is none."""
        if len(frame) <= _HEAD or not frame[3] < frame[4]:
            raise PeerFault("malformed", "no fragment of anything.")
        sender, place, of = frame[0] & ~FRAGMENT, frame[3], frame[4]
        name = sender, frame[1 : 1 + _NAME], of
        if name not in self._partial:
            own = [other for other in self._partial if other[0] == sender]
            if len(own) >= _PARTIAL:
                self._drop(own[0])
        parts = self._partial.setdefault(name, {})
        self._partial.move_to_end(name)
        self.bytes -= _held(parts.pop(place, None))
        parts[place] = frame[_HEAD:]
        self.bytes += _held(parts[place])
        while self.bytes > MOST_BYTES:
            self._drop(next(iter(self._partial)))
        if len(parts) < of:
            return None
        self._drop(name)
        whole = b"".join(part for _, part in sorted(parts.items()))
        return whole if digest(whole)[:_NAME] == name[1] else None

    def _drop(self, name: _Name) -> None:
        self.bytes -= sum(map(_held, self._partial.pop(name).values()))


def _held(part: bytes | None) -> int:
    """Return what a fragment takes in memory."""
    return 0 if part is None else len(part) + PART_BYTES
