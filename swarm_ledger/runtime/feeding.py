# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""How voters that are no validators get the ledger: they ask two of the committee, in turn.

Each block comes as it is committed, with its certificate, so that nobody has to be believed; who
is given none by one pair goes on to the next. No message of consensus itself is sent to them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from swarm_ledger.consensus.messages import Message, Signed, Status
from swarm_ledger.encoding import Count, Record, decode, encode
from swarm_ledger.envelope import Kind
from swarm_ledger.errors import PeerFault
from swarm_ledger.ledger.certified import StoredCheckpoint
from swarm_ledger.runtime.engine import Engine
from swarm_ledger.runtime.epochs import Seat
from swarm_ledger.runtime.numbered import Numbered, Numbers
from swarm_ledger.transport import Transport

MAX_NOTE_BYTES = 1 << 15
"""A quorum of 128 members' lines take half of it."""

FEEDERS = 2
"""How many validators a follower asks at a time: one that is silent then costs no time."""

_QUIET = 4
"""Whoever waits for nothing asks that many times less often."""

_LEASE = 3
"""How many such pauses blocks come without being asked for again."""

_SETTLED = 8
"""After so many times the pair changes in any case: it may say that there is nothing new."""

_NEVER_MS = -(2**53)


class Follow(Record, frozen=True):
    """Asks for all blocks after one, as they come, and for checkpoints after one.

    proofs: whether cosignatures are wanted too, which one feeder is asked for; number: larger each
    time that the session asks.
    """

    height: Count
    stable: Count
    proofs: bool
    number: Count


def parse_follow(payload: bytes) -> Follow:
    """Parse a sealed Kind.FOLLOW message's payload; PeerFault if it is none."""
    follow: Follow = decode(payload, Follow, limit=32)
    return follow


class Certified(Record, frozen=True):
    """A checkpoint after a block, as cosigned: the signed note that the ledger keeps."""

    height: Count
    note: Annotated[bytes, Meta(min_length=1, max_length=MAX_NOTE_BYTES)]


def parse_certified(payload: bytes) -> Certified:
    """Parse a sealed Kind.CERTIFIED message's payload; PeerFault if it is none."""
    certified: Certified = decode(payload, Certified, limit=MAX_NOTE_BYTES + 32)
    return certified


@dataclass
class _Feed:
    """What a follower has, or was sent. until_ms: so long it wants more."""

    seat: Seat
    height: int
    stable: int
    proofs: bool
    until_ms: int
    heard_ms: int


class Feeding:
    """A validator's part in it: who follows it, and what they lack. pause_ms: as Following's.

    Whoever says again what a follower asked would have it sent the same blocks again and again, by
    all validators, and nothing new. So the last number of each session is remembered.
    """

    def __init__(self, engine: Engine, transport: Transport, pause_ms: int) -> None:
        self._engine, self._transport, self._pause_ms = engine, transport, pause_ms
        self._feeds: dict[int, _Feed] = {}
        self._numbers = Numbered()

    def hear(self, raw: bytes) -> tuple[Seat, int] | None:
        """Take in that somebody follows; return seat and member whose next block was pruned here.

        PeerFault if it is no such message. At most one in half a pause is answered, and each only
        once.
        """
        seat, opened = self._engine.open_fresh(raw)
        wants, who, now_ms = parse_follow(opened.payload), opened.author, self._engine.steady_ms
        before = self._feeds.get(who.index)
        soon = before is not None and now_ms - before.heard_ms < self._pause_ms // 2
        if soon or not seat.orders or who.index in seat.roster.validators:
            return None
        if not self._numbers.is_new(opened.session, wants.number):
            return None
        until_ms = now_ms + _LEASE * _QUIET * self._pause_ms
        feed = _Feed(seat, wants.height, wants.stable, wants.proofs, until_ms, now_ms)
        self._feeds[who.index] = feed
        replica = self._engine.current.replica
        here = Status(replica.view, replica.applied_seq, replica.stable_seq)
        self._send(seat, who.index, seat.seal(here))
        if wants.height + 1 < self._engine.keeper.store.base:
            return seat, who.index
        self._serve(who.index, feed)
        self._prove(who.index, feed, self._engine.keeper.store.latest_checkpoint())
        return None

    def on_applied(self, height: int) -> None:
        """Send a new block to those who have all before it; sealed once for all."""
        sealed: dict[int, list[bytes]] = {}
        for who, feed in list(self._feeds.items()):
            if feed.height != height - 1 or self._engine.steady_ms > feed.until_ms:
                continue
            version = feed.seat.roster.version
            if version not in sealed:
                sealed[version] = list(self._engine.sealed_blocks(feed.seat, height))
            self._hand(who, feed, sealed[version])

    def tick(self) -> None:
        """Send newer checkpoints; forget who wants nothing any more."""
        now_ms = self._engine.steady_ms
        self._feeds = {who: feed for who, feed in self._feeds.items() if now_ms <= feed.until_ms}
        if self._feeds:
            latest = self._engine.keeper.store.latest_checkpoint()
            for who, feed in self._feeds.items():
                self._prove(who, feed, latest)

    def _serve(self, who: int, feed: _Feed) -> None:
        self._hand(who, feed, self._engine.sealed_blocks(feed.seat, feed.height + 1))

    def _hand(self, who: int, feed: _Feed, blocks: Iterator[bytes] | list[bytes]) -> None:
        for raw in blocks:
            self._send(feed.seat, who, raw)
            feed.height += 1

    def _prove(self, who: int, feed: _Feed, latest: StoredCheckpoint | None) -> None:
        me = feed.seat.identity
        if latest is None or me is None or not feed.proofs:
            return
        if feed.stable < latest.height <= feed.height:
            feed.stable = latest.height
            certified = encode(Certified(latest.height, latest.note))
            self._send(feed.seat, who, me.seal(Kind.CERTIFIED, certified))

    def _send(self, seat: Seat, to: int, raw: bytes) -> None:
        if raw:
            with self._engine.within(seat):
                self._transport.send(to, raw)


class Following:
    """A follower's part. pause_ms: between two times that it asks while something is to come."""

    def __init__(self, engine: Engine, transport: Transport, pause_ms: int) -> None:
        self._engine, self._transport, self._pause_ms = engine, transport, pause_ms
        self._asked_ms, self._at, self._height, self._times = _NEVER_MS, 0, 0, 0
        self._answered: set[int] = set()
        self._claimed, self._numbers = 0, Numbers()

    def hear(self, signed: Signed[Message]) -> None:
        """Take in how long a validator's ledger is, as it says in answer to our asking."""
        if isinstance(signed.message, Status):
            self._answered.add(signed.sender)
            self._claimed = max(self._claimed, signed.message.applied)

    def hear_certified(self, raw: bytes) -> None:
        """Take in a checkpoint's certificate; PeerFault if it does not hold."""
        _, opened = self._engine.epochs.open(raw)
        certified = parse_certified(opened.payload)
        seat = self._engine.current.seat
        if seat.identity is not None and not seat.orders:
            try:
                self._engine.take_certificate(certified.height, certified.note)
            except PeerFault as fault:
                raise fault.by(opened.author.name) from None

    def tick(self) -> None:
        """Ask for what comes, at once where we begin; go on to others who give nothing."""
        engine = self._engine
        seat = engine.epochs.voice(engine.current, None)
        if seat.identity is None or seat.orders:
            return
        replica, now_ms = engine.current.replica, engine.steady_ms
        height = engine.keeper.store.height
        wanting = replica.pending > 0 or self._claimed > height
        pause_ms = self._pause_ms * (1 if wanting else _QUIET)
        if now_ms - self._asked_ms < pause_ms:
            return
        latest = engine.keeper.store.latest_checkpoint()
        stable = latest.height if latest is not None else 0
        order = seat.roster.validators
        stalled = wanting and height == self._height
        silent = not self._answered.issuperset(self._pair(order))
        self._times += 1
        if self._asked_ms != _NEVER_MS and (stalled or silent or self._times % _SETTLED == 0):
            self._at += FEEDERS
        elif self._asked_ms == _NEVER_MS:
            self._at = FEEDERS * seat.identity.member.index
        self._asked_ms, self._height = now_ms, height
        self._answered, self._claimed = set(), 0
        number = self._numbers.next(engine.now_ms)
        for place, feeder in enumerate(self._pair(order)):
            wants = Follow(max(height, 0), stable, place == 0, number)
            with engine.within(seat):
                sealed = seat.identity.seal(Kind.FOLLOW, encode(wants))
                self._transport.send(feeder, sealed)

    def _pair(self, order: tuple[int, ...]) -> list[int]:
        return [order[(self._at + place) % len(order)] for place in range(FEEDERS)]
