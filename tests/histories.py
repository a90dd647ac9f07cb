# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Ledgers written by hand with a crew's keys, so that any quorum can have signed anything."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from swarm_ledger.consensus.messages import Commit
from swarm_ledger.consensus.quorum import quorum
from swarm_ledger.encoding import encode
from swarm_ledger.envelope import Kind, carry
from swarm_ledger.identity.roster import Roster
from swarm_ledger.ledger.checkpoint import assemble
from swarm_ledger.ledger.note import NoteSignature
from swarm_ledger.ledger.store import Store
from swarm_ledger.runtime.blocks import batch_of, genesis_entry, split_block
from swarm_ledger.runtime.doorman import log_checkpoint
from swarm_ledger.runtime.identity import Identity
from swarm_ledger.runtime.machine import Machine, Tick
from tests.crew import T0_MS, T0_S, Crew, Version

BLOCK_MS = 100


class History:
    """One drone's ledger, block by block. signers: who commits and cosigns, unless it is said.

    sessions: the number of each member's session, 0 where it is not said.
    """

    def __init__(self, crew: Crew, folder: Path, *signers: str) -> None:
        folder.mkdir(parents=True)
        self.crew, self.folder, self.signers = crew, folder, signers
        self.store = Store.open(folder / "ledger.db")
        self.machine = Machine(crew.trust)
        self.sessions: dict[str, int] = {}
        self.store.append_block(0, [genesis_entry(crew.trust.genesis)], b"")

    @property
    def roster(self) -> Roster:
        return self.machine.members.now.roster

    def identity(self, name: str, ruling: Roster | None = None) -> Identity:
        ruling = ruling or self.roster
        roster = None if ruling == self.crew.roster else ruling
        return self.crew.identity(name, self.sessions.get(name, 0), roster=roster)

    def delegations(self) -> list[bytes]:
        """Return what makes the present roster's first sessions known."""
        members = (self.roster.members[index].name for index in self.roster.validators)
        return [self.identity(name).delegation for name in members]

    def tick(self, name: str, number: int = 0) -> bytes:
        return self.identity(name).seal(Kind.TICK, encode(Tick(T0_MS + number)))

    def block(self, *requests: bytes, signers: Sequence[str] = (), view: int = 0) -> int:
        """Order requests in the next block, committed by a quorum of the signers; return where."""
        height = self.store.height + 1
        ruling = self.roster
        identities = [self.identity(name) for name in signers or self.signers]
        applied = self.machine.apply(height, T0_MS + BLOCK_MS * height, requests)
        batch = batch_of(*split_block(applied.entries)).digest()
        identities.sort(key=lambda one: one.member.index)
        commits = [
            carry(one.delegation, one.seal(Kind.CONSENSUS, encode(Commit(view, height, batch))))
            for one in identities[: quorum(len(ruling.validators))]
        ]
        self.store.append_block(height, applied.entries, encode(commits))
        return height

    def blocks(self, count: int, mark: int = 0) -> None:
        """Order that many blocks of one tick each, others for each mark."""
        for _ in range(count):
            self.block(self.tick("drone_1", 1000 * mark + self.store.height))

    def junk(self, count: int) -> None:
        """Order a block with that many requests that count for nothing, and cost no signature."""
        height = self.store.height + 1
        self.block(*(b"\xff%d %d" % (height, number) for number in range(count)))

    def change(self, version: Version, request: bytes) -> None:
        """Order a roster, then the sessions under it."""
        self.block(request)
        assert self.roster == version.roster
        names = [self.roster.members[index].name for index in self.roster.validators]
        self.block(*self.delegations(), signers=names)

    def checkpoint(self, *names: str) -> bytes:
        """Certify the ledger as it is, in the era of its last block."""
        roster = self.machine.members.at(self.store.height).roster
        stated = log_checkpoint(roster, self.store.size, self.store.root())
        signers = [self.identity(name, roster) for name in names or self.signers]
        lines = [
            NoteSignature(one.cosigner.name, one.cosigner.key_id, one.cosign(stated, T0_S))
            for one in signers
        ]
        needed = quorum(len(roster.validators))
        note = assemble(stated, signers[0].sign_as_log(stated), lines, needed).encode()
        self.store.put_checkpoint(self.store.height, note)
        return note

    def copy_to(self, folder: Path) -> Path:
        """Copy the ledger as it is now, as another drone's."""
        folder.mkdir(parents=True)
        self.store.database.run("VACUUM INTO ?", (str(folder / "ledger.db"),))
        return folder

    def close(self) -> None:
        self.store.close()
