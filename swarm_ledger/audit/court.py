# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Has signed messages judged, here and by other processes, and tells the verdicts in order.

Batches go to whoever is free, and are judged here where nobody is. A verdict depends on its
message and on what all were told at the start, and verdicts are told in the order of messages; so
what is found doesn't depend on how many processes there are, or on which of them was faster.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from swarm_ledger.audit.juror import Juror
from swarm_ledger.audit.signing import Judge, Verdict
from swarm_ledger.audit.speech import Speech
from swarm_ledger.bags.form import Recorded
from swarm_ledger.errors import Misuse

_BATCH = 256
_BATCH_BYTES = 1 << 20
_MOST_WAITING = 8
_MOST_BYTES = 64 << 20
"""Batches for each process, and bytes of all, that wait: memory is bounded by that."""


class Court:
    """Judges messages in their order. on_verdict: told each message with its verdict.

    jobs: how many processes, this one among them. Raises Misuse where one of them dies.
    """

    def __init__(
        self, speech: Speech, jobs: int, on_verdict: Callable[[Recorded, Verdict], None]
    ) -> None:
        given = [roster.raw for roster in speech.rosters], speech.delegations()
        self._tell, self._most = on_verdict, _MOST_WAITING * jobs
        self._judge = Judge(*given)
        self._batch: list[Recorded] = []
        self._bytes = self._waiting = 0
        self._asked: deque[tuple[list[Recorded], Juror | list[Verdict]]] = deque()
        self._jurors: list[Juror] = []
        try:
            for _ in range(jobs - 1):
                self._jurors.append(Juror(*given))
        except Misuse:
            self.close()
            raise

    def put(self, one: Recorded) -> None:
        """Have a message judged."""
        self._batch.append(one)
        self._bytes += len(one.data)
        if len(self._batch) >= _BATCH or self._bytes >= _BATCH_BYTES:
            self._submit()

    def finish(self) -> None:
        """Wait for all verdicts."""
        self._submit()
        while self._asked:
            self._take()

    def close(self) -> None:
        """Dismiss all jurors, whatever they were asked."""
        for juror in self._jurors:
            juror.dismiss()

    def _submit(self) -> None:
        self._waiting += self._bytes
        batch, self._batch, self._bytes = self._batch, [], 0
        free = [juror for juror in self._jurors if juror.free]
        if free:
            juror = min(free, key=lambda one: one.waiting)
            juror.ask([one.data for one in batch])
            self._asked.append((batch, juror))
        else:
            judge = self._judge.judge
            self._asked.append((batch, [judge(one.data) for one in batch]))
        while self._asked and (self._full() or self._ready()):
            self._take()

    def _full(self) -> bool:
        return len(self._asked) > self._most or self._waiting > _MOST_BYTES

    def _ready(self) -> bool:
        _, by = self._asked[0]
        return by.answered if isinstance(by, Juror) else True

    def _take(self) -> None:
        batch, by = self._asked.popleft()
        verdicts = by.answer() if isinstance(by, Juror) else by
        for one, verdict in zip(batch, verdicts, strict=True):
            self._waiting -= len(one.data)
            self._tell(one, verdict)
