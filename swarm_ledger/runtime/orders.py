# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a drone is to do by its own ledger: nothing that any topic says moves it.

Only what a quorum has cosigned counts: a decision is an order once a checkpoint is behind it.
"""

from __future__ import annotations

from typing import NamedTuple

from swarm_ledger.behaviour import Order, order_for
from swarm_ledger.envelope import Kind
from swarm_ledger.ledger.store import Store
from swarm_ledger.rules.rule import parse_action
from swarm_ledger.voting.decision import parse_settled

_RECENT = 16
"""Decisions and actions that are looked at, of the last ones."""


class Ordered(NamedTuple):
    """An order, and the number of the decision that it follows from."""

    order: Order
    decision: int
    text: str


class Orders:
    """Reads the newest order from a ledger. member: the drone's id, 16 bytes.

    newest_ms: decisions that are older when they are read are no orders: a drone that starts with
    the ledger of an earlier flight does not go on with that.
    """

    def __init__(self, store: Store, member: bytes, newest_ms: int = 600_000) -> None:
        self._store, self._member, self._newest_ms = store, member, newest_ms
        self._size = 0
        self._newest: Ordered | None = None

    def look(self, now_ms: int) -> Ordered | None:
        """Return the newest order that is certified, None where there is none yet.

        now_ms: the drone's clock, which the ledger's time is near to.
        """
        certified = self._store.latest_checkpoint()
        if certified is not None and certified.size > self._size:
            self._size = certified.size
            self._newest = self._find(now_ms) or self._newest
        return self._newest

    def _find(self, now_ms: int) -> Ordered | None:
        actions: dict[int, list[str]] = {}
        for found in self._recent(Kind.ACTION):
            action = parse_action(found)
            if not action.members or self._member in action.members:
                actions.setdefault(action.decision, []).append(action.action)
        for found in reversed(self._recent(Kind.DECISION)):
            settled = parse_settled(found)
            number, labels = settled.decision.number, settled.question.labels
            if now_ms - settled.decision.closed_ms > self._newest_ms:
                return None
            order = order_for(labels, settled.answer, actions.get(number, ()))
            if order is not None:
                return Ordered(order, number, settled.text)
        return None

    def _recent(self, kind: Kind) -> list[bytes]:
        found = self._store.find(kind, newest=True, limit=_RECENT, within=self._size)
        return [one.data[1:] for one in found]
