# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a replica is told when it starts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from swarm_ledger.consensus.messages import MAX_BATCH, MAX_REPLICAS, MAX_WINDOW
from swarm_ledger.consensus.quorum import faulty, quorum
from swarm_ledger.errors import Misuse


@dataclass(frozen=True)
class Settings:
    """Protocol parameters; the same on every replica but for `me`. Times in milliseconds.

    n: validators; me: this replica's number, 0-based.
    window: sequence numbers between the low and the high watermark (1999, 4.3).
    interval: a checkpoint at least every that many blocks.
    pipeline: batches that a leader keeps in flight.
    max_batch, batch_delay_ms: a batch leaves when it has that many requests, or its oldest one
        has waited that long, or nothing else is in flight.
    request_timeout_ms: how long a leader may leave a request uncommitted, doubled per failed view.
    max_blocks_left_out: a request that this many blocks passed over has been left out on purpose.
    resend_ms: how long to wait for progress before repeating oneself.
    max_ahead_ms, max_behind_ms: how far a leader's clock may be ahead of ours, which would close
        questions early, and behind it when its batch arrives, which only delays.
    quota: pending requests that one author may have here.
    """

    n: int
    me: int
    window: int = 128
    interval: int = 16
    pipeline: int = 8
    max_batch: int = 100
    batch_delay_ms: int = 10
    request_timeout_ms: int = 2_000
    max_blocks_left_out: int = 16
    resend_ms: int = 250
    max_ahead_ms: int = 500
    max_behind_ms: int = 10_000
    quota: int = 64

    def __post_init__(self) -> None:
        rules = (
            (4 <= self.n <= MAX_REPLICAS, f"n must be 4 to {MAX_REPLICAS}"),
            (0 <= self.me < self.n, "me must be 0 to n - 1"),
            (1 <= self.interval <= self.window // 2, "interval must be 1 to half the window"),
            (self.window <= MAX_WINDOW, f"window must be at most {MAX_WINDOW}"),
            (1 <= self.pipeline <= self.window, "pipeline must be 1 to window"),
            (1 <= self.max_batch <= MAX_BATCH, f"max_batch must be 1 to {MAX_BATCH}"),
            (self.batch_delay_ms >= 0, "batch_delay_ms must not be negative"),
            (0 < self.resend_ms <= self.request_timeout_ms, "resend_ms must be in (0, timeout]"),
            (self.max_blocks_left_out >= 1, "max_blocks_left_out must be at least 1"),
            (self.max_ahead_ms >= 0, "max_ahead_ms must not be negative"),
            (self.max_behind_ms >= 0, "max_behind_ms must not be negative"),
            (self.quota >= 1, "quota must be at least 1"),
        )
        for holds, rule in rules:
            if not holds:
                raise Misuse(f"consensus settings: {rule}; got {self}.")

    @cached_property
    def f(self) -> int:
        """Faulty replicas that are tolerated."""
        return faulty(self.n)

    @cached_property
    def quorum(self) -> int:
        """Replicas that must agree."""
        return quorum(self.n)

    def leader(self, view: int) -> int:
        """Return the replica that leads `view` (1999, 4)."""
        return view % self.n
