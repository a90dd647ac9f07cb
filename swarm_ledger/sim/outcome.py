# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a mission came to: read from the drones' ledgers, and verified by a stranger."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from swarm_ledger.errors import Misuse, NotVerified, SwarmLedgerError
from swarm_ledger.ledger.store import Store
from swarm_ledger.light_client.policies import policy_file
from swarm_ledger.runtime.export import find_decision, prove, sessions_in
from swarm_ledger.runtime.fleet import Fleet
from swarm_ledger.runtime.snapshot import members_in
from swarm_ledger.sim.mission import Mission
from swarm_ledger.sim.watch import Watch
from swarm_ledger.voting.rules import OutcomeKind

POLICY = "policy"
PROOF = "decision-1.tlog-proof"
_STRANGER_SECONDS = 60


class Ledgers(str, Enum):
    """How the honest drones' ledgers compare."""

    ONE = "one"
    """They are one; a lost drone's is its beginning."""
    UNEVEN = "uneven"
    """Each is the beginning of the longest, but drones that flew on are not all as far."""
    DIFFER = "differ"
    """Two of them contradict each other."""
    NONE = "none"
    """None contradicts another, but no honest drone flew to the end."""


@dataclass(frozen=True)
class Outcome:
    """The result of a mission.

    decision: the label, "tie" or "undecided", or None if there was none; votes: by label.
    ledgers: how the honest ones compare; agree: they are one, those of lost drones its beginning.
    verified: another process believes the exported proof; why: what is in the way of that, a
    sentence. latency_ms: p50 and p99 from a vote's signature to its commit. voided: ballots that
    don't count because their voters contradicted themselves. liars: who was made to lie;
    evidence: who is proven to have contradicted itself, by the ledger or by what was heard.
    lost: how drones' processes ended before the others'. key_store: where each drone's root key
    is, as the roster says; hardware_only: whose votes it alone signs. links: "curve" if all drones
    said that theirs were encrypted, "plain" if not, "memory" where nothing left the process.
    secrecy: whether all drones said that they shared secrets. height is -1 and root empty if no
    honest ledger was left.
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
    ledgers: Ledgers
    why: str = ""
    text: str = ""
    voided: int = 0
    liars: list[str] = field(default_factory=list)
    evidence: list[str] = field(default_factory=list)
    lost: dict[str, str] = field(default_factory=dict)
    key_store: dict[str, str] = field(default_factory=dict)
    hardware_only: dict[str, bool] = field(default_factory=dict)
    links: str = "plain"
    secrecy: bool = False


def _links(mission: Mission, watch: Watch) -> str:
    if mission.transport == "memory":
        return mission.transport
    said = {seen.status.get("links") for seen in watch.drones.values() if seen.status}
    return "curve" if said == {"curve"} else "plain"


def conclude(mission: Mission, fleet: Fleet, watch: Watch, elapsed_s: float) -> Outcome:
    """Read the ledgers, export policy and proof, and have a stranger verify them."""
    with ExitStack() as stack:
        stores = {
            name: stack.enter_context(fleet.store(name))
            for name in sorted(watch.honest)
            if (fleet.folder / name / "ledger.db").exists()
        }
        longest = max(stores.values(), key=lambda store: store.size, default=None)
        ledgers, height, root = Ledgers.NONE, -1, ""
        found: dict[str, Any] = {}
        culprits = set(watch.culprits)
        why = "no honest drone left a ledger."
        if longest is not None:
            ledgers = _compare(stores, longest, watch)
            found, why = _export(mission.run_dir, fleet, longest)
            height, root = longest.height, longest.root().hex()
            with suppress(NotVerified):  # a ledger that doesn't hold convicts nobody
                convictions = members_in(longest, fleet.trust).convictions
                culprits.update(conviction.culprit.name for conviction in convictions)
    why = why or stranger_objects(mission.run_dir)
    latencies = watch.latencies_ms()
    members = {name: fleet.roster.named(name) for name in mission.names()}
    decision = found.get("decision")
    return Outcome(
        decision=decision,
        truth=mission.target,
        correct=decision == mission.target,
        votes=found.get("votes", {}),
        agree=ledgers is Ledgers.ONE,
        verified=not why,
        drones=mission.drones,
        byzantine=mission.byzantine,
        transport=mission.transport,
        height=height,
        root=root,
        latency_ms={"p50": percentile(latencies, 50), "p99": percentile(latencies, 99)},
        elapsed_s=round(elapsed_s, 3),
        run_dir=str(mission.run_dir),
        ledgers=ledgers,
        why=why,
        text=found.get("text", ""),
        voided=found.get("voided", 0),
        liars=sorted(mission.liars()),
        evidence=sorted(culprits),
        lost={name: seen.lost for name, seen in watch.drones.items() if seen.lost},
        key_store={name: member.key_store.label for name, member in members.items()},
        hardware_only={name: member.hardware_only for name, member in members.items()},
        links=_links(mission, watch),
        secrecy={seen.status.get("secrecy") for seen in watch.flying} == {"on"},
    )


def _compare(stores: Mapping[str, Store], longest: Store, watch: Watch) -> Ledgers:
    """Compare honest ledgers. Of a drone that was lost, a beginning is all that can be asked."""
    if any(longest.root(store.size) != store.root() for store in stores.values()):
        return Ledgers.DIFFER
    ends = {
        stores[name].size if name in stores else 0
        for name in watch.honest
        if not watch.drones[name].lost
    }
    if not ends:
        return Ledgers.NONE
    # They were one when the watch was done; while they are stopped, some may yet go on.
    return Ledgers.ONE if watch.done or ends == {longest.size} else Ledgers.UNEVEN


def _export(run_dir: Path, fleet: Fleet, store: Store) -> tuple[dict[str, Any], str]:
    """Write policy and proof of the first decision.

    Returns what it says, {} if there is none, and why it could not be exported, "" if it was.
    """
    try:
        index, settled = find_decision(store, 1)
    except Misuse:
        return {}, f"the ledger ends at height {store.height} without a decision."
    except SwarmLedgerError as error:
        return {}, error.explain()
    found = {
        "decision": settled.answer or OutcomeKind(settled.decision.outcome).name.lower(),
        "votes": settled.votes,
        "text": settled.text,
        "voided": settled.decision.voided,
    }
    try:
        policy = policy_file(sessions_in(store, fleet.trust, entry=index))
        proof = prove(store, index)
    except SwarmLedgerError as error:
        return found, str(error)
    (run_dir / POLICY).write_bytes(policy)
    (run_dir / PROOF).write_bytes(proof)
    return found, ""


def stranger_objects(run_dir: Path) -> str:
    """Return what a process that has only the exported files and the roster has against them.

    It is "" if they are verified.
    """
    arguments = ["verify", PROOF, "--policy", POLICY, "--roster", "roster"]
    try:
        verifier = subprocess.run(  # noqa: S603  - our own module, no shell
            [sys.executable, "-m", "swarm_ledger", *arguments],
            cwd=run_dir,
            capture_output=True,
            timeout=_STRANGER_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"its verifier had not ended after {_STRANGER_SECONDS} s."
    if verifier.returncode == 0:
        return ""
    said = verifier.stderr.decode(errors="replace").strip().splitlines()
    return said[-1].removeprefix("swarm-ledger: ") if said else f"exit {verifier.returncode}."


def percentile(ordered: Sequence[float], percent: float) -> float | None:
    """Return the nearest-rank percentile of sorted values, None of none."""
    if not ordered:
        return None
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
