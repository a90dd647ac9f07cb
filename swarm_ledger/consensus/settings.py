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
    """Protocol parameters; the same on every replica but for `me` and `mute`. Milliseconds.

    members: identifiers of this epoch's validators, in the order in which they lead.
    me: this drone's identifier; one that is no member follows, and says nothing that binds.
    base: the height after which this epoch begins; what lies up to there was ordered before.
    mute: follow only, though a member: for one that may have forgotten what it said.
    window: sequence numbers between the low and the high watermark (1999, 4.3).
    interval: a checkpoint at least every that many blocks.
    pipeline: batches that a leader keeps in flight.
    max_batch, batch_delay_ms: a batch leaves when it has that many requests, or its oldest one
        has waited that long (up to twice as long where agreement takes so long), or nothing
        else is in flight.
    linger_ms: how long a leader waits after a block of many requests for those that it sets free.
    gather_ms: where nothing is in flight, a batch of members' requests waits for that long all
        the same, unless there is one for each: one agreement for all their votes, on links where
        each byte counts.
    request_timeout_ms: how long a leader may leave a request uncommitted, doubled per failed view.
    max_blocks_left_out: a request that this many blocks passed over, after it was shown to the
        leader because of that, has been left out on purpose.
    resend_ms: how long to wait for progress before repeating oneself.
    max_ahead_ms, max_behind_ms: how far a leader's clock may be ahead of ours, which would close
        questions early, and behind it when its batch arrives, which only delays.
    quota: pending requests that one author may have here.
    """

    members: tuple[int, ...]
    me: int
    base: int = 0
    mute: bool = False
    window: int = 128
    interval: int = 16
    pipeline: int = 8
    max_batch: int = 100
    batch_delay_ms: int = 10
    linger_ms: int = 4
    gather_ms: int = 0
    request_timeout_ms: int = 2_000
    max_blocks_left_out: int = 16
    resend_ms: int = 250
    max_ahead_ms: int = 500
    max_behind_ms: int = 10_000
    quota: int = 64

    def __post_init__(self) -> None:
        rules = (
            (4 <= self.n <= MAX_REPLICAS, f"there must be 4 to {MAX_REPLICAS} members"),
            (len(set(self.members)) == self.n, "no member may stand twice"),
            (min(self.members, default=0) >= 0, "members must not be negative"),
            (self.base >= 0, "base must not be negative"),
            (1 <= self.interval <= self.window // 2, "interval must be 1 to half the window"),
            (self.window <= MAX_WINDOW, f"window must be at most {MAX_WINDOW}"),
            (1 <= self.pipeline <= self.window, "pipeline must be 1 to window"),
            (1 <= self.max_batch <= MAX_BATCH, f"max_batch must be 1 to {MAX_BATCH}"),
            (self.batch_delay_ms >= 0, "batch_delay_ms must not be negative"),
            (self.linger_ms >= 0, "linger_ms must not be negative"),
            (0 <= self.gather_ms <= self.request_timeout_ms, "gather_ms must be in [0, timeout]"),
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
    def n(self) -> int:
        """How many members there are."""
        return len(self.members)

    @cached_property
    def speaks(self) -> bool:
        """Whether this drone takes part, instead of following only."""
        return self.me in self.members and not self.mute

    @cached_property
    def enough(self) -> int:
        """Requests with which a batch leaves at once."""
        return min(self.n, self.max_batch) if self.gather_ms else self.max_batch

    @property
    def passed_over_offered(self) -> int:
        """After how many blocks that pass a request over it is shown to the leader (again)."""
        return max(1, self.max_blocks_left_out // 4)

    @cached_property
    def f(self) -> int:
        """Faulty replicas that are tolerated."""
        return faulty(self.n)

    @cached_property
    def quorum(self) -> int:
        """Replicas that must agree."""
        return quorum(self.n)

    def leader(self, view: int) -> int:
        """Return the member that leads `view` (1999, 4)."""
        return self.members[view % self.n]
