# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What waits to be said on a narrow link: the urgent first, the newer instead of the older, and
nothing that nobody needs any more.

A transport may drop what it likes, as what matters is repeated; so none of this can do harm.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum

from swarm_ledger.consensus.messages import (
    Checkpoint,
    Commit,
    Committed,
    Message,
    NewView,
    Prepare,
    PrePrepare,
    Status,
    ViewChange,
    Want,
    parse,
)
from swarm_ledger.encoding import decode
from swarm_ledger.envelope import Kind
from swarm_ledger.errors import PeerFault
from swarm_ledger.identity.cose import parse1

MOST = 256
"""Messages that wait, at most: then the least urgent, and of those the oldest, are dropped."""

_LIMIT = 1 << 22


class Urgency(IntEnum):
    """What goes first. Agreement, so that what is under way ends before more begins; but what is
    repeated waits for what is new, since somebody may not be heard because of it.
    """

    VIEW = 0
    AGREEMENT = 1
    REQUEST = 2
    PROOF = 3
    HELP = 4
    HELLO = 5
    AGAIN = 6
    STATE = 7
    CLOCK = 8


@dataclass(frozen=True, slots=True)
class Topic:
    """What a message is about. name: of two of one sender with one name, the later one stays.

    personal: whether it is for its addressee only, so that others need not take it in.
    """

    urgency: Urgency
    name: tuple[object, ...] | None = None
    personal: bool = False
    message: Message | None = None


_OF_KIND = {
    Kind.SESSION: Topic(Urgency.HELLO),
    Kind.CLOCK: Topic(Urgency.CLOCK, ("clock",)),
    Kind.LAGGING: Topic(Urgency.HELP, ("lagging",), personal=True),
    Kind.PIECE: Topic(Urgency.HELP, personal=True),
    Kind.SHARES: Topic(Urgency.HELLO, ("shares",)),
    Kind.LACKING: Topic(Urgency.HELLO, personal=True),
}


def topic_of(raw: bytes, to: int | None) -> Topic:
    """Return what a message is about, as it says itself; one that can't be read is a request."""
    kind = raw[0] if raw else 0
    if kind == Kind.WELCOME:
        return Topic(Urgency.HELLO, ("welcome", to), personal=True)
    with suppress(PeerFault):
        if kind == Kind.CARRIED:
            parts: tuple[bytes, bytes] = decode(raw[1:], tuple[bytes, bytes], limit=_LIMIT)
            raw = parts[1]
            kind = raw[0] if raw else 0
        if kind == Kind.CONSENSUS:
            return _of_consensus(parse(parse1(raw[1:], limit=_LIMIT).payload), to)
    return _OF_KIND.get(Kind(kind), _REQUEST) if kind in set(Kind) else _REQUEST


_REQUEST = Topic(Urgency.REQUEST)


_OF_FORM: dict[type[Message], Urgency] = {
    NewView: Urgency.VIEW,
    PrePrepare: Urgency.REQUEST,  # behind our own that it names, or all would ask for them
    Prepare: Urgency.AGREEMENT,
    Commit: Urgency.AGREEMENT,
    Committed: Urgency.HELP,
}


def _of_consensus(said: Message, to: int | None) -> Topic:
    urgency = _OF_FORM.get(type(said))
    if urgency is not None:
        return Topic(urgency, message=said)
    if isinstance(said, Checkpoint):
        return Topic(Urgency.PROOF, ("checkpoint",) if to is None else None, message=said)
    if isinstance(said, ViewChange):
        # Said to one: what that one asked for, of several members, and it needs each of them.
        return Topic(Urgency.VIEW, ("view change",) if to is None else None, message=said)
    if isinstance(said, Status):
        return Topic(Urgency.STATE, ("status", to), message=said)
    # Who lacks view changes may lack bodies as well: one question is not instead of the other.
    name = None if isinstance(said, Want) else (type(said), to)
    return Topic(Urgency.HELP, name, personal=to is not None, message=said)


@dataclass(slots=True)
class Waiting:
    """One message. to: None for all; alone: to be understood by who heard nothing before it.

    lacked: whether somebody is known to lack it, so that it is said whatever we think of it.
    """

    raw: bytes
    to: int | None
    topic: Topic
    alone: bool
    lacked: bool


class Queue:
    """What one sender has to say."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[bytes, Waiting] = OrderedDict()
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, one: Waiting) -> None:
        """Take one more; the same for two drones is said once, to all."""
        known = self._waiting.get(one.raw)
        if known is not None:
            known.to = known.to if known.to == one.to else None
            known.alone = known.alone or one.alone
            known.lacked = known.lacked or one.lacked
            return
        name = one.topic.name
        if name is not None:
            for raw in [w.raw for w in self._waiting.values() if w.topic.name == name]:
                self.drop(raw)
        self._waiting[one.raw] = one
        if len(self._waiting) > MOST:
            worst = max(self._waiting.values(), key=_urgency)
            self.drop(worst.raw)

    def drop(self, raw: bytes) -> None:
        """Say it no more, if it waits."""
        if self._waiting.pop(raw, None) is not None:
            self.dropped += 1

    def heard(self, raw: bytes, to: int | None) -> None:
        """Somebody else said it, to one or all: then we need not, if those are all we mean."""
        known = self._waiting.get(raw)
        if known is not None and to in (None, known.to):
            self.drop(raw)

    def taken(self, raw: bytes) -> None:
        """It is on the air now."""
        self._waiting.pop(raw, None)

    def prune(self, needless: Callable[[Message], bool]) -> list[bytes]:
        """Drop, and return, our own statements to all that nobody needs any more."""
        spared = [
            one.raw
            for one in self._waiting.values()
            if one.topic.message is not None and not one.lacked and needless(one.topic.message)
        ]
        for raw in spared:
            self.drop(raw)
        return spared

    @property
    def urgent(self) -> bool:
        """Whether something waits that others wait for."""
        return any(_urgency(one) < Urgency.AGAIN for one in self._waiting.values())

    def ordered(self) -> list[Waiting]:
        """Return what may share a frame, the most urgent first, and of those the oldest.

        What can wait does not make a frame longer that others wait for.
        """
        urgent = self.urgent
        able = [
            one for one in self._waiting.values() if not urgent or _urgency(one) < Urgency.AGAIN
        ]
        return sorted(able, key=_urgency)


def _urgency(one: Waiting) -> Urgency:
    return max(one.topic.urgency, Urgency.AGAIN) if one.alone else one.topic.urgency
