# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a vote costs in counts, which no machine changes: a guard against what makes it dearer."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from swarm_ledger.identity import ed25519
from swarm_ledger.signers import SoftwareSigner
from swarm_ledger.sim.consensus_bench import Setting, Swarm, prepare

REPLICAS = 4
TOLERANCE = 0.1
"""Votes are counted where a block ends, so the last digits are chance."""

COSTS = {
    # clients: checks, signatures, bytes sent and transactions on disk, of all replicas, a vote
    1: (34.2, 10.65, 3_956, 9.6),
    40: (5.53, 1.56, 800, 0.52),
}


@pytest.mark.parametrize("clients", COSTS)
def test_a_vote_costs_no_more_than_it_did(
    clients: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: Counter[str] = Counter()
    check, sign = ed25519.verify, SoftwareSigner.sign

    def counted_check(*claim: bytes) -> bool:
        done["checks"] += 1
        return check(claim[0], claim[1], claim[2])

    def counted_sign(signer: SoftwareSigner, message: bytes) -> bytes:
        done["signatures"] += 1
        return sign(signer, message)

    fleet = prepare(Setting(REPLICAS, clients, "memory", voters=20), tmp_path)
    monkeypatch.setattr(ed25519, "verify", counted_check)
    monkeypatch.setattr(SoftwareSigner, "sign", counted_sign)
    with ExitStack() as stack:
        swarm = Swarm(fleet, clients, stack)
        swarm.run(0)
        before, done = swarm.counts(), Counter()
        while swarm.counts()[0].votes < before[0].votes + max(20, 3 * clients):
            swarm.turn()
        spent = [now.since(then) for now, then in zip(swarm.counts(), before, strict=True)]
    votes = spent[0].votes
    found = (
        done["checks"] / votes,
        done["signatures"] / votes,
        sum(one.sent for one in spent) / votes,
        sum(one.syncs for one in spent) / votes,
    )
    assert found == pytest.approx(COSTS[clients], rel=TOLERANCE)
