# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Keeps a drone's ledger file below its budget, for ever: old blocks go, a few at a time.

What stays: the blocks from the snapshot on from which a restart goes on, a window of blocks for
others who lag, and all entries that later states and proofs rest on: genesis, what is about
members, the last decisions; and of each epoch the last checkpoint, so that its policy still
serves.
"""

from __future__ import annotations

from swarm_ledger.envelope import Kind
from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.identity.trust import Trust
from swarm_ledger.ledger.finding import Found
from swarm_ledger.ledger.pruning import Keep
from swarm_ledger.ledger.store import Store
from swarm_ledger.runtime import snapshot
from swarm_ledger.runtime.chronicle import Emit
from swarm_ledger.runtime.membership import Membership
from swarm_ledger.voting.limits import RETAINED_DECISIONS

WINDOW = 256
"""Blocks below the newest checkpoint that stay in any case: who lags by less gets blocks."""

MIN_BYTES = 1 << 24
"""The smallest budget: room for what always stays, and for two of the largest blocks."""

_SHRINK_PAGES = 64


def check_budget(max_bytes: int) -> int:
    """Return a budget that can be kept, 0 for none; Misuse for one that is too small."""
    if 0 < max_bytes < MIN_BYTES:
        raise Misuse(
            f"ledger.max_bytes: {max_bytes:,} bytes can't hold what a drone always needs.",
            remedy=f"Give it {MIN_BYTES:,} or more; 0, or none at all, makes it an archive.",
        )
    return max_bytes


class Pruner:
    """Prunes one ledger. max_bytes: of its file and WAL; trust: as for its state machine.

    A quarter of the budget is spare: for the WAL, and for blocks that come before a step is done.
    """

    def __init__(self, store: Store, max_bytes: int, trust: Trust, emit: Emit) -> None:
        self._store, self._trust, self._emit = store, trust, emit
        self._max_bytes, spare = max_bytes, max_bytes // 4
        self._high = max_bytes - spare
        self._limit, self._over = 0, False
        self._keep: Keep | None = None
        self._looked: tuple[int, int] | None = None
        store.database.make_shrinkable(spare // 4)

    def tick(self) -> None:
        """Do one short step, if there is one to do; report a budget that can't be kept, once."""
        file, free, wal = self._store.database.bytes()
        if file - free > self._high:
            over = not self._step()
            if over and not self._over:
                self._report(file + wal)
            self._over = over
        else:
            self._over = False
            if file > self._high:
                self._store.database.shrink(_SHRINK_PAGES)

    def _step(self) -> bool:
        """Forget a few blocks; False if all that is left must stay."""
        if self._keep is None or self._store.base >= self._limit:
            self._aim()
        if self._keep is None:
            return False
        self._store.prune(self._limit, self._keep)
        return True

    def _aim(self) -> None:
        """Find the next snapshot below which nothing is needed any more, and what is kept for it.

        It is restored first: a snapshot that does not hold is none to go on from.
        """
        self._keep = None
        heights, latest = self._store.snapshot_heights(), self._store.latest_checkpoint()
        if not heights or latest is None or self._looked == (heights[-1], latest.height):
            return
        most = min(snapshot.start_of(self._store), latest.height - WINDOW)
        for height in heights:
            if self._store.base < height <= most:
                try:
                    members = snapshot.restore(self._store, self._trust, height).members
                except NotVerified:
                    continue
                self._limit, self._keep = height, self._kept_by(members)
                return
        self._looked = heights[-1], latest.height  # nothing until there is something new

    def _kept_by(self, members: Membership) -> Keep:
        def stays(found: Found) -> bool:
            return found.data[0] == Kind.GENESIS or members.counts(found.data, found.height)

        last = []
        for era in members.eras:
            end = members.end_of(era)
            kept = self._store.checkpoint_until(end) if end is not None else None
            if kept is not None and kept.height > era.base:
                last.append(kept.height)
        return Keep(stays, {int(Kind.DECISION): RETAINED_DECISIONS}, last)

    def _report(self, held: int) -> None:
        store = self._store
        self._emit(
            "ledger_over_budget",
            {
                "bytes": held,
                "max_bytes": self._max_bytes,
                "base": store.base,
                "height": store.height,
                "remedy": "What is left is needed for a restart: the blocks since the last "
                f"snapshot, or since the oldest open question was asked, and {WINDOW} blocks in "
                "any case. Raise ledger.max_bytes, or have questions end sooner.",
            },
        )
