# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What is worth carrying from drone to drone, and what takes whose place.

A drone's word about where it is replaces its last one; its votes, and what it said about one
number of the order, stay until something of a higher view or number takes their place. Greetings,
clocks and questions to one member are for those who are near: nobody carries them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from swarm_ledger.consensus.messages import (
    Checkpoint,
    Commit,
    Fetch,
    Message,
    NewView,
    Prepare,
    PrePrepare,
    Status,
    ViewChange,
    Want,
)
from swarm_ledger.encoding import digest
from swarm_ledger.envelope import Kind, kind_of
from swarm_ledger.errors import PeerFault
from swarm_ledger.runtime.drone import Drone
from swarm_ledger.transport.gossip import Uncarried
from swarm_ledger.transport.gossip_shelf import Claim
from swarm_ledger.voting.commitment import parse_commitment, parse_reveal
from swarm_ledger.voting.observation import parse_observation

KEEP_MS = 600_000
"""How long something is carried from drone to drone: several times what a sparse swarm takes."""

_BALLOTS: dict[Kind, Callable[[bytes], bytes]] = {
    Kind.VOTE: lambda said: parse_observation(said).question,
    Kind.COMMIT: lambda said: parse_commitment(said).question,
    Kind.REVEAL: lambda said: parse_reveal(said).observation.question,
}
"""Of which each author has one for each question, and how to tell which question that is."""

_REQUESTS = (Kind.QUESTION, Kind.TICK, Kind.ANCHOR, Kind.RULE, Kind.CLAIM)
_NEAR = (
    *(Kind.WELCOME, Kind.CLOCK, Kind.LAGGING, Kind.PIECE, Kind.FOLLOW, Kind.CERTIFIED),
    *(Kind.SECRET, Kind.SHARES, Kind.LACKING, Kind.CONFIDED, Kind.ROSTER),
)
_LAST = 2**60
"""Above any number of the order: a drone with too much to say keeps its votes and its view."""

_STATUS = 2**20
"""In a status' rank: what a view weighs against heights, and a height against stable ones."""


@dataclass(frozen=True, slots=True)
class _Word:
    """What a consensus message is about, and which of two about the same is the later one."""

    shelf: tuple[object, ...]
    rank: int
    order: int


def _word(message: Message) -> _Word | None:
    return _WORDS[type(message)](message) if type(message) in _WORDS else None


_WORDS: dict[type, Callable[[Any], _Word]] = {
    PrePrepare: lambda m: _Word(("pre-prepare", m.batch.seq), m.view, m.batch.seq),
    Prepare: lambda m: _Word(("prepare", m.seq), m.view, m.seq),
    Commit: lambda m: _Word(("commit", m.seq), m.view, m.seq),
    Checkpoint: lambda m: _Word(("checkpoint",), m.seq, _LAST),
    ViewChange: lambda m: _Word(("view change",), m.view, _LAST),
    NewView: lambda m: _Word(("new view",), m.view, _LAST),
    Status: lambda m: _Word(
        ("status",), (m.view * _STATUS + m.applied) * _STATUS + m.stable, _LAST
    ),
}


class Sorter:
    """Says what each sealed message is, for one drone's gossip, by what the drone knows."""

    def __init__(self, drone: Drone) -> None:
        self._drone = drone

    def judge(self, raw: bytes) -> Claim | Uncarried:
        """Return what a message is, or that nobody need carry it. PeerFault if it is bad."""
        kind = kind_of(raw)
        if kind in _NEAR:
            return Uncarried.NEAR
        if kind in (Kind.CONSENSUS, Kind.CARRIED):
            return self._spoken(raw)
        origin, shelf = self._request(kind, raw)
        return Claim(origin, shelf, 0, _LAST, KEEP_MS)

    def _spoken(self, raw: bytes) -> Claim | Uncarried:
        seat, signed = self._route(lambda seat: seat.doorman.open_consensus(raw))
        if isinstance(signed.message, (Fetch, Want)):
            return Uncarried.ASKED
        word = _word(signed.message)
        if word is None:
            return Uncarried.NEAR
        shelf = (*word.shelf, seat.roster.version)
        return Claim(signed.sender, shelf, word.rank, word.order, KEEP_MS)

    def _request(self, kind: Kind, raw: bytes) -> tuple[int, tuple[object, ...]]:
        """Return whose share a request takes, and its shelf: two that differ contradict there."""
        if kind is Kind.SESSION:
            seat, session = self._route(lambda seat: seat.doorman.lobby.delegated(raw))
            return session.member.index, ("session", session.kid, seat.roster.version)
        if kind is Kind.EVIDENCE:
            culprit = self._drone.engine.current.seat.doorman.examine(raw).culprit
            return culprit.index, ("evidence",)
        if kind not in (*_BALLOTS, *_REQUESTS):
            raise PeerFault("malformed", f"a {kind.name} is not for gossip.")
        _, opened = self._drone.engine.epochs.open(raw)
        if kind in _BALLOTS:
            return opened.author.index, (kind.name, _BALLOTS[kind](opened.payload))
        return opened.author.index, (kind.name, digest(raw))

    @property
    def _route(self) -> Any:
        return self._drone.engine.epochs.route
