# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Ending a process when it is asked to, between two pieces of work, not in the midst of one."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType


class Stop:
    """Once made, SIGINT and SIGTERM only set `asked`, which the process's loop looks at.

    As a context manager it gives the signals back at its end.
    """

    def __init__(self, *numbers: signal.Signals) -> None:
        self.asked = False
        chosen = numbers or (signal.SIGINT, signal.SIGTERM)
        self._before = {number: signal.signal(number, self._ask) for number in chosen}

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True

    def __enter__(self) -> Stop:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
