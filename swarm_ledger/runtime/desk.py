# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Where strangers ask something of a drone's process: one at a time, and not more than it spares.

What is asked is done in a thread of its own, so that the drone's loop waits for nobody. How much
of a processor that took is counted, and who asks when it is too much is turned away at once.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable

WAITING = 8
"""Who may wait besides the one who is served."""

SHARE = 0.2
"""Seconds of a processor's time in each second."""

BURST_S = 0.5
"""Seconds of a processor's time that may be used at once, after a while of quiet."""

Work = Callable[[], None]


class Desk:
    """Serves who asks, in order. share: of a processor; burst_s: how much of it at once.

    turned_away: how many were, by why: "budget" or "queue". served, used_s: how many were not, and
    the processor time that they took. Close it in the end.
    """

    def __init__(
        self,
        *,
        share: float = SHARE,
        burst_s: float = BURST_S,
        waiting: int = WAITING,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.turned_away: Counter[str] = Counter()
        self.served, self.used_s = 0, 0.0
        self._share, self._burst_s, self._clock = share, burst_s, clock
        self._left_s, self._seen_s = burst_s, clock()
        self._guard = threading.Lock()
        self._queue: queue.Queue[Work | None] = queue.Queue(waiting)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def ask(self, work: Work) -> str:
        """Have something done soon; returns "" or why it isn't: a sentence for whoever asks."""
        if self._left() <= 0:
            self.turned_away["budget"] += 1
            return "busy: this drone spares no more time now; ask another one, or in a second."
        try:
            self._queue.put_nowait(work)
        except queue.Full:
            self.turned_away["queue"] += 1
            return "busy: others are waiting here; ask another drone, or in a second."
        return ""

    def _left(self) -> float:
        with self._guard:
            now_s = self._clock()
            self._left_s += self._share * max(0.0, now_s - self._seen_s)
            self._left_s = min(self._left_s, self._burst_s)
            self._seen_s = now_s
            return self._left_s

    def _serve(self) -> None:
        while (work := self._queue.get()) is not None:
            began_s = time.thread_time()
            work()
            took_s = time.thread_time() - began_s
            with self._guard:
                self._left_s = max(self._left_s - took_s, -self._burst_s)
                self.served += 1
                self.used_s += took_s

    def close(self) -> None:
        """Let who is being served go, and those who wait unanswered."""
        while True:
            try:
                self._queue.put_nowait(None)
                break
            except queue.Full:
                try:
                    self._queue.get_nowait()
                except queue.Empty:
                    continue
        self._thread.join()
