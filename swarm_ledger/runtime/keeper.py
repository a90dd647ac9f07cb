# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Keeps one drone's ledger: appends what was decided, certifies it, hands it to those who lag."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from swarm_ledger.consensus.messages import Checkpoint, Committed, Message, Signed
from swarm_ledger.consensus.ready import Decided, Stable
from swarm_ledger.encoding import decode, digest, encode
from swarm_ledger.errors import NotVerified
from swarm_ledger.ledger.checkpoint import assemble
from swarm_ledger.ledger.store import Store
from swarm_ledger.runtime.doorman import Doorman, log_checkpoint
from swarm_ledger.runtime.identity import Identity
from swarm_ledger.runtime.machine import Applied, Machine, genesis_entry, split_block

MAX_CERTIFICATE_BYTES = 1 << 20

START_ANEW = (
    "Keep this ledger for the investigation, and enrol the drone anew, under another name and "
    "key: one that forgot what it signed counts among the f that may lie."
)


def parse_certificate(certificate: bytes) -> tuple[bytes, ...]:
    """Return the sealed commits that a stored block carries; PeerFault if it is damaged."""
    commits: tuple[bytes, ...] = decode(
        certificate, tuple[bytes, ...], limit=MAX_CERTIFICATE_BYTES
    )
    return commits


class Keeper:
    """A ledger with the state machine behind it.

    Raises NotVerified where the stored ledger is another swarm's.
    """

    def __init__(self, identity: Identity, store: Store, doorman: Doorman, quorum: int) -> None:
        self.store = store
        self.machine = Machine(identity.roster, doorman.ledger)
        self._identity, self._doorman, self._quorum = identity, doorman, quorum
        self._stable: Stable | None = None
        genesis = genesis_entry(identity.roster)
        if store.height < 0:
            store.append_block(0, [genesis], b"")
        if store.entry(0) != genesis:
            raise NotVerified(
                "this ledger belongs to another swarm or roster.",
                where="height 0",
                remedy="Use its own roster, or start in an empty folder.",
            )

    def replay(self) -> Iterator[Applied]:
        """Apply the stored blocks again, after a restart; NotVerified if they don't fit."""
        for height in range(1, self.store.height + 1):
            stored = self.store.block(height).entries
            try:
                applied = self.machine.follow(height, stored)
            except NotVerified as error:
                raise NotVerified(error.what, where=f"height {height}") from error
            yield applied

    def append(self, decided: Decided) -> Applied:
        """Apply a decided batch and store its block, durably."""
        applied = self.machine.apply(decided.seq, decided.time_ms, decided.bodies)
        with self.store.transaction():
            self.store.append_block(decided.seq, applied.entries, encode(decided.commits))
            self.store.pending_remove(digest(body) for body in decided.bodies)
        return applied

    @property
    def speaks(self) -> bool:
        """Whether the ledger holds our session, so that others know it from there."""
        return self.machine.opener.knows(self._identity.member, self._identity.session_kid)

    def claim(self, now_s: int) -> Checkpoint:
        """Vouch for the ledger as it stands, with our cosignature (POSIX seconds)."""
        seq, size, root = self.store.height, self.store.size, self.store.root()
        stated = log_checkpoint(self._identity.roster, size, root)
        return Checkpoint(seq, size, root, self._identity.cosign(stated, now_s))

    def certify(self, stable: Stable | None) -> Checkpoint | None:
        """Store a stable checkpoint once our own ledger has come that far.

        Returns what is certified now, if anything; keeps the rest for later, also until the
        ledger holds our own session, whose key signs as the log. Raises NotVerified if a quorum
        cosigned something else than what is stored here.
        """
        self._stable = stable or self._stable
        if self._stable is None or self._stable.checkpoint.seq > self.store.height:
            return None
        if not self.speaks:
            return None
        votes, claim = self._stable.votes, self._stable.checkpoint
        self._stable = None
        block = self.store.block(claim.seq)
        size = block.first + len(block.entries)
        if (size, self.store.root(size)) != (claim.size, claim.root):
            raise NotVerified(
                "our ledger is not the one that a quorum cosigned.",
                where=f"height {claim.seq}",
                remedy=START_ANEW,
            )
        stated = log_checkpoint(self._identity.roster, claim.size, claim.root)
        lines = [self._doorman.line_of(vote) for vote in votes]
        log_line = self._identity.sign_as_log(stated)
        certificate = assemble(stated, log_line, lines, self._quorum)
        with self.store.transaction():
            self.store.put_checkpoint(claim.seq, certificate.encode())
            self.store.journal_truncate(claim.seq)
        return claim

    def recover(self, journal: Iterable[Signed[Message]]) -> None:
        """Take up a stable checkpoint that a crash kept from being certified, if there is one."""
        latest = self.store.latest_checkpoint()
        certified = latest.height if latest else 0
        claims: dict[tuple[int, int, bytes], list[Signed[Checkpoint]]] = {}
        for signed in journal:
            if isinstance(signed.message, Checkpoint) and signed.message.seq > certified:
                vote = Signed(signed.sender, signed.message, signed.raw)
                claim = (vote.message.seq, vote.message.size, vote.message.root)
                claims.setdefault(claim, []).append(vote)
        for _, votes in sorted(claims.items()):
            if len(votes) >= self._quorum:
                votes.sort(key=lambda vote: vote.sender)
                self._stable = Stable(votes[0].message, tuple(votes[: self._quorum]))

    def blocks(self, first: int, last: int) -> Iterator[Committed]:
        """Return stored blocks, with the commits that prove them, for a drone that lags."""
        for height in range(first, min(last, self.store.height) + 1):
            block = self.store.block(height)
            header, requests = split_block(block.entries)
            commits = parse_certificate(block.certificate)
            yield Committed(height, header.time_ms, requests, commits)
