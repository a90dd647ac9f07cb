# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Make a failing run small: fewer actions, fewer liars, better weather, while it still fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from swarm_ledger.sim.pbft.network import CALM
from swarm_ledger.sim.pbft.plan import Action, Plan

Fails = Callable[[Plan], bool]


def shrink(plan: Plan, fails: Fails, *, runs: int = 400) -> Plan:
    """Return a smaller plan that still fails, after at most that many runs.

    fails: whether a plan fails as the first one did. Leaving anything out changes what luck does
    afterwards, so a smaller plan is tried and kept only if it fails.
    """
    left = runs

    def still_fails(candidate: Plan) -> bool:
        nonlocal left
        left -= 1
        return left >= 0 and fails(candidate)

    before: Plan | None = None
    while before != plan and left > 0:
        before = plan
        plan = _fewer_actions(plan, still_fails)
        for simpler in _simpler(plan):
            if left > 0 and still_fails(simpler):
                plan = simpler
    return plan


def _fewer_actions(plan: Plan, fails: Fails) -> Plan:
    """Leave out runs of actions, halves first (Zeller's delta debugging, by complements)."""
    size = max(1, len(plan.actions) // 2)
    while size:
        start = 0
        while start < len(plan.actions):
            fewer = (*plan.actions[:start], *plan.actions[start + size :])
            candidate = replace(plan, actions=fewer)
            if fails(candidate):
                plan = candidate
            else:
                start += size
        size //= 2
    return plan


def _simpler(plan: Plan) -> Iterator[Plan]:
    """Yield plans with one thing less that is out of the ordinary."""
    for liar in plan.liars:
        yield replace(plan, liars=tuple(other for other in plan.liars if other != liar))
    if plan.weather != CALM:
        yield replace(plan, weather=CALM)
    weather = plan.weather
    for better in (
        replace(weather, loss=0.0),
        replace(weather, twice=0.0),
        replace(weather, corrupted=0.0),
        replace(weather, late=0.0),
        replace(weather, slow=None),
        replace(weather, in_order=False),
    ):
        if better != weather:
            yield replace(plan, weather=better)
    if any(plan.skews):
        yield replace(plan, skews=())
    if plan.real and not plan.radio:
        yield replace(plan, real=False)
    quicker = tuple(Action(a.kind, min(a.wait_ms, 100), a.numbers) for a in plan.actions)
    if quicker != plan.actions:
        yield replace(plan, actions=quicker)
