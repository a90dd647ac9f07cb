# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Requests that wait to be ordered, bounded per author, remembered until they are applied."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass

from swarm_ledger.consensus.messages import MAX_REQUEST_BYTES

REMEMBERED = 65_536
"""Requests that were applied lately, and are not ordered again."""


@dataclass(slots=True)
class Pending:
    """One request. author: whoever sealed it; blocks: how many have passed it over since.

    since_ms: when it arrived, or when the current view began; relayed_ms, relays: when it was
    last passed on because time went by, and how often; relays_before: how often before the current
    view began; offered_ms: since when the leader can be
    expected to have it: since it arrived here, or since it was first passed on to the leader.
    """

    body: bytes
    author: int
    since_ms: int
    blocks: int = 0
    relayed_ms: int = 0
    relays: int = 0
    relays_before: int = 0
    offered_ms: int = 0


class Pool:
    """Pending requests by digest, in order of arrival, and the digests lately applied."""

    def __init__(self, quota: int) -> None:
        self._quota = quota
        self._pending: OrderedDict[bytes, Pending] = OrderedDict()
        self._held: Counter[int] = Counter()
        self._applied: OrderedDict[bytes, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._pending)

    def __contains__(self, key: bytes) -> bool:
        return key in self._pending

    def add(self, key: bytes, body: bytes, author: int, now_ms: int) -> bool:
        """Take a request in; False if it is known, applied, or over its author's quota.

        key: the digest of its body.
        """
        if key in self._pending or key in self._applied or self._held[author] >= self._quota:
            return False
        if not 1 <= len(body) <= MAX_REQUEST_BYTES:
            return False  # ordered, it could never be handed on to a replica that lags
        self._pending[key] = Pending(body, author, now_ms, relayed_ms=now_ms, offered_ms=now_ms)
        self._held[author] += 1
        return True

    def pending(self, key: bytes) -> Pending | None:
        """Return a request that waits here."""
        return self._pending.get(key)

    def body(self, key: bytes) -> bytes | None:
        """Return a pending request's bytes."""
        pending = self._pending.get(key)
        return pending.body if pending else None

    def was_applied(self, key: bytes) -> bool:
        """Whether that request was applied lately; a leader that repeats it is refused."""
        return key in self._applied

    def applied(self, keys: Iterable[bytes], assigned_ms: int | None = None) -> list[Pending]:
        """A block with these requests was applied; return what it passed over.

        assigned_ms: when its pre-prepare came, if it did; it passed over what was here before.
        """
        for key in keys:
            pending = self._pending.pop(key, None)
            if pending is not None:
                self._held[pending.author] -= 1
            self._applied[key] = None
        while len(self._applied) > REMEMBERED:
            self._applied.popitem(last=False)
        if assigned_ms is None:
            return []
        passed_over = [one for one in self._pending.values() if one.since_ms < assigned_ms]
        for pending in passed_over:
            pending.blocks += 1
        return passed_over

    def drop(self, key: bytes) -> None:
        """Forget a pending request, which may come again."""
        self._held[self._pending.pop(key).author] -= 1

    def waiting(self, but: Container[bytes]) -> Iterator[tuple[bytes, Pending]]:
        """Iterate over what is pending and not in `but`, oldest first."""
        return ((key, pending) for key, pending in self._pending.items() if key not in but)

    def all(self) -> Iterable[Pending]:
        """Return all that is pending, oldest first."""
        return self._pending.values()

    def restart_clocks(self, now_ms: int) -> None:
        """Give a new leader the full time for what an old one left."""
        for pending in self._pending.values():
            pending.since_ms, pending.blocks, pending.offered_ms = now_ms, 0, now_ms
            pending.relays_before = pending.relays
