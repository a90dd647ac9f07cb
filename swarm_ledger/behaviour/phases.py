# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a drone is doing, and what makes it do something else: one table."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum


class Order(Enum):
    """What the swarm's decision asks for."""

    HOLD = "hold"
    APPROACH = "approach"
    KEEP_CLEAR = "keep_clear"


class Phase(Enum):
    """What a drone is doing."""

    WAITING = "waiting"  # nobody knows where it is, or it is not enabled
    RISING = "rising"  # straight up, to its height
    GATHERING = "gathering"  # to its place around the target
    HOLDING = "holding"
    APPROACHING = "approaching"
    NEAR = "near"
    CLEARING = "clearing"  # away from the target
    CLEAR = "clear"


class Event(Enum):
    """What happened to it."""

    READY = "ready"
    HIGH_ENOUGH = "high enough"
    IN_PLACE = "in place"
    HOLD = "hold"
    APPROACH = "approach"
    KEEP_CLEAR = "keep_clear"


_ORDERS = {
    Event.HOLD: Phase.GATHERING,
    Event.APPROACH: Phase.APPROACHING,
    Event.KEEP_CLEAR: Phase.CLEARING,
}
_ABOUT = (
    *(Phase.GATHERING, Phase.HOLDING, Phase.APPROACHING),
    *(Phase.NEAR, Phase.CLEARING, Phase.CLEAR),
)

TABLE: dict[tuple[Phase, Event], Phase] = {
    (Phase.WAITING, Event.READY): Phase.RISING,
    (Phase.RISING, Event.HIGH_ENOUGH): Phase.GATHERING,
    (Phase.GATHERING, Event.IN_PLACE): Phase.HOLDING,
    (Phase.APPROACHING, Event.IN_PLACE): Phase.NEAR,
    (Phase.CLEARING, Event.IN_PLACE): Phase.CLEAR,
    **{(phase, event): after for phase in _ABOUT for event, after in _ORDERS.items()},
}

ACTED = {Order.HOLD: Phase.HOLDING, Order.APPROACH: Phase.NEAR, Order.KEEP_CLEAR: Phase.CLEAR}
"""Where each order has been carried out."""

LABELS = {"cup": Order.APPROACH, "two_faces": Order.KEEP_CLEAR}
"""What a label asks for where no rule on the ledger says so; HOLD for all others."""

_NAMED = {order.value: order for order in Order}


def order_for(labels: Sequence[str], answer: str | None, actions: Sequence[str]) -> Order | None:
    """Return what a decision asks for, None where it is about something else.

    labels: of its question; answer: None where there was no majority. actions: what triggers on
    the ledger made of the decision (docs/rules.md); one that we can fly goes before the answer.
    """
    for action in actions:
        if action in _NAMED:
            return _NAMED[action]
    if not set(labels) & LABELS.keys():
        return None
    return LABELS.get(answer or "", Order.HOLD)
