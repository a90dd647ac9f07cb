# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Many seeds: faults, liars, crashes, then healing. SWARM_SEEDS=0:1000 runs others."""

from __future__ import annotations

import os

import pytest

from swarm_ledger.sim.pbft.plan import Menu, draw
from swarm_ledger.sim.pbft.run import BOUND, run

FIRST, LAST = map(int, os.environ.get("SWARM_SEEDS", "0:60").split(":"))


@pytest.mark.parametrize("block", range(FIRST, LAST, 10))
def test_seeds(block: int) -> None:
    for seed in range(block, min(block + 10, LAST)):
        report = run(draw(seed, Menu()))
        assert report.fine, f"seed {seed}: {report.violation or report.stalled}"
        assert 1 <= report.took <= BOUND


def test_the_menu_s_long_runs_see_everything_happen() -> None:
    """What never happens proves nothing."""
    reports = [run(draw(seed, Menu(steps=3_000))) for seed in range(12)]
    assert not [report for report in reports if not report.fine]
    for what in ("commits", "view_changes", "evidence"):
        assert sum(getattr(report, what) for report in reports) > 0, what
    assert max(report.epochs for report in reports) > 1


@pytest.mark.parametrize("seed", [2, 3])
def test_drones_that_share_a_radio_channel_get_on(seed: int) -> None:
    report = run(draw(seed, Menu(drones=4, byzantine=0, radio=True, steps=600)))
    assert report.fine, report.violation or report.stalled
    assert report.air_bytes > 0
