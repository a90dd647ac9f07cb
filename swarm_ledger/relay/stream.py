# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What was heard of one stream of sequence numbers: nothing twice, and how much is missing."""

from __future__ import annotations

from swarm_ledger.relay.statement import number_of, run_of


class Stream:
    """A sliding bitmap over the newest `size` sequence numbers (RFC 4303, 3.4.3; RFC 6479).

    lost: messages missing so far, of those sent since the first one heard; what comes late is
    taken off again. A later run of the sender starts at 1.
    """

    def __init__(self, size: int) -> None:
        self._size, self._mask = size, (1 << size) - 1
        self._highest, self._seen = 0, 0
        self.lost = 0

    def fault(self, sequence: int) -> str:
        """Return why a number can't be taken: "replayed" or "too_late"; empty if it can."""
        behind = self._highest - sequence
        if behind < 0:
            return ""
        if behind >= self._size:
            return "too_late"
        return "replayed" if self._seen >> behind & 1 else ""

    def mark(self, sequence: int) -> None:
        """Take a number; only one without a fault()."""
        ahead = sequence - self._highest
        same_run = run_of(sequence) == run_of(self._highest)
        if ahead < 0:
            self._seen |= 1 << -ahead
            self.lost = max(0, self.lost - 1)
            return
        if self._highest:
            self.lost += ahead - 1 if same_run else number_of(sequence) - 1
        self._seen = (self._seen << ahead | 1) & self._mask if ahead < self._size else 1
        self._highest = sequence
