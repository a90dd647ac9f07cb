# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Ending a process when it is asked to, between two pieces of work, not in the midst of one."""

from __future__ import annotations

import signal
from types import FrameType


class Stop:
    """Once made, SIGINT and SIGTERM only set `asked`, which the process's loop looks at."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
