# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Relays that anchor, and anchors made by hand, for the tests of both."""

from __future__ import annotations

from itertools import count

from swarm_ledger.encoding import encode
from swarm_ledger.envelope import Kind, seal
from swarm_ledger.relay.anchor import Anchor, Anchoring, Range
from swarm_ledger.relay.sender import Credentials, Sender
from swarm_ledger.relay.statement import sequence_of
from tests.crew import Crew

EVERY_US = 12_000_000


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
