# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""One run: faults while the checkers watch, then healing, then progress is demanded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from swarm_ledger.consensus.quorum import faulty
from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.sim.pbft.checkers import Violation
from swarm_ledger.sim.pbft.cluster import OPTIONS, Cluster, OnEvent
from swarm_ledger.sim.pbft.forgers import LIARS
from swarm_ledger.sim.pbft.network import Radio
from swarm_ledger.sim.pbft.node import Node
from swarm_ledger.sim.pbft.plan import POINTS, Action, Plan
from swarm_ledger.sim.pbft.trace import Trace

BOUND = 40
"""Request time-outs within which a healed swarm commits new votes everywhere."""
_LOOKS = 5
"""How often one looks within a time-out: most swarms are done in a part of it."""

_RADIO_OPTIONS = {"request_timeout_ms": 4_000, "resend_ms": 1_000, "batch_delay_ms": 100}


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a run. violation: which invariant does not hold, "" if all do; stalled: what
    a healed swarm did not get done in time, "" if it did. took: request time-outs that it took.
    """

    seed: int
    n: int
    violation: str
    stalled: str
    commits: int
    view_changes: int
    evidence: int
    epochs: int
    steps: int
    took: int
    air_bytes: int
    trace: str

    @property
    def fine(self) -> bool:
        """Whether nothing went wrong."""
        return not (self.violation or self.stalled)


def build(plan: Plan, *, honest: type[Node] = Node, on_event: OnEvent | None = None) -> Cluster:
    """Return the swarm of a plan, before anything happened."""
    cluster = Cluster(
        plan.n,
        plan.seed,
        spares=plan.spares,
        liars={me: LIARS[kind] for me, kind in plan.liars},
        honest=honest,
        weather=plan.weather,
        radio=Radio() if plan.radio else None,
        real=plan.real,
        options=_RADIO_OPTIONS if plan.radio else None,
        on_event=on_event,
    )
    for node, skew in zip(cluster.nodes, plan.skews):  # noqa: B905 - none need be given
        node.skew_ms = node.clock.skew_ms = skew
    return cluster


def run(plan: Plan, *, honest: type[Node] = Node, trace: Trace | None = None) -> Report:
    """Carry out a plan, and say what came of it. trace: is told everything that happens."""
    cluster = build(plan, honest=honest, on_event=trace)
    if trace is not None:
        trace.mint = cluster.mint
    violation, stalled, took = "", "", 0
    try:
        for action in plan.actions:
            if cluster.steps >= plan.steps:
                break
            if trace is not None:
                trace(cluster.now, "action", -1, str(action).encode())
            act(cluster, action)
            cluster.run(action.wait_ms, until=plan.steps)
        took = demand_progress(cluster)
        stalled = f"no progress in {BOUND} time-outs: {_where(cluster)}" if took > BOUND else ""
    except (Violation, Misuse, NotVerified) as found:
        violation = str(found)
    watch = cluster.watch
    return Report(
        plan.seed,
        plan.n,
        violation,
        stalled,
        watch.commits,
        len(watch.views),
        len(watch.accused),
        len(watch.epochs),
        cluster.steps,
        took,
        cluster.air.air_bytes,
        cluster.trace,
    )


def act(cluster: Cluster, action: Action) -> None:
    """Do one thing to a swarm."""
    if action.kind == "vote":
        author, *some = action.numbers
        members = cluster.watch.rosters[cluster.watch.epochs[-1][0]]
        cluster.vote(members[author % len(members)], to=some or None)
    elif handler := _HANDLERS.get(action.kind):
        handler(cluster, action.numbers)


def demand_progress(cluster: Cluster) -> int:
    """Heal, cast new votes, and return the time-outs that it took until all members hold them.

    BOUND + 1 if it took longer.
    """
    cluster.heal()
    newest = cluster.newest
    if newest.version > 1:
        cluster.announce(newest)
    members = [me for me in newest.members if cluster.nodes[me].honest]
    wanted = [cluster.vote(cluster.rng.choice(members)) for _ in range(4)]
    for look in range(BOUND * _LOOKS):
        cluster.run(cluster.options["request_timeout_ms"] // _LOOKS)
        if _all_hold(cluster, members, wanted):
            for node in cluster.honest:
                cluster.watch.verdicts(node)
            return look // _LOOKS + 1
        if look % _LOOKS == _LOOKS - 1:
            for body in wanted:
                cluster.repeat(body)
    return BOUND + 1


def _all_hold(cluster: Cluster, members: list[int], wanted: list[bytes]) -> bool:
    """Whether all members are in the newest epoch and hold these votes; liars may go on voting."""
    for me in members:
        node = cluster.nodes[me]
        held = {body for block in node.disk.content.blocks for body in block.bodies}
        if node.epoch.version != cluster.newest.version or not held.issuperset(wanted):
            return False
    return True


def _where(cluster: Cluster) -> str:
    return ", ".join(
        f"{node.me}: roster {node.epoch.version} height {node.ledger.height} view "
        f"{node.replica.view}{'' if node.replica.active else '?'}"
        f"{'' if node.speaks else ' (follows)'}"
        for node in cluster.honest
    )


# what can be done to a swarm; the numbers are drawn from 0 to 65,535


def _cut(cluster: Cluster, numbers: tuple[int, ...]) -> None:
    total = len(cluster.nodes)
    side = {me for me in range(total) if numbers[0] >> (me % 16) & 1}
    one_way = numbers[1] % 10 < 3
    cluster.air.cut = {
        (a, b)
        for a in range(total)
        for b in range(total)
        if (a in side) != (b in side) and (a in side or not one_way)
    }


def _cut_off_leader(cluster: Cluster, numbers: tuple[int, ...]) -> None:
    leader, total = _leader(cluster), len(cluster.nodes)
    out = {(leader, other) for other in range(total)}
    cluster.air.cut = out | ({(b, a) for a, b in out} if numbers[1] % 2 else set())


def _join(cluster: Cluster, _: tuple[int, ...]) -> None:
    cluster.air.cut = set()


def _leader(cluster: Cluster) -> int:
    return cluster.honest[0].replica.leader


def _crash(cluster: Cluster, numbers: tuple[int, ...]) -> None:
    _doom(cluster, numbers[0] % len(cluster.nodes), numbers)


def _crash_leader(cluster: Cluster, numbers: tuple[int, ...]) -> None:
    _doom(cluster, _leader(cluster), numbers)


def _blackout(cluster: Cluster, numbers: tuple[int, ...]) -> None:
    for node in cluster.honest:
        _doom(cluster, node.me, (0, numbers[1] + node.me, numbers[2] * (node.me + 1)))


def _doom(cluster: Cluster, me: int, numbers: tuple[int, ...]) -> None:
    cluster.nodes[me].doom = POINTS[numbers[1] % len(POINTS)]
    cluster.at(50 + numbers[2] % 2_000, "up again", me)


def _pause(cluster: Cluster, numbers: tuple[int, ...]) -> None:
    node = cluster.nodes[numbers[0] % len(cluster.nodes)]
    node.paused = True
    cluster.at(100 + numbers[1] % 3_000, "resume", node.me)


def _fill(cluster: Cluster, numbers: tuple[int, ...]) -> None:
    node = cluster.nodes[numbers[0] % len(cluster.nodes)]
    node.disk.full = True
    cluster.at(100 + numbers[1] % 2_000, "up again", node.me)


def _wipe(cluster: Cluster, numbers: tuple[int, ...]) -> None:
    node = cluster.nodes[numbers[0] % len(cluster.nodes)]
    if not node.honest:
        return
    mute_below = cluster.newest.version + 1
    for version, roster in cluster.rosters.items():
        lost = [
            me
            for me in roster.members
            if me == node.me
            or not cluster.nodes[me].honest
            or cluster.nodes[me].mute_below > version
        ]
        if len(lost) > faulty(len(roster.members)):
            return  # more than the protocol promises to survive
    node.mute_below = mute_below
    node.up = False
    node.disk.wipe()
    cluster.watch.kept(node, 0)
    cluster.at(50 + numbers[1] % 2_000, "up again", node.me)


def _clock(cluster: Cluster, numbers: tuple[int, ...]) -> None:
    node = cluster.nodes[numbers[0] % len(cluster.nodes)]
    skew = (3_600_000, -3_600_000, 700, -700, 5_000)[numbers[1] % 5]
    node.clock.correct(cluster.now, skew)
    node.clock.drift_ppm = (0, 0, 100_000, -100_000)[numbers[2] % 4]
    cluster.at(100 + numbers[3] % 3_000, "right the clock", node.me)


def _enrol(cluster: Cluster, numbers: tuple[int, ...]) -> None:
    """Add, remove or replace one or several, as far as the protocol's promises allow."""
    old = cluster.newest.members
    outside = [node.me for node in cluster.nodes if node.me not in old]
    gone, new = numbers[0] % 3, numbers[1] % 3
    leave = {old[(numbers[2] + i) % len(old)] for i in range(gone)}
    members = (*(me for me in old if me not in leave), *outside[:new])
    stay = len(old) - len(leave)
    liars = sum(not cluster.nodes[me].honest for me in members)
    if (
        members == old
        or len(members) < 4
        or liars > faulty(len(members))
        or stay <= faulty(len(old))
    ):
        return
    cluster.enrol(members)


_HANDLERS: dict[str, Callable[[Cluster, tuple[int, ...]], None]] = {
    "cut": _cut,
    "cut off the leader": _cut_off_leader,
    "join": _join,
    "crash": _crash,
    "crash the leader": _crash_leader,
    "blackout": _blackout,
    "pause": _pause,
    "fill the disk": _fill,
    "wipe": _wipe,
    "set the clock": _clock,
    "enrol": _enrol,
}

__all__ = ["BOUND", "OPTIONS", "Report", "act", "build", "demand_progress", "run"]
