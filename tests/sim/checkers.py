# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The checkers beside the cluster: they see everything, and share no code with the engine."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NoReturn

from swarm_ledger.consensus.messages import (
    Batch,
    Checkpoint,
    Commit,
    Message,
    NewView,
    Prepare,
    PrePrepare,
    Signed,
    ViewChange,
)
from swarm_ledger.consensus.ready import Decided, Evidence, Stable

if TYPE_CHECKING:
    from tests.sim.node import Node


class Violation(AssertionError):  # noqa: N818  - a finding, not an error of the tests
    """An invariant does not hold."""


class Watch:
    def __init__(self, n: int, liars: frozenset[int]) -> None:
        self.n, self.liars = n, liars
        self.quorum = -(-(n + (n - 1) // 3 + 1) // 2)
        self.votes: set[bytes] = set()
        self.blocks: dict[int, tuple[int, tuple[bytes, ...]]] = {}
        self.views: set[int] = set()
        self.accused: set[int] = set()
        self._height = [0] * n
        self._first_view: dict[bytes, int] = {}
        self._pre_prepared: set[tuple[int, int, bytes]] = set()
        self._prepares: dict[tuple[int, int, bytes], set[int]] = defaultdict(set)
        self._commits: dict[tuple[int, int, bytes], set[int]] = defaultdict(set)
        self._checkpoints: dict[tuple[int, int, bytes], set[int]] = defaultdict(set)
        self._said: dict[tuple[object, ...], object] = {}
        self._own: dict[int, dict[int, int]] = defaultdict(dict)
        self._left: dict[int, int] = {}
        self._chosen: dict[int, tuple[int, bytes]] = {}
        """For each number, what may have committed: the lowest view it did in, and its digest."""

    def violation(self, what: str) -> NoReturn:
        raise Violation(what)

    def submitted(self, body: bytes) -> None:
        self.votes.add(body)

    def sealed(self, sender: int, message: Message) -> None:
        """Note every statement that exists, honest or not, sent or not."""
        if isinstance(message, PrePrepare):
            batch = message.batch
            if sender == message.view % self.n:
                self._pre_prepared.add((message.view, batch.seq, batch.digest()))
                known = self._first_view.get(batch.digest(), message.view)
                self._first_view[batch.digest()] = min(known, message.view)
        elif isinstance(message, Prepare):
            if sender != message.view % self.n:
                self._prepares[message.view, message.seq, message.digest].add(sender)
        elif isinstance(message, Commit):
            self._commits[message.view, message.seq, message.digest].add(sender)
        elif isinstance(message, Checkpoint):
            self._checkpoints[message.seq, message.size, message.root].add(sender)

    def said(self, node: Node, signed: Signed[Message]) -> None:
        """An honest replica sends this: it must not contradict anything that it sent before."""
        me, message = node.me, signed.message
        if isinstance(message, PrePrepare):
            seq = message.batch.seq
            self._say(me, ("pre-prepare", message.view, seq), message.batch)
            self._carried(me, message.view, seq, message.batch.digest())
        elif isinstance(message, Prepare):
            self._say(me, ("prepare", message.view, message.seq), message.digest)
            self._carried(me, message.view, message.seq, message.digest)
        elif isinstance(message, Commit):
            self._commit(me, message)
        elif isinstance(message, Checkpoint):
            self._say(me, ("checkpoint", message.seq), (message.size, message.root))
            if message.seq > self._height[me]:
                self.violation(f"{me} cosigned {message.seq} before it was applied")
        elif isinstance(message, ViewChange):
            self._say(me, ("view change", message.view), message)
            self._view_change(node, message)
        elif isinstance(message, NewView):
            self._say(me, ("new view", message.view), message)

    def _say(self, me: int, about: tuple[object, ...], what: object) -> None:
        if self._said.setdefault((me, *about), what) != what:
            self.violation(f"{me} contradicts what it said: {about}")
        if about[0] in ("prepare", "commit", "pre-prepare") and self._left.get(me, 0) > int(
            str(about[1])
        ):
            self.violation(f"{me} speaks in view {about[1]} after it left it")

    def _carried(self, me: int, view: int, seq: int, digest: bytes) -> None:
        chosen = self._chosen.get(seq)
        if chosen is not None and chosen[0] < view and chosen[1] != digest:
            self.violation(f"{me}: {seq} may have committed in view {chosen[0]}, lost in {view}")

    def _commit(self, me: int, message: Commit) -> None:
        key = (message.view, message.seq, message.digest)
        self._say(me, ("commit", message.view, message.seq), message.digest)
        self._carried(me, *key)
        if key not in self._pre_prepared or len(self._prepares[key]) + 1 < self.quorum:
            self.violation(f"{me} commits {key[:2]} without a prepared certificate")
        self._own[me][message.seq] = message.view
        if len(self._commits[key] | self.liars) >= self.quorum:
            view, digest = self._chosen.setdefault(message.seq, (message.view, message.digest))
            if digest != message.digest:
                self.violation(f"two batches may commit at {message.seq}")
            if message.view < view:
                self._chosen[message.seq] = (message.view, digest)

    def _view_change(self, node: Node, message: ViewChange) -> None:
        self._left[node.me] = max(self._left.get(node.me, 0), message.view)
        self.views.add(message.view)
        shown: dict[int, int] = {}
        for wire in message.prepared:
            pre_prepare = node.world.mint.open(wire.pre_prepare).message
            assert isinstance(pre_prepare, PrePrepare)
            shown[pre_prepare.batch.seq] = pre_prepare.view
        for seq, view in self._own[node.me].items():
            if seq > message.stable and shown.get(seq, -1) < view < message.view:
                self.violation(f"{node.me} hides that it prepared {seq} in view {view}")

    def applied(self, node: Node, decided: Decided) -> None:
        me, seq = node.me, decided.seq
        if seq != len(node.disk.blocks) + 1:
            self.violation(f"{me} applies {seq} after {len(node.disk.blocks)}")
        self._height[me] = seq
        block = (decided.time_ms, decided.bodies)
        if seq not in self.blocks:
            self._first_applied(decided)
        if self.blocks.setdefault(seq, block) != block:
            self.violation(f"two batches are applied at {seq}")
        commits = [node.world.mint.open(raw) for raw in decided.commits]
        batch = Batch(seq, decided.time_ms, decided.batch().requests)
        keys = {(s.message.view, s.message.seq, s.message.digest) for s in commits}  # type: ignore[union-attr]
        if len(keys) != 1 or next(iter(keys))[1:] != (seq, batch.digest()):
            self.violation(f"{me} applies {seq} with commits for something else")
        if len({s.sender for s in commits}) < self.quorum:
            self.violation(f"{me} applies {seq} without a quorum")

    def _first_applied(self, decided: Decided) -> None:
        earlier = {body: seq for seq, (_, bodies) in self.blocks.items() for body in bodies}
        born = self._first_view.get(decided.batch().digest(), 0)
        for body in decided.bodies:
            if body not in self.votes:
                self.violation(f"{decided.seq} holds what nobody submitted")
            if decided.bodies.count(body) > 1:
                self.violation(f"{decided.seq} holds a vote twice")
            if body in earlier:
                # A view change may bring back an older view's assignment of a vote that a later
                # view assigned again; the state machine counts it once. One view never does it.
                other = self.blocks[earlier[body]]
                twin = Decided(earlier[body], *other, ()).batch().digest()
                if self._first_view.get(twin, 0) == born:
                    self.violation(f"one view orders a vote at {earlier[body]} and {decided.seq}")

    def stable(self, node: Node, stable: Stable) -> None:
        checkpoint = stable.checkpoint
        claim = (checkpoint.seq, checkpoint.size, checkpoint.root)
        if len(self._checkpoints[claim]) < self.quorum:
            self.violation(f"{node.me} holds {checkpoint.seq} stable without a quorum")

    def evidence(self, node: Node, evidence: Evidence) -> None:
        self.accused.add(evidence.culprit)
        if evidence.culprit not in self.liars:
            self.violation(f"{node.me} accuses {evidence.culprit}, who is honest")
        first, second = (node.world.mint.open(raw) for raw in (evidence.first, evidence.second))
        if not first.sender == second.sender == evidence.culprit:
            self.violation("evidence that its culprit did not sign")
        if type(first.message) is not type(second.message) or first.message == second.message:
            self.violation("evidence of nothing")

    def bounds(self, node: Node) -> None:
        """Everything that a replica holds stays under its limits, whatever peers send."""
        settings = node.settings
        state = node.replica._state
        sizes = {
            "slots": (len(state.slots), 2 * settings.window),
            "checkpoints": (len(state.checkpoints), 2 * settings.window),
            "expected": (len(state.expected), settings.window),
            "view changes": (len(state.view_changes), self.n),
            "peers": (len(state.peers), self.n),
            "early": (max(map(len, state.early.values()), default=0), 64),
            "pending": (len(state.pool), settings.quota * self.n),
            "in flight": (len(state.in_flight), 2 * settings.window * settings.max_batch),
            "costly": (len(state.costly), 4 * self.n),
        }
        for what, (size, limit) in sizes.items():
            if size > limit:
                self.violation(f"{node.me} holds {size} {what}, more than {limit}")
        for seq in state.slots:
            if seq > state.stable + settings.window:
                self.violation(f"{node.me} opens {seq}, beyond its high watermark")
