# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The roster versions that one drone has to do with: one at work, some retired, some ahead.

Everything signed is bound to one version, so a message says by how it opens where it belongs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

from swarm_ledger.consensus.messages import Message
from swarm_ledger.consensus.ready import Stable
from swarm_ledger.consensus.replica import Replica
from swarm_ledger.encoding import encode
from swarm_ledger.envelope import Kind, Opened, carry, delegation_of
from swarm_ledger.errors import PeerFault
from swarm_ledger.identity.roster import Role, Roster
from swarm_ledger.runtime.doorman import Doorman
from swarm_ledger.runtime.identity import Identity

RETIRED = 4
"""Epochs that are over and still answer: whoever is further behind needs the newest roster."""

ELSEWHERE = ("unknown_key", "bad_signature", "not_a_member")
"""How a message of another epoch looks here."""

_SPOKEN = (Kind.CONSENSUS, Kind.CARRIED)

T = TypeVar("T")


@dataclass(eq=False)
class Seat:
    """Our place under one roster version: how we hear its members, and speak among them.

    identity: None where we neither order nor vote, and have nothing to say. following: the
    session that is to take its place. renewed: whether one did already.
    """

    doorman: Doorman
    identity: Identity | None
    following: Identity | None = None
    renewed: bool = False

    @property
    def roster(self) -> Roster:
        """The roster version."""
        return self.doorman.roster

    @property
    def orders(self) -> bool:
        """Whether we are a validator here; else, with an identity, one that votes and follows."""
        mine = self.identity
        return mine is not None and Role.VALIDATOR in mine.member.roles

    @property
    def known(self) -> bool:
        """Whether the ledger holds our session, so that others know it from there."""
        mine = self.identity
        return mine is not None and self.doorman.ledger.knows(mine.member, mine.session_kid)

    def seal(self, message: Message) -> bytes:
        """Seal what a replica says; b"" where we have no voice in consensus."""
        if self.identity is None or not self.orders:
            return b""
        sealed = self.identity.seal(Kind.CONSENSUS, encode(message))
        return sealed if self.known else carry(self.identity.delegation, sealed)

    def again(self, raw: bytes) -> bytes:
        """Return what is to be repeated, sealed anew if a session that we replaced had sealed it.

        That may be over, and nobody would take it in. It says the same: no contradiction.
        """
        if not self.renewed or self.identity is None or raw[0] not in _SPOKEN:
            return raw
        opened = self.doorman.open(raw)
        now = self.identity.session_kid
        if (
            opened.author != self.identity.member
            or not opened.session
            or opened.session.kid == now
        ):
            return raw
        return self.seal(self.doorman.open_consensus(raw).message)


@dataclass
class Epoch:
    """A roster version that the ledger has reached, with the replica that orders under it.

    base: the height after which it begins. stable: certified by a quorum, and not stored yet.
    """

    seat: Seat
    base: int
    replica: Replica
    stable: Stable | None = None


@dataclass
class Epochs:
    """The epoch at work, up to RETIRED that are over, newest first, and versions yet to come.

    heard: where each member spoke last.
    """

    current: Epoch
    retired: deque[Epoch] = field(default_factory=lambda: deque(maxlen=RETIRED))
    ahead: list[Seat] = field(default_factory=list)
    heard: dict[int, Seat] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Epoch]:
        yield self.current
        yield from self.retired

    def seats(self) -> Iterator[Seat]:
        """Return all seats, in the order in which a message is likely to be for them."""
        yield self.current.seat
        yield from reversed(self.ahead)
        yield from (epoch.seat for epoch in self.retired)

    def route(self, open_: Callable[[Seat], T]) -> tuple[Seat, T]:
        """Open something where it belongs; PeerFault, that of the present epoch, if nowhere."""
        here = self.current.seat
        try:
            return here, open_(here)
        except PeerFault as fault:
            if fault.reason not in ELSEWHERE:
                raise
            first = fault
        for seat in islice(self.seats(), 1, None):
            try:
                return seat, open_(seat)
            except PeerFault as fault:
                if fault.reason not in ELSEWHERE:
                    raise
        raise first

    def open(self, raw: bytes) -> tuple[Seat, Opened]:
        """Open an envelope in the epoch that it is of; PeerFault as route() raises it."""
        return self.route(lambda seat: seat.doorman.open(raw))

    def of(self, seat: Seat) -> Epoch | None:
        """Return the epoch with that seat, None for one that is ahead."""
        return next((epoch for epoch in self if epoch.seat is seat), None)

    def voice(self, epoch: Epoch, to: int | None) -> Seat:
        """Return the seat from which to say what an epoch's replica says, to one or all.

        Whoever is not a member of the epoch that its ledger has reached asks its way as the
        member of a later one; and whoever was spoken to from a later epoch is answered there.
        """
        theirs = self.heard.get(to) if to is not None else None
        if epoch is self.current and theirs in self.ahead and theirs.identity is not None:
            return theirs
        if epoch is self.current and epoch.seat.identity is None:
            voices = [seat for seat in self.ahead if seat.identity is not None]
            return voices[-1] if voices else epoch.seat
        return epoch.seat

    def turn(self, epoch: Epoch) -> None:
        """Let the next epoch begin, with those who introduced themselves in it before."""
        version = epoch.seat.roster.version
        for seat in self.ahead:
            if seat.roster == epoch.seat.roster:
                for session in seat.doorman.lobby.sessions():
                    epoch.seat.doorman.lobby.add_session(delegation_of(session))
        self.ahead = [seat for seat in self.ahead if seat.roster.version > version]
        self.heard = {}
        self.retired.appendleft(self.current)
        self.current = epoch
