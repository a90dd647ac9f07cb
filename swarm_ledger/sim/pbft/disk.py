# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A disk that keeps what was synced, and of the rest only as much as luck allows."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from swarm_ledger.consensus.ready import Decided

_CHECKPOINT = 4

JournalKey = tuple[int, int, int, int, int]
"""Roster version, and the key of a Journaled."""


class DiskFull(Exception):  # noqa: N818  - an event
    """There is no room: the drone can't go on until somebody makes some."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """All of it is on the disk after a crash, or nothing: a checksum tells a torn one.

    purge: where a new epoch begins; the journal before it is of no use any more, but for
    checkpoint votes at that height. stable: below it, the journal is garbage.
    """

    journal: tuple[tuple[JournalKey, bytes], ...] = ()
    bodies: tuple[tuple[bytes, bytes], ...] = ()
    block: Decided | None = None
    done: tuple[bytes, ...] = ()
    stable: int = 0
    purge: tuple[int, int] | None = None


@dataclass(slots=True)
class Content:
    """What can be read back."""

    journal: dict[JournalKey, bytes] = field(default_factory=dict)
    bodies: dict[bytes, bytes] = field(default_factory=dict)
    blocks: list[Decided] = field(default_factory=list)

    def take(self, transaction: Transaction) -> None:
        """Carry out a transaction."""
        self.journal.update(transaction.journal)
        self.bodies.update(transaction.bodies)
        if transaction.block is not None:
            self.blocks.append(transaction.block)
        for key in transaction.done:
            self.bodies.pop(key, None)
        if transaction.stable:
            self._forget(lambda key: key[1] >= transaction.stable)
        if transaction.purge is not None:
            version, height = transaction.purge
            self._forget(
                lambda key: key[0] > version or (key[1] == height and key[3] == _CHECKPOINT)
            )

    def _forget(self, keep: Callable[[JournalKey], bool]) -> None:
        self.journal = {key: raw for key, raw in self.journal.items() if keep(key)}


class Disk:
    """Written in transactions, which are safe once synced. full: nothing more can be written."""

    def __init__(self) -> None:
        self.content = Content()
        self.full = False
        self.torn = 0
        self._safe = Content()
        self._unsynced: list[Transaction] = []

    @property
    def empty(self) -> bool:
        """Whether nothing was ever written, or all of it is lost."""
        return not self.content.journal and not self.content.blocks

    def write(self, transaction: Transaction) -> None:
        """Write without syncing; DiskFull if there is no room."""
        if self.full:
            raise DiskFull
        self.content.take(transaction)
        self._unsynced.append(transaction)

    def sync(self) -> None:
        """Make safe all that was written."""
        for transaction in self._unsynced:
            self._safe.take(transaction)
        self._unsynced.clear()

    def crash(self, rng: random.Random) -> None:
        """Lose power: of what was not synced, the first few transactions may have survived."""
        if self._unsynced:
            survived = rng.randint(0, len(self._unsynced))
            for transaction in self._unsynced[:survived]:
                self._safe.take(transaction)
            self.torn += survived < len(self._unsynced)
            self._unsynced.clear()
        self.content = Content(
            dict(self._safe.journal), dict(self._safe.bodies), list(self._safe.blocks)
        )

    def wipe(self) -> None:
        """Lose everything."""
        self.content, self._safe = Content(), Content()
        self._unsynced.clear()
