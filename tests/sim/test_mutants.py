# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A checker counts only once a mutant has shown that it bites: every mutant is caught."""

from __future__ import annotations

import pytest

from swarm_ledger.errors import SwarmLedgerError
from tests.sim.checkers import Violation
from tests.sim.mutants import MUTANTS, Mutant
from tests.sim.scenario import run

TRIES = 60


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_mutant_is_caught(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant.plant(monkeypatch)
    for seed in range(mutant.first, mutant.first + TRIES):
        try:
            run(seed, node=mutant.node)
        except (Violation, SwarmLedgerError):
            return
    pytest.fail(f"{TRIES} seeds did not catch: {mutant.name}")
