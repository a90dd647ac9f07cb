# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The ledger again, from what drones said to each other while they agreed on it.

A block follows from what is signed: a quorum of COMMITs names a batch by its digest, the batch its
requests by theirs. Applied from genesis on, they give the entries, the tree's roots and the
decisions, without anybody's word for them; what is missing in between shows.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from swarm_ledger.audit.findings import Place
from swarm_ledger.audit.speech import Speech
from swarm_ledger.consensus.messages import (
    Batch,
    Commit,
    Committed,
    PrePrepare,
    ViewChange,
    parse,
)
from swarm_ledger.consensus.quorum import quorum
from swarm_ledger.encoding import digest
from swarm_ledger.envelope import Kind, Opened
from swarm_ledger.errors import PeerFault
from swarm_ledger.ledger.merkle import Frontier, leaf_hash
from swarm_ledger.runtime.blocks import genesis_entry
from swarm_ledger.runtime.machine import Applied, Machine
from swarm_ledger.voting.decision import Settled

REQUESTS = frozenset(
    {
        Kind.SESSION,
        Kind.QUESTION,
        Kind.VOTE,
        Kind.TICK,
        Kind.EVIDENCE,
        Kind.ROSTER,
        Kind.ANCHOR,
        Kind.RULE,
        Kind.CLAIM,
    }
)
"""What a block may order."""

_MOST = 1 << 16
"""Requests, batches and heights that wait for what belongs to them; the oldest are let go."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A block. first: its header's index in the log; size, root: of the log after it.

    place: where its proposal is in the bag.
    """

    applied: Applied
    first: int
    size: int
    root: bytes
    place: Place

    def decided(self) -> Iterator[tuple[Settled, int]]:
        """Yield its decisions, each with the index of its entry."""
        at = self.first + 1 + len(self.applied.receipts)
        yield from ((settled, at + n) for n, settled in enumerate(self.applied.decisions))


@dataclass(frozen=True, slots=True)
class Gap:
    """Why it doesn't go on. late: the bag begins there, so nothing need be missing."""

    height: int
    reason: str
    what: str
    late: bool
    place: Place


@dataclass(slots=True)
class _Commits:
    """senders: by roster version, view and batch. place: of the first of them."""

    place: Place
    senders: dict[tuple[int, int, bytes], set[int]] = field(default_factory=dict)


class Rebuilder:
    """Takes what was opened, in the bag's order, and yields blocks as soon as they follow.

    ends: by height, how many entries the log has after it, and their root; decisions: by number,
    with the index of the entry.
    """

    def __init__(self, speech: Speech) -> None:
        self._speech = speech
        self.machine = Machine(speech.trust)
        self._log = Frontier()
        self._log.append(leaf_hash(genesis_entry(speech.trust.genesis)))
        self.ends: dict[int, tuple[int, bytes]] = {0: (1, self._log.root())}
        self.decisions: dict[int, tuple[Settled, int]] = {}
        self._bodies: OrderedDict[bytes, bytes] = OrderedDict()
        self._batches: OrderedDict[bytes, tuple[Batch, Place]] = OrderedDict()
        self._commits: OrderedDict[int, _Commits] = OrderedDict()

    @property
    def height(self) -> int:
        """Of the last block."""
        return self.machine.height

    @property
    def size(self) -> int:
        """Entries so far."""
        return self._log.size

    def take_request(self, raw: bytes) -> None:
        """Take note of what may be a block's request."""
        self._bodies[digest(raw)] = raw
        if len(self._bodies) > _MOST:
            self._bodies.popitem(last=False)

    def take(self, opened: Opened, epoch: int, place: Place) -> Iterator[Rebuilt]:
        """Take what somebody signed under a roster version; yield the blocks that follow now."""
        if opened.kind is Kind.CONSENSUS:
            self._take_consensus(opened, epoch, place)
        elif opened.kind in REQUESTS:
            self.take_request(opened.raw)
        yield from self._go_on()

    def _take_consensus(self, opened: Opened, epoch: int, place: Place) -> None:
        message = parse(opened.payload)
        if isinstance(message, PrePrepare):
            self._put(message.batch, place)
        elif isinstance(message, Commit):
            self._commit(opened, message, epoch, place)
        elif isinstance(message, Committed):
            for body in message.bodies:
                self.take_request(body)
            requests = tuple(digest(body) for body in message.bodies)
            self._put(Batch(message.seq, message.time_ms, requests), place)
            self._take_inner(message.commits, Commit, epoch, place)
        elif isinstance(message, ViewChange):
            proposals = [wire.pre_prepare for wire in message.prepared]
            self._take_inner(proposals, PrePrepare, epoch, place)

    def _take_inner(
        self, raws: Iterable[bytes], form: type[Commit | PrePrepare], epoch: int, place: Place
    ) -> None:
        """Take signed messages that came within another one, if they hold."""
        opener = self._speech.openers[epoch]
        for raw in raws:
            with suppress(PeerFault):
                opened = opener.open(raw)
                if opened.kind is Kind.CONSENSUS and isinstance(parse(opened.payload), form):
                    self._take_consensus(opened, epoch, place)

    def _put(self, batch: Batch, place: Place) -> None:
        if batch.seq > self.height:
            self._batches.setdefault(batch.digest(), (batch, place))
            if len(self._batches) > _MOST:
                self._batches.popitem(last=False)

    def _commit(self, opened: Opened, commit: Commit, epoch: int, place: Place) -> None:
        if commit.seq <= self.height:
            return
        held = self._commits.setdefault(commit.seq, _Commits(place))
        key = epoch, commit.view, commit.digest
        held.senders.setdefault(key, set()).add(opened.author.index)
        if len(self._commits) > _MOST:
            self._commits.popitem(last=False)

    def _go_on(self) -> Iterator[Rebuilt]:
        while (batch := self._agreed(self.height + 1)) is not None:
            found = self._complete(batch)
            if found is None:
                return
            (proposal, place), bodies = found
            yield self._apply(proposal, bodies, place)

    def _agreed(self, height: int) -> bytes | None:
        """Return the digest of the batch that a quorum committed there."""
        held, roster = self._commits.get(height), self.machine.members.at(height).roster
        needed = quorum(len(roster.validators))
        for (epoch, _, batch), senders in held.senders.items() if held else ():
            if epoch == roster.version and len(senders & set(roster.validators)) >= needed:
                return batch
        return None

    def _complete(self, batch: bytes) -> tuple[tuple[Batch, Place], list[bytes]] | None:
        null = Batch(self.height + 1, 0, ())
        known = self._batches.get(batch)
        if known is None and null.digest() == batch:
            known = null, Place()
        if known is None or any(name not in self._bodies for name in known[0].requests):
            return None
        return known, [self._bodies[name] for name in known[0].requests]

    def _apply(self, batch: Batch, bodies: list[bytes], place: Place) -> Rebuilt:
        applied, first = self.machine.apply(batch.seq, batch.time_ms, bodies), self._log.size
        for entry in applied.entries:
            self._log.append(leaf_hash(entry))
        end = self._log.size, self._log.root()
        self.ends[batch.seq] = end
        self._commits.pop(batch.seq, None)
        for name in [name for name, (old, _) in self._batches.items() if old.seq <= batch.seq]:
            del self._batches[name]
        block = Rebuilt(applied, first, *end, place)
        self.decisions |= {one.decision.number: (one, index) for one, index in block.decided()}
        return block

    def gap(self) -> Gap | None:
        """Return why it ends where it does, though blocks behind that were committed."""
        height = self.height + 1
        batch = self._agreed(height)
        if batch is not None:
            place = self._commits[height].place
            known = self._batches.get(batch)
            if known is None:
                what = (
                    f"what was committed at height {height} isn't there: its proposal is missing"
                )
                return Gap(height, "missing_proposal", what, late=False, place=place)
            missing = sum(name not in self._bodies for name in known[0].requests)
            what = f"{missing} of {len(known[0].requests)} requests of height {height} are missing"
            return Gap(height, "missing_request", what, late=False, place=known[1])
        later = [seq for seq in sorted(self._commits) if self._agreed(seq) is not None]
        if not later:
            return None
        what = f"no quorum's commits of height {height} are there, but of height {later[0]}"
        late = not self.height and height not in self._commits
        return Gap(height, "missing_commits", what, late, self._commits[later[0]].place)
