# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""One-line bugs, each put into the engine or its driver, to show that the checkers bite."""

from __future__ import annotations

from tests.mutants.agreement import COUNTING, EVIDENCE, PROPOSALS
from tests.mutants.epochs import EPOCHS
from tests.mutants.mutation import Mutant
from tests.mutants.progress import BOUNDS, CATCHING_UP, LEADERS, TIME
from tests.mutants.views import JOURNAL, VIEWS

MUTANTS: dict[str, tuple[Mutant, ...]] = {
    "Counting": COUNTING,
    "Proposals": PROPOSALS,
    "Views": VIEWS,
    "Journal and restart": JOURNAL,
    "Evidence": EVIDENCE,
    "Bounds": BOUNDS,
    "Leaders": LEADERS,
    "Time": TIME,
    "Catching up": CATCHING_UP,
    "Epochs": EPOCHS,
}
"""Every mutant, by what it breaks."""
