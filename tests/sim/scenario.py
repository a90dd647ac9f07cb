# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""One seed, one run: faults for a while, then healing, then progress is demanded."""

from __future__ import annotations

import random

from tests.sim.cluster import SETTINGS, Cluster, Weather
from tests.sim.liars import LIARS
from tests.sim.node import Node

POINTS = ("before the journal", "before sending", "after sending", "before applying")
BOUND = 40
"""Request time-outs within which a healed swarm commits new votes everywhere."""


def build(seed: int, *, node: type[Node] = Node) -> tuple[Cluster, random.Random]:
    """Draw the swarm: its size, its liars, its weather."""
    rng = random.Random(f"scenario {seed}")
    n = rng.choice((4, 4, 4, 5, 6, 7))
    kinds: dict[int, type[Node]] = dict.fromkeys(range(n), node)
    for number in rng.sample(range(n), rng.randint(0, (n - 1) // 3)):
        kinds[number] = rng.choice(LIARS)
    weather = Weather(
        loss=rng.choice((0.0, 0.05, 0.3)),
        twice=rng.choice((0.0, 0.2)),
        delay_ms=rng.choice((5, 20, 60)),
        late=rng.choice((0.0, 0.1)),
    )
    cluster = _cluster(n, seed, kinds, weather)
    for member in cluster.nodes:
        member.skew_ms = rng.randint(-200, 200)
    return cluster, rng


def _cluster(n: int, seed: int, kinds: dict[int, type[Node]], weather: Weather) -> Cluster:
    liars = {number: kind for number, kind in kinds.items() if not kind.honest}
    cluster = Cluster(n, seed, liars=liars, weather=weather)
    for number, kind in kinds.items():
        cluster.nodes[number].__class__ = kind  # honest mutants differ in methods only
    return cluster


def trouble(cluster: Cluster, rng: random.Random, *, rounds: int = 12) -> None:
    """Faults of all kinds while votes come in; at most f drones lie, any may crash and return."""
    n = len(cluster.nodes)
    for _ in range(rounds):
        for _ in range(rng.randint(0, 4)):
            cluster.vote(to=None if rng.random() < 0.9 else [rng.randrange(n)])
        fate = rng.random()
        if fate < 0.25:
            side = set(rng.sample(range(n), rng.randint(1, n // 2)))
            one_way = rng.random() < 0.3
            cluster.cut = {
                (a, b)
                for a in range(n)
                for b in range(n)
                if (a in side) != (b in side) and (a in side or not one_way)
            }
        elif fate < 0.5:
            leader = cluster.honest[0].replica.leader
            number = leader if rng.random() < 0.5 else rng.randrange(n)
            cluster.crash_soon(number, rng.choice(POINTS), rng.randint(50, 2_500))
        elif fate < 0.6:
            for node in cluster.honest:
                cluster.crash_soon(node.me, rng.choice(POINTS), rng.randint(50, 1_500))
        elif fate < 0.8:
            cluster.cut = set()
        cluster.run(rng.choice((100, 300, 900)))


def demand_progress(cluster: Cluster, rng: random.Random) -> int:
    """Heal, cast new votes, and return the time-outs that it took until all hold them."""
    cluster.heal()
    wanted = {cluster.vote(rng.choice(cluster.honest).me) for _ in range(4)}
    for step in range(BOUND):
        cluster.run(SETTINGS["request_timeout_ms"])
        ledgers = [[(b.seq, b.time_ms, b.bodies) for b in n.disk.blocks] for n in cluster.honest]
        held = {body for _, _, bodies in ledgers[0] for body in bodies}
        if wanted <= held and all(ledger == ledgers[0] for ledger in ledgers):
            return step + 1
    missing = len(wanted - held)
    where = [(n.replica.view, n.replica.active, n.replica.applied_seq) for n in cluster.honest]
    return cluster.watch.violation(
        f"no progress in {BOUND} time-outs: {missing} missing, at {where}"
    )


def run(seed: int, *, node: type[Node] = Node) -> tuple[Cluster, int]:
    cluster, rng = build(seed, node=node)
    trouble(cluster, rng)
    return cluster, demand_progress(cluster, rng)
