# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Ledgers for light clients' tests, and what serves them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

from swarm_ledger.audit.bounded_server import BoundedServer
from swarm_ledger.ledger.store import Store
from swarm_ledger.runtime.light import Prover
from tests.crew import T0_S, Crew
from tests.histories import History

NOW = datetime.fromtimestamp(T0_S, tz=timezone.utc)
PATIENCE_S = 60.0
FIRST_FOUR = ("drone_1", "drone_2", "drone_3", "drone_4")


def decided(crew: Crew, folder: Path, *signers: str) -> History:
    """Return a crew's ledger that begins with a decision, under a checkpoint."""
    history = History(crew, folder, *(signers or FIRST_FOUR))
    history.block(*history.delegations())
    history.block(crew.asked())
    history.block(*(crew.vote(name) for name in crew.names))
    history.checkpoint()
    return history


def prover(history: History) -> Prover:
    """Return what answers from that ledger, as a server would."""
    path = history.folder / "ledger.db"
    return Prover(lambda: Store.open(path, read_only=True), history.crew.trust)


@contextmanager
def serving(server: BoundedServer) -> Iterator[None]:
    """Let a server run in a thread."""
    ended = threading.Event()
    thread = threading.Thread(target=server.run, args=(ended.is_set,))
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
