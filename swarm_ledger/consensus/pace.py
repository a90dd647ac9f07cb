# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A leader that is merely slow, just under the time-out, is noticed and replaced.

How long a leader lets requests wait is measured against what it can't slow down: the prepare and
commit phases, which need no leader (the idea of Prime's turn-around time, Amir et al. 2011, and of
Aardvark, Clement et al. 2009).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from statistics import median

from swarm_ledger.consensus.settings import Settings

_ENOUGH = 8
_REMEMBERED = 32
_SLACK = 4
_MAX_STRIKES = 4
_GATHERED = 2


@dataclass(slots=True)
class Pace:
    """How long requests wait for the leader, and how long agreement takes then; milliseconds.

    strikes: how often in a row a leader was called slow. Each doubles what the next is allowed,
    so that a swarm whose members are all slow comes to rest; a leader that keeps pace takes one
    back.
    """

    strikes: int = 0
    kept: int = 0
    waits: deque[int] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    phases: deque[int] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))

    def waited(self, ms: int) -> None:
        """A request that the leader was free to order had waited that long."""
        self.waits.append(ms)
        self.kept += 1
        if self.kept >= 2 * _REMEMBERED:
            self.kept, self.strikes = 0, max(0, self.strikes - 1)

    def agreed(self, ms: int) -> None:
        """A batch committed that long after its pre-prepare."""
        self.phases.append(ms)

    def batch_delay(self, settings: Settings) -> int:
        """How long a leader with a batch in flight gathers the next one, milliseconds.

        As long as agreement took last, up to some batch_delay_ms: where processors are the
        bottleneck, many small batches at once would only delay each other. Where messages take
        long, nothing is gained by waiting for them.
        """
        took = self.phases[-1] if self.phases else 0
        return min(max(took, settings.batch_delay_ms), _GATHERED * settings.batch_delay_ms)

    def slow(self, settings: Settings) -> bool:
        """Whether half of what the leader ordered waited longer than agreement can explain."""
        if min(len(self.waits), len(self.phases)) < _ENOUGH:
            return False
        delay_ms = max(settings.batch_delay_ms, settings.gather_ms)
        usual = delay_ms + int(median(self.phases))
        allowed = max(settings.request_timeout_ms // 4, _SLACK * usual) << self.strikes
        return int(median(self.waits)) > allowed

    def new_view(self) -> None:
        """Another leader, another measure; what agreement takes stays known."""
        self.waits.clear()
        self.kept = 0

    def strike(self) -> None:
        """This leader is left for being slow."""
        self.strikes = min(self.strikes + 1, _MAX_STRIKES)
