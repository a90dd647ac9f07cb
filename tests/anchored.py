# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Relays that anchor, and anchors made by hand, for the tests of both."""

from __future__ import annotations

from itertools import count

from swarm_ledger.consensus.quorum import quorum
from swarm_ledger.encoding import encode
from swarm_ledger.envelope import Kind, seal
from swarm_ledger.identity.roster import Roster
from swarm_ledger.ledger.checkpoint import Checkpoint, assemble, cosign
from swarm_ledger.ledger.store import Store
from swarm_ledger.relay.anchor import Anchor, Anchoring, Range
from swarm_ledger.relay.sender import Credentials, Sender
from swarm_ledger.relay.statement import sequence_of
from swarm_ledger.runtime.blocks import genesis_entry
from swarm_ledger.runtime.machine import Machine
from tests.crew import T0_MS, T0_S, Crew

EVERY_US = 12_000_000
BLOCK_MS = 20_000


def anchoring_sender(
    crew: Crew,
    name: str = "drone_1",
    *,
    session: int = 0,
    run: int = 1,
    pending: Anchor | None = None,
    announce_us: int = 0,
) -> Sender:
    """Return a member's sender that anchors, whose runs are counted from `run`."""
    identity = crew.identity(name, session)
    credentials = Credentials(identity.roster, identity.session, identity.delegation)
    runs = count(run)
    return Sender(
        credentials,
        lambda: next(runs),
        announce_us=announce_us,
        anchoring=Anchoring(EVERY_US, pending),
    )


def anchor(
    sequence: int,
    previous: bytes = b"",
    *,
    root: bytes = b"",
    ranges: tuple[Range, ...] = (Range("/a", sequence_of(1, 1), 4),),
) -> Anchor:
    """Return an anchor of four statements; its root tells its sequence number."""
    return Anchor(sequence, previous, 1, 4, root or sequence.to_bytes(32, "big"), ranges)


def sealed_anchor(crew: Crew, name: str, one: Anchor, session: int = 0) -> bytes:
    """Return an anchor as a member asks for it."""
    return seal(Kind.ANCHOR, encode(one), crew.session(name, session), crew.roster)


class Scribe:
    """Writes a ledger without a flight: blocks of requests, without certificates, as asked for."""

    def __init__(self, store: Store, crew: Crew, machine: Machine | None = None) -> None:
        self.store, self.crew, self.machine = store, crew, machine or Machine(crew.trust)
        store.append_block(0, [genesis_entry(crew.roster)], b"")

    def block(self, *requests: bytes) -> None:
        """Append one, BLOCK_MS after the last one."""
        height = self.store.height + 1
        applied = self.machine.apply(height, T0_MS + BLOCK_MS * height, requests)
        self.store.append_block(height, applied.entries, b"")

    def certify(self, roster: Roster | None = None) -> None:
        """Have a quorum of that roster, or of the first, cosign all."""
        needed = quorum(len((roster or self.crew.roster).validators))
        names = self.crew.names[:needed]
        fliers = [self.crew.identity(name, roster=roster) for name in names]
        stated = Checkpoint(self.crew.roster.origin, self.store.size, self.store.root())
        lines = [cosign(stated, one.cosigner, one.session.sign, T0_S) for one in fliers]
        note = assemble(stated, fliers[0].sign_as_log(stated), lines, needed).encode()
        self.store.put_checkpoint(self.store.height, note)
