# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""One-line bugs, each put into the engine or its driver, to show that the checkers bite."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pytest

from swarm_ledger.consensus import (
    certificates,
    checkpoints,
    new_view,
    normal,
    pool,
    recovery,
    replica,
    state,
    sync,
    view_change,
)
from swarm_ledger.consensus.messages import Signed
from swarm_ledger.consensus.quorum import faulty, quorum
from swarm_ledger.consensus.ready import Ready
from swarm_ledger.consensus.settings import Settings
from swarm_ledger.errors import PeerFault
from tests.sim.fakes import checkpoint
from tests.sim.node import Node

Patch = pytest.MonkeyPatch


@dataclass(frozen=True)
class Mutant:
    """A bug by its name. first: the seed from which on it is looked for."""

    name: str
    plant: Callable[[Patch], None]
    first: int = 0
    node: type[Node] = Node


class SendsFirst(Node):
    """Sends, then persists."""

    def effects(self, ready: Ready, own: list[tuple[int | None, Signed[Any]]]) -> None:
        self.send(ready, own)
        self.persist(ready, own)


class CosignsEarly(Node):
    """Vouches for the block after the one that it applied."""

    def _checkpoint(self) -> None:
        seq = self.replica.applied_seq + 1
        self.replica._state.say(checkpoint(seq, b"?" * 32))


def _nothing(patch: Patch) -> None:
    """The bug is in the driver."""


def _quorum(count: Callable[[int], int]) -> Callable[[Patch], None]:
    return lambda patch: patch.setattr(Settings, "quorum", property(lambda s: count(s.n)))


def _not_distinct(patch: Patch) -> None:
    def only_count(senders: Iterable[int], settings: Settings, what: str) -> None:
        if len(list(senders)) < settings.quorum:
            raise PeerFault("bad_certificate", what)

    patch.setattr(certificates, "distinct", only_count)
    patch.setattr(new_view, "distinct", only_count)


def _forgets_prepared(patch: Patch) -> None:
    patch.setattr(new_view, "carried_over", lambda c: (max(change.stable for change in c), ()))


def _keeps(*names: str) -> Callable[[Patch], None]:
    def plant(patch: Patch) -> None:
        real = state.Slot.new_view

        def keep(self: state.Slot) -> None:
            kept = {name: getattr(self, name) for name in names}
            real(self)
            for name, value in kept.items():
                setattr(self, name, value)

        patch.setattr(state.Slot, "new_view", keep)

    return plant


def _no_high_mark(patch: Patch) -> None:
    patch.setattr(state.State, "in_window", lambda self, seq: self.stable < seq)


def _hands_out_gaps(patch: Patch) -> None:
    def any_order(state_: state.State) -> None:
        for seq, slot in sorted(state_.slots.items()):
            if seq > state_.handed and slot.decided is not None:
                state_.handed = seq
                state_.ready.apply.append(slot.decided)

    patch.setattr(normal, "hand_out", any_order)
    patch.setattr(sync, "hand_out", any_order)


def _forgets_applied(patch: Patch) -> None:
    patch.setattr(pool.Pool, "was_applied", lambda self, key: False)
    real = pool.Pool.applied

    def forgetful(self: pool.Pool, *arguments: Any) -> list[pool.Pending]:
        passed_over = real(self, *arguments)
        self._applied = OrderedDict()
        return passed_over

    patch.setattr(pool.Pool, "applied", forgetful)


def _skip(module: Any, name: str, value: Any = None) -> Callable[[Patch], None]:
    return lambda patch: patch.setattr(module, name, lambda *_, **__: value)


def _set(module: Any, name: str, value: Any) -> Callable[[Patch], None]:
    return lambda patch: patch.setattr(module, name, value)


def _as_it_came(_digest: bytes, _seq: int, commits: tuple[bytes, ...], *_: object) -> object:
    return commits


def _no_quota(patch: Patch) -> None:
    real = pool.Pool.__init__
    patch.setattr(pool.Pool, "__init__", lambda self, quota: real(self, 1 << 30))


MUTANTS = (
    Mutant("quorum one too small", _quorum(lambda n: quorum(n) - 1)),
    Mutant("quorum is 2f + 1 where n is not 3f + 1", _quorum(lambda n: 2 * faulty(n) + 1)),
    Mutant("certificates do not check that signers differ", _not_distinct),
    Mutant("commit certificates are not checked", _set(sync, "check_commits", _as_it_came)),
    Mutant("a new view ignores prepared certificates", _forgets_prepared),
    Mutant("commits are counted across views", _keeps("commits")),
    Mutant("prepares are kept across views", _keeps("prepares")),
    Mutant("the high watermark is ignored", _no_high_mark),
    Mutant("blocks are handed out with gaps", _hands_out_gaps),
    Mutant("sent before it is journaled", _nothing, node=SendsFirst),
    Mutant("cosigned before the commit is local", _nothing, node=CosignsEarly),
    Mutant("a restart forgets what it prepared", _skip(recovery, "_slot")),
    Mutant("a restart forgets its certificates", _skip(recovery, "_restore_certificates")),
    Mutant("a restart forgets its view", _skip(recovery, "_restore_view")),
    Mutant("a restart forgets what the view began with", _skip(recovery, "begin_with"), 98),
    Mutant("any proposal is vouched for", _skip(normal, "_check_proposal", True)),
    Mutant("a leader may order a request twice", _skip(normal, "_check_fresh"), 52),
    Mutant("requests that were applied are forgotten", _forgets_applied),
    Mutant("early messages are unbounded", _set(replica, "EARLY", 1 << 30)),
    Mutant("pending requests are unbounded", _no_quota, 57),
    Mutant("nothing is ever collected as garbage", _skip(checkpoints, "collect_garbage"), 28),
    Mutant("nobody serves blocks", _skip(sync, "_ask")),
    Mutant("a lost view change is never sent again", _skip(state.State, "repeat")),
    Mutant("a silent leader is never suspected", _skip(view_change, "_suspicious", False)),
)
