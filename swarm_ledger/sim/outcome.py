# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a mission came to: read from the drones' ledgers, and verified by a stranger."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.ledger.store import Store
from swarm_ledger.runtime.export import find_decision, policy_file, prove, sessions_in
from swarm_ledger.runtime.fleet import Fleet
from swarm_ledger.sim.mission import Mission
from swarm_ledger.sim.watch import Watch
from swarm_ledger.voting.rules import OutcomeKind

POLICY = "policy"
PROOF = "decision-1.tlog-proof"
_STRANGER_SECONDS = 60


@dataclass(frozen=True)
class Outcome:
    """The result of a mission.

    decision: the label, "tie" or "undecided", or None if there was none; votes: by label.
    agree: all honest ledgers are one, those of lost drones its beginning. verified: another
    process believes the exported proof. latency_ms: p50 and p99 from a vote's signature to its
    commit. voided: ballots that don't count because their voters contradicted themselves. liars:
    who was made to lie; evidence: who is proven to have contradicted itself. lost: how drones'
    processes ended before the others'. height is -1 and root empty if no honest ledger was left.
    """

    decision: str | None
    truth: str
    correct: bool
    votes: dict[str, int]
    agree: bool
    verified: bool
    drones: int
    byzantine: int
    transport: str
    height: int
    root: str
    latency_ms: dict[str, float | None]
    elapsed_s: float
    run_dir: str
    text: str = ""
    voided: int = 0
    liars: list[str] = field(default_factory=list)
    evidence: list[str] = field(default_factory=list)
    lost: dict[str, str] = field(default_factory=dict)


def conclude(mission: Mission, fleet: Fleet, watch: Watch, elapsed_s: float) -> Outcome:
    """Read the ledgers, export policy and proof, and have a stranger verify them."""
    with ExitStack() as stack:
        stores = {
            name: stack.enter_context(fleet.store(name))
            for name in sorted(watch.honest)
            if (fleet.folder / name / "ledger.db").exists()
        }
        longest = max(stores.values(), key=lambda store: store.size, default=None)
        agree, found, height, root = False, {}, -1, ""
        if longest is not None:
            agree = _one_ledger(list(stores.values()), longest, watch)
            found = _export(mission.run_dir, fleet, longest)
            height, root = longest.height, longest.root().hex()
    verified = bool(found) and stranger_believes(mission.run_dir)
    latencies = watch.latencies_ms()
    decision = found.get("decision")
    return Outcome(
        decision=decision,
        truth=mission.target,
        correct=decision == mission.target,
        votes=found.get("votes", {}),
        agree=agree,
        verified=verified,
        drones=mission.drones,
        byzantine=mission.byzantine,
        transport=mission.transport,
        height=height,
        root=root,
        latency_ms={"p50": percentile(latencies, 50), "p99": percentile(latencies, 99)},
        elapsed_s=round(elapsed_s, 3),
        run_dir=str(mission.run_dir),
        text=found.get("text", ""),
        voided=found.get("voided", 0),
        liars=sorted(mission.liars()),
        evidence=sorted(watch.culprits),
        lost={name: seen.lost for name, seen in watch.drones.items() if seen.lost},
    )


def _one_ledger(stores: list[Store], longest: Store, watch: Watch) -> bool:
    """Whether each ledger is the longest one's beginning, and those that flew on are all of it."""
    prefixes = all(longest.root(store.size) == store.root() for store in stores)
    return prefixes and watch.done


def _export(run_dir: Path, fleet: Fleet, store: Store) -> dict[str, Any]:
    """Write policy and proof of the first decision; return what it says, {} if there is none."""
    try:
        index, settled = find_decision(store, 1)
        policy = policy_file(sessions_in(store, fleet.roster))
        proof = prove(store, index)
    except (Misuse, NotVerified):
        return {}
    (run_dir / POLICY).write_bytes(policy)
    (run_dir / PROOF).write_bytes(proof)
    outcome = OutcomeKind(settled.decision.outcome).name.lower()
    return {
        "decision": settled.answer or outcome,
        "votes": settled.votes,
        "text": settled.text,
        "voided": settled.decision.voided,
    }


def stranger_believes(run_dir: Path) -> bool:
    """Whether a process that has only the exported files and the roster verifies them."""
    arguments = ["verify", PROOF, "--policy", POLICY, "--roster", "roster"]
    verifier = subprocess.run(  # noqa: S603  - our own module, no shell
        [sys.executable, "-m", "swarm_ledger", *arguments],
        cwd=run_dir,
        capture_output=True,
        timeout=_STRANGER_SECONDS,
        check=False,
    )
    return verifier.returncode == 0


def percentile(ordered: Sequence[float], percent: float) -> float | None:
    """Return the nearest-rank percentile of sorted values, None of none."""
    if not ordered:
        return None
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
