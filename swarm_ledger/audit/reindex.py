# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Mend a ledger whose derived tables are damaged: from its blocks, once all of it is verified."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from swarm_ledger.audit.ledger import Verdict, ledger_file, open_ledger, verify_ledger
from swarm_ledger.errors import NotVerified
from swarm_ledger.identity.trust import Trust
from swarm_ledger.ledger.rebuilding import rebuilt
from swarm_ledger.ledger.store import Store
from swarm_ledger.runtime.snapshot import restore

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Reindexed:
    """A ledger that holds now. damage: what was found in it before; None: it was left alone."""

    verdict: Verdict
    damage: NotVerified | None


def reindex_ledger(
    folder: Path, trust: Trust, progress: Progress = lambda _a, _b: None
) -> Reindexed:
    """Verify a ledger; where it does not hold, rebuild it, and verify that before it takes over.

    progress: as for verify_ledger(), twice. Raises NotVerified where what can't be rebuilt is
    damaged, and Misuse where the file can't be used, or a drone writes it; then it is as it was.
    """
    path = ledger_file(folder)
    try:
        with open_ledger(path) as store:
            return Reindexed(_checked(store, trust, progress), None)
    except NotVerified as error:
        damage = error
    try:
        with rebuilt(path) as store:
            _drop_false_snapshots(store, trust)
            return Reindexed(_checked(store, trust, progress), damage)
    except NotVerified as error:
        raise NotVerified(
            f"{error.what}; this follows from nothing else, so the file was left as it is",
            where=error.where,
            remedy="Take another drone's ledger instead. Before this drone flies again, enrol it "
            "anew, under another name and key: it may have forgotten what it signed.",
        ) from error


def _checked(store: Store, trust: Trust, progress: Progress) -> Verdict:
    verdict = verify_ledger(store, trust, progress)
    for height in store.snapshot_heights():
        restore(store, trust, height)
    return verdict


def _drop_false_snapshots(store: Store, trust: Trust) -> None:
    """Keep those that hold, as a drone takes new ones; the oldest of a pruned ledger must."""
    for height in store.snapshot_heights()[store.base > 0 :]:
        try:
            restore(store, trust, height)
        except NotVerified:
            store.snapshot_drop(height)
