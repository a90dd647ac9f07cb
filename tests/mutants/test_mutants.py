# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Bugs that scripts/mutants.py has seen caught are caught again, under the seed that it noted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutation import caught

NOTED: dict[str, int] = json.loads((Path(__file__).parent / "caught.json").read_text())
BY_NAME = {bug.name: bug for bugs in MUTANTS.values() for bug in bugs}


@pytest.mark.parametrize("name", NOTED)
def test_a_bug_that_was_caught_is_caught_again(name: str) -> None:
    bug, first = BY_NAME[name], NOTED[name]
    seeds = [first, *range(40)]  # the engine changes, and with it what a seed stands for
    assert any(caught(bug, seed) for seed in (seeds[:1] if bug.scenario else seeds)), name


def test_names_are_different_and_every_edit_fits_the_code() -> None:
    bugs = [bug for group in MUTANTS.values() for bug in group]
    assert len(BY_NAME) == len(bugs)
    for bug in bugs:
        for edit in bug.edits:
            assert edit.code() is not edit.function.__code__
