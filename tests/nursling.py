# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a nursery forks in tests: it says what it was given, and ends as it is told."""

from __future__ import annotations

import os
import signal
import sys

from swarm_ledger.sim.events import die_with_parent

warm: list[int] = []


def warm_up() -> None:
    warm.append(os.getpid())


def main() -> int:
    die_with_parent()
    given = sys.argv[1:]
    print(os.getpid(), warm[0], os.environ["OF_THE_CHILD"], *given, flush=True)
    print("a word to the log", file=sys.stderr, flush=True)
    if given == ["wait"]:
        signal.pause()
    return int(given[0])
