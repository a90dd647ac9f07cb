# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What `bench consensus` makes of what replicas report, and a small run of it in one process."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from swarm_ledger.cli.app import app
from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.sim.consensus_bench import Latency, Setting, evaluate, measure, medians
from swarm_ledger.sim.consensus_bench_load import Counts
from swarm_ledger.sim.consensus_bench_replica import Measured

DONE = Counts(
    at_us=2_000_000,
    cpu_us=400_000,
    client_us=10_000,
    sent=500_000,
    syncs=30,
    votes=1_000,
    requests=1_010,
    blocks=20,
    decisions=10,
    checkpoints=10,
)
SMALL = {"clients": 4, "transport": "memory", "seconds": 0.2, "warm_up_s": 0.0, "voters": 8}


def _replicas(**changed: Any) -> list[Measured]:
    counts = msgspec.structs.replace(DONE, **changed)
    return [Measured(counts, [1_000, 2_000, 9_000], 80.0, 50.0 + n) for n in range(4)]


def test_a_vote_is_divided_by_what_all_replicas_took_for_it() -> None:
    run = evaluate(Setting(), _replicas(), 1_600_000)
    # Each request at each of four, and of each block and checkpoint two others' prepares (or the
    # pre-prepare) and commits, or two envelopes and two cosignatures.
    checks = 4 * (1_010 + 4 * 20 + 4 * 10) / 1_000
    assert run.signatures_per_commit == pytest.approx(checks)
    assert run.floor_us_per_commit == pytest.approx(80 * checks)
    assert run.cpu_us_per_commit == pytest.approx(1_600)
    assert run.floor_ratio == pytest.approx(80 * checks / 1_600)
    assert (run.throughput_tps, run.commits, run.fsyncs) == (500, 1_000, 120)
    assert (run.bytes_per_commit, run.client_us_per_commit) == (2_000, 40)
    assert run.latency_ms == Latency(2, 9, 9)
    assert run.rss_mb == 53


def test_a_commit_is_one_that_all_have() -> None:
    slow = Measured(msgspec.structs.replace(DONE, votes=500), [], 80.0, 1.0)
    assert evaluate(Setting(), [*_replicas()[:3], slow], 1).commits == 500


def test_nothing_committed_is_no_figure() -> None:
    with pytest.raises(NotVerified, match="no vote"):
        evaluate(Setting(), _replicas(votes=0), 1)


def test_medians_of_runs() -> None:
    runs = [evaluate(Setting(), _replicas(sent=sent), 1_600_000) for sent in (1, 9_000, 500)]
    assert medians(runs).bytes_per_commit == 2
    assert medians(runs).latency_ms == Latency(2, 9, 9)


@pytest.mark.parametrize(
    "wrong",
    [
        {"replicas": 3},
        {"replicas": 64},
        {"clients": 0},
        {"transport": "pigeon"},
        {"seconds": 0},
        {"warm_up_s": -1},
        {"payload": 4_097},
        {"payload": -1},
        {"voters": 3},
        {"voters": 124},
    ],
)
def test_what_can_not_be_measured_is_told(wrong: dict[str, Any]) -> None:
    with pytest.raises(Misuse):
        Setting(**wrong)


@pytest.mark.parametrize("payload", [0, 300])
def test_a_small_run_in_one_process(payload: int) -> None:
    run = measure(Setting(**SMALL, payload=payload))
    assert run.commits > 0
    assert run.latency_ms.p50 > 0
    # A vote is checked by each of the four, and more than that has to be.
    assert run.signatures_per_commit > 4
    assert run.cpu_us_per_commit > run.floor_us_per_commit > 4 * run.check_us
    assert run.bytes_per_commit > 3 * max(170, payload)
    assert run.fsyncs > 0


def test_the_command_refuses_what_it_can_not_measure() -> None:
    told = CliRunner().invoke(app, ["bench", "consensus", "--transport", "pigeon"])
    assert isinstance(told.exception, Misuse)
