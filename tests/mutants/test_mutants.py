# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Every bug is caught: by its scenario, or under the seed that scripts/mutants.py noted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutation import Mutant, caught

NOTED: dict[str, int] = json.loads((Path(__file__).parent / "caught.json").read_text())
BUGS = [bug for bugs in MUTANTS.values() for bug in bugs]
PAGE = Path(__file__).resolve().parents[2] / "docs" / "consensus-mutants.md"
TRIES = 40


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_every_bug_is_caught(bug: Mutant) -> None:
    seeds = [NOTED[bug.name]]
    if not bug.scenario:
        seeds += range(TRIES)  # the engine changes, and with it what a seed stands for
    assert any(caught(bug, seed) for seed in seeds), bug.name


def test_names_are_different_and_every_edit_fits_the_code() -> None:
    assert len({bug.name for bug in BUGS}) == len(BUGS)
    for bug in BUGS:
        for edit in bug.edits:
            assert edit.code() is not edit.function.__code__


def test_record_and_page_hold_every_bug() -> None:
    assert set(NOTED) == {bug.name for bug in BUGS}
    rows = [line.split(" | ")[0][2:] for line in PAGE.read_text().splitlines() if " | " in line]
    assert [name for name in rows if name not in ("bug", "---")] == [bug.name for bug in BUGS]
