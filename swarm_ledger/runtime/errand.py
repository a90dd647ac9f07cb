# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Something that may take long, such as a signature by a token, done beside the drone's loop."""

from __future__ import annotations

import threading
from collections.abc import Callable

from swarm_ledger.errors import Misuse

RETRY_S = 5


class Errand:
    """Does one thing at a time, in a thread of its own, and again RETRY_S after it failed.

    The process may end at any time: the thread keeps nobody waiting.
    """

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._failure: Misuse | None = None
        self._failed, self._again_s = False, 0

    @property
    def trouble(self) -> Misuse | None:
        """Why it failed last time, until it is done."""
        return self._failure

    @property
    def busy(self) -> bool:
        """Whether it is under way."""
        return self._thread is not None and self._thread.is_alive()

    def urge(self, work: Callable[[], object], now_s: int) -> None:
        """Have it done, unless it is under way or failed a short while ago (POSIX seconds)."""
        if self.busy:
            return
        if self._failed:
            self._failed, self._again_s = False, now_s + RETRY_S
        if 0 < self._again_s - now_s <= RETRY_S:
            return
        self._thread = threading.Thread(target=self._do, args=(work,), daemon=True)
        self._thread.start()

    def _do(self, work: Callable[[], object]) -> None:
        try:
            work()
        except Misuse as error:
            self._failure, self._failed = error, True
        else:
            self._failure = None
