# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Keeps one drone's ledger: appends what was decided, certifies it, hands it to those who lag."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from swarm_ledger.consensus.messages import Checkpoint, Committed, Message, Signed
from swarm_ledger.consensus.pool import REMEMBERED
from swarm_ledger.consensus.ready import ALWAYS, Decided, Stable
from swarm_ledger.encoding import digest, encode
from swarm_ledger.envelope import BALLOTS, Kind
from swarm_ledger.errors import Misuse, NotVerified, PeerFault
from swarm_ledger.identity.trust import Trust
from swarm_ledger.ledger import checkpoint as tlog
from swarm_ledger.ledger.store import Store
from swarm_ledger.light_client.policies import policy_of
from swarm_ledger.runtime import snapshot
from swarm_ledger.runtime.blocks import genesis_entry, parse_certificate, split_block
from swarm_ledger.runtime.chronicle import Emit
from swarm_ledger.runtime.doorman import log_checkpoint
from swarm_ledger.runtime.epochs import Epoch, Seat
from swarm_ledger.runtime.handover import Handed, fill
from swarm_ledger.runtime.machine import Applied, Machine
from swarm_ledger.runtime.pruner import Pruner

_AT_ONCE = 256

START_ANEW = (
    "Keep this ledger for the investigation, and enrol the drone anew, under another name and "
    "key: one that forgot what it signed counts among the f that may lie."
)


class Keeper:
    """A ledger with the state machine behind it; begins one where there is none in the store.

    max_bytes: its budget, 0 for an archive; emit: hears where that can't be kept. Raises
    NotVerified where the stored ledger is another swarm's.
    """

    def __init__(
        self,
        store: Store,
        trust: Trust,
        emit: Emit = lambda _name, _fields: None,
        max_bytes: int = 0,
    ) -> None:
        self.store, self._trust = store, trust
        self.machine = Machine(trust)
        self._snapshot: tuple[int, bytes, list[int]] | None = None
        self._snapshot_height = max(store.snapshot_heights(), default=0)
        self._pruner: Pruner | None = None
        if max_bytes:
            self._pruner = Pruner(store, max_bytes, trust, emit)
        genesis = genesis_entry(trust.genesis)
        if store.height < 0:
            store.append_block(0, [genesis], b"")
        if store.entry(0) != genesis:
            raise NotVerified(
                "this ledger belongs to another swarm or roster.",
                where="height 0",
                remedy="Use its own roster, or start in an empty folder.",
            )

    def resume(self, report: Callable[[NotVerified], None]) -> None:
        """Go on from a snapshot, after a restart. report: hears why one did not hold."""
        self.machine = snapshot.begin(self.store, self._trust, report)

    def requests_before(self) -> list[bytes]:
        """Return the digests of the last requests that replay() leaves out, oldest first."""
        found: list[bytes] = []
        stop = self._size_at(self.machine.height)
        while stop > self.store.first and len(found) < REMEMBERED:
            start = max(self.store.first, stop - _AT_ONCE)
            entries = self.store.entries(start, stop)
            found += (digest(entry) for entry in reversed(entries) if entry[0] < Kind.GENESIS)
            stop = start
        return found[:REMEMBERED][::-1]

    def replay(self) -> Iterator[Applied]:
        """Apply the stored blocks behind the machine again; NotVerified if they don't fit."""
        for height in range(self.machine.height + 1, self.store.height + 1):
            stored = self.store.block(height).entries
            try:
                applied = self.machine.follow(height, stored)
            except NotVerified as error:
                raise NotVerified(str(error), where=f"height {height}") from error
            yield applied

    def append(self, decided: Decided) -> Applied:
        """Apply a decided batch and store its block, durably.

        The last block of an epoch takes its journal along, as nothing in there binds any more, and
        all requests but votes, which may be said again.
        """
        applied = self.machine.apply(decided.seq, decided.time_ms, decided.bodies)
        with self.store.transaction():
            self.store.append_block(decided.seq, applied.entries, encode(decided.commits))
            self.store.pending_remove(digest(body) for body in decided.bodies)
            if applied.roster is not None:
                self.store.journal_truncate(ALWAYS + 1)
                pending = self.store.pending_read()
                self.store.pending_remove(key for key, raw in pending if raw[0] not in BALLOTS)
        if self._snapshot is None and decided.seq - self._snapshot_height >= snapshot.EVERY:
            asked = snapshot.opened(self.machine)
            self._snapshot = decided.seq, snapshot.take(self.machine), asked
        return applied

    def adopt(self, handed: Handed, machine: Machine) -> None:
        """Put a state that was judged in place of our own ledger, in one transaction.

        What we said about what it covers binds us no more, and in another epoch nothing does. Of
        the requests that wait here, others have ordered most by now, and would never order them
        again: votes stay that still count. machine: what it leads to.
        """
        mine, theirs = self.machine.members.now.roster, machine.members.now.roster
        ended = mine.version != theirs.version
        pending = self.store.pending_read()
        with self.store.transaction():
            fill(self.store, handed)
            self.store.journal_truncate(ALWAYS + 1 if ended else handed.last)
            gone = (key for key, raw in pending if not machine.awaits(raw))
            self.store.pending_remove(gone)

    def _settle(self, height: int) -> None:
        """Forget what binds nobody under a stable checkpoint, and keep a snapshot taken there."""
        self.store.journal_truncate(height)
        if self._snapshot is not None and self._snapshot[0] <= height:
            at, taken, asked = self._snapshot
            snapshot.put(self.store, at, taken, asked, prunes=self._pruner is not None)
            self._snapshot, self._snapshot_height = None, at

    def tick(self) -> None:
        """Have the ledger stay within its budget, if it has one."""
        if self._pruner is not None:
            self._pruner.tick()

    def claim(self, seat: Seat, height: int, now_s: int) -> Checkpoint:
        """Vouch for the ledger as it was after a block, with our cosignature (POSIX seconds)."""
        if seat.identity is None:
            raise Misuse("only a member vouches for the ledger.")
        size = self._size_at(height)
        root = self.store.root(size)
        stated = log_checkpoint(seat.roster, size, root)
        return Checkpoint(height, size, root, seat.identity.cosign(stated, now_s))

    def _size_at(self, height: int) -> int:
        block = self.store.block(height)
        return block.first + len(block.entries)

    def certify(self, epoch: Epoch, *, over: bool) -> Checkpoint | None:
        """Store an epoch's stable checkpoint once our own ledger has come that far.

        Returns what is certified now, if anything; keeps the rest for later, also until the
        ledger holds our own session, whose key signs as the log. In an epoch that is over it
        never will: then a checkpoint of a later one has to do, as where what it covers was pruned
        by now. Raises NotVerified if a quorum
        cosigned something else than what is stored here.
        """
        stable, seat = epoch.stable, epoch.seat
        if stable is None or stable.checkpoint.seq > self.store.height:
            return None
        claim = stable.checkpoint
        if claim.seq < self.store.base:
            epoch.stable = None
            return None
        size = self._size_at(claim.seq)
        if (size, self.store.root(size)) != (claim.size, claim.root):
            raise _forked(claim.seq)
        if seat.identity is None or not seat.orders:
            epoch.stable = None  # who follows takes a validator's certificate
            with self.store.transaction():
                self._settle(claim.seq)
            return None
        if not seat.known:
            epoch.stable = None if over else stable
            return None
        epoch.stable = None
        stated = log_checkpoint(seat.roster, claim.size, claim.root)
        lines = [seat.doorman.line_of(vote) for vote in stable.votes]
        log_line = seat.identity.sign_as_log(stated)
        quorum = epoch.replica.settings.quorum
        certificate = tlog.assemble(stated, log_line, lines, quorum)
        with self.store.transaction():
            self.store.put_checkpoint(claim.seq, certificate.encode())
            self._settle(claim.seq)
        return claim

    def take_certificate(self, height: int, note: bytes) -> tlog.Checkpoint:
        """Keep what a validator certified, and return it; PeerFault if it is not of that block.

        Raises NotVerified as certify() does.
        """
        size = self._size_at(height)
        try:
            policy = policy_of(self.machine.members.at(height).opener)
            stated = policy.examine(note, exact=True).checkpoint
        except NotVerified as error:
            raise PeerFault("bad_certificate", str(error)) from error
        if stated.size != size:
            raise PeerFault("bad_certificate", f"it is not of block {height}.")
        if stated.root != self.store.root(size):
            raise _forked(height)
        with self.store.transaction():
            self.store.put_checkpoint(height, note)
            self._settle(height)
        return stated

    def uncertified(self, journal: Iterable[Signed[Message]], quorum: int) -> Stable | None:
        """Return a stable checkpoint that a crash kept from being certified, if there is one."""
        latest = self.store.latest_checkpoint()
        certified = latest.height if latest else 0
        claims: dict[tuple[int, int, bytes], list[Signed[Checkpoint]]] = {}
        for signed in journal:
            if isinstance(signed.message, Checkpoint) and signed.message.seq > certified:
                vote = Signed(signed.sender, signed.message, signed.raw)
                claim = (vote.message.seq, vote.message.size, vote.message.root)
                claims.setdefault(claim, []).append(vote)
        found = None
        for _, votes in sorted(claims.items()):
            if len(votes) >= quorum:
                votes.sort(key=lambda vote: vote.sender)
                found = Stable(votes[0].message, tuple(votes[:quorum]))
        return found

    def blocks(self, first: int, last: int) -> Iterator[Committed]:
        """Return stored blocks of one era, with the commits that prove them, for one that lags.

        None if the first one was pruned. They end where the era of the first one ends: those
        behind it are for the next epoch.
        """
        if first < self.store.base:
            return
        members = self.machine.members
        end = members.end_of(members.at(first)) or self.store.height
        for height in range(first, min(last, end, self.store.height) + 1):
            block = self.store.block(height)
            header, requests = split_block(block.entries)
            commits = parse_certificate(block.certificate)
            yield Committed(height, header.time_ms, requests, commits)


def _forked(height: int) -> NotVerified:
    return NotVerified(
        "our ledger is not the one that a quorum cosigned.",
        where=f"height {height}",
        remedy=START_ANEW,
    )
