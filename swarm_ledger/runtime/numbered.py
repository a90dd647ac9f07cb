# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Numbers in what a session asks for, so that whoever says it again is not answered again."""

from __future__ import annotations

from swarm_ledger.identity.session import Session


class Numbers:
    """What an asker counts with: each number is larger than all before, also after a restart."""

    def __init__(self) -> None:
        self._last = 0

    def next(self, now_ms: int) -> int:
        """Return the next one. now_ms: POSIX milliseconds, from where a restart goes on."""
        self._last = max(self._last + 1, now_ms)
        return self._last


class Numbered:
    """What an answerer remembers: the last number of each session, of which there are few."""

    def __init__(self) -> None:
        self._last: dict[bytes, int] = {}

    def is_new(self, session: Session | None, number: int) -> bool:
        """Take a number in; False if it, or a larger one, was before. A root key asks nothing."""
        if session is None or number <= self._last.get(session.kid, -1):
            return False
        self._last[session.kid] = number
        return True
