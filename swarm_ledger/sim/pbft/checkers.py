# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The checkers beside the cluster: they see everything, and share no code with the engine."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NoReturn

from swarm_ledger.consensus.messages import (
    BINDING,
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
    from swarm_ledger.sim.pbft.node import Node

Statement = tuple[int, int, int, bytes]
"""Roster version, view, sequence number, digest."""


class Violation(AssertionError):  # noqa: N818  - a finding
    """An invariant does not hold."""


class Watch:
    """Told of every statement and every effect; raises Violation.

    rosters: the members of each version that the operator signed; 1 is in force at genesis.
    """

    def __init__(self, rosters: dict[int, tuple[int, ...]], liars: frozenset[int]) -> None:
        self.rosters, self.liars = rosters, liars
        self.votes: set[bytes] = set()
        self.blocks: dict[int, tuple[int, tuple[bytes, ...]]] = {}
        self.views: set[tuple[int, int]] = set()
        self.accused: set[int] = set()
        self.epochs: list[tuple[int, int]] = [(1, 0)]
        """Versions that came into force, and after which height."""
        self.commits = 0
        self._roots: dict[int, bytes] = {}
        self._height: dict[int, int] = defaultdict(int)
        self._kept: dict[int, int] = defaultdict(int)
        self._where: dict[bytes, int] = {}
        self._first_view: dict[tuple[int, bytes], int] = {}
        self._pre_prepared: set[Statement] = set()
        self._prepares: dict[Statement, set[int]] = defaultdict(set)
        self._commits: dict[Statement, set[int]] = defaultdict(set)
        self._checkpoints: dict[Statement, set[int]] = defaultdict(set)
        self._said: dict[tuple[object, ...], object] = {}
        self._own: dict[tuple[int, int], dict[int, int]] = defaultdict(dict)
        self._left: dict[tuple[int, int], int] = defaultdict(int)
        self._wanted: dict[int, int] = defaultdict(int)
        """For each version, the highest view that any honest replica asked for."""
        self._chosen: dict[tuple[int, int], tuple[int, bytes]] = {}
        """For each version and number, what may have committed: the lowest view, its digest."""

    def violation(self, what: str) -> NoReturn:
        """Report that something does not hold."""
        raise Violation(what)

    # numbers, from the paper and not from the engine

    def quorum(self, version: int) -> int:
        """Return ceil((n + f + 1) / 2)."""
        n = len(self.rosters[version])
        return -(-(n + (n - 1) // 3 + 1) // 2)

    def leader(self, version: int, view: int) -> int:
        """Return who leads a view."""
        members = self.rosters[version]
        return members[view % len(members)]

    def version_at(self, height: int) -> int:
        """Return the roster version in force for the block of a height."""
        return next(version for version, base in reversed(self.epochs) if base < height)

    # what is said

    def sealed(self, version: int, sender: int, message: Message) -> None:
        """Note every statement that exists, honest or not, sent or not.

        But an honest drone's commits count once it says them, or has them on its disk when it
        begins again: if it loses power in between, there may be nothing of them.
        """
        if sender not in self.rosters.get(version, ()):
            return
        if isinstance(message, PrePrepare):
            batch = message.batch
            if sender == self.leader(version, message.view):
                self._pre_prepared.add((version, message.view, batch.seq, batch.digest()))
                key = version, batch.digest()
                known = self._first_view.get(key, message.view)
                self._first_view[key] = min(known, message.view)
        elif isinstance(message, Prepare):
            if sender != self.leader(version, message.view):
                key_ = version, message.view, message.seq, message.digest
                self._prepares[key_].add(sender)
        elif isinstance(message, Commit) and sender in self.liars:
            self._committed(version, sender, message)
        elif isinstance(message, ViewChange):
            self._wants(version, sender, message.view)
        elif isinstance(message, Checkpoint):
            self._checkpoints[version, message.seq, message.size, message.root].add(sender)

    def _committed(self, version: int, sender: int, message: Commit) -> None:
        """Count a commit; a quorum of them may exist as soon as all liars would make one."""
        signers = self._commits[version, message.view, message.seq, message.digest]
        signers.add(sender)
        liars = self.liars.intersection(self.rosters[version])
        if len(signers | liars) < self.quorum(version):
            return
        place = version, message.seq
        view, digest = self._chosen.setdefault(place, (message.view, message.digest))
        if digest != message.digest:
            self.violation(f"two batches may commit at {message.seq}")
        self._chosen[place] = (min(view, message.view), digest)

    def _wants(self, version: int, sender: int, view: int) -> None:
        """Counted when it is sealed: after a crash it is first sent as a repeat."""
        if sender in self.liars:
            return
        if view > self._wanted[version] + 1:
            self.violation(f"{sender} leaps to view {view}, at the word of liars")
        self._wanted[version] = max(self._wanted[version], view)

    def said(self, node: Node, version: int, signed: Signed[Message]) -> None:
        """An honest replica sends this: it must not contradict anything that it sent before."""
        me, message = node.me, signed.message
        if isinstance(message, BINDING):
            self._may_speak(node, version, message)
        if isinstance(message, PrePrepare):
            seq = message.batch.seq
            self._say(me, version, ("pre-prepare", message.view, seq), message.batch)
            self._carried(me, (version, message.view, seq, message.batch.digest()))
        elif isinstance(message, Prepare):
            self._say(me, version, ("prepare", message.view, message.seq), message.digest)
            self._carried(me, (version, message.view, message.seq, message.digest))
        elif isinstance(message, Commit):
            self._commit(me, version, message)
        elif isinstance(message, Checkpoint):
            self._say(me, version, ("checkpoint", message.seq), (message.size, message.root))
            if message.seq > self._height[me]:
                self.violation(f"{me} cosigned {message.seq} before it was applied")
        elif isinstance(message, ViewChange):
            self._say(me, version, ("view change", message.view), message)
            self._view_change(node, version, message)
        elif isinstance(message, NewView):
            self._say(me, version, ("new view", message.view), message)

    def _may_speak(self, node: Node, version: int, message: Message) -> None:
        what = f"{node.me} says a {type(message).__name__} under roster {version}"
        if node.me not in self.rosters[version]:
            self.violation(f"{what}, in which it is no member")
        if version < node.mute_below:
            self.violation(f"{what}, though it may have forgotten what it said")
        if version < node.epoch.version and not isinstance(message, (Checkpoint, PrePrepare)):
            self.violation(f"{what}, which is over")

    def _say(self, me: int, version: int, about: tuple[object, ...], what: object) -> None:
        if self._said.setdefault((me, version, *about), what) != what:
            self.violation(f"{me} contradicts what it said: {about}")
        if about[0] in ("prepare", "commit", "pre-prepare"):
            view = int(str(about[1]))
            if self._left[me, version] > view:
                self.violation(f"{me} speaks in view {view} after it left it")

    def _carried(self, me: int, key: Statement) -> None:
        version, view, seq, digest = key
        chosen = self._chosen.get((version, seq))
        if chosen is not None and chosen[0] < view and chosen[1] != digest:
            self.violation(f"{me}: {seq} may have committed in view {chosen[0]}, lost in {view}")

    def _commit(self, me: int, version: int, message: Commit) -> None:
        key = (version, message.view, message.seq, message.digest)
        self._say(me, version, ("commit", message.view, message.seq), message.digest)
        self._carried(me, key)
        if key not in self._pre_prepared or len(self._prepares[key]) + 1 < self.quorum(version):
            self.violation(f"{me} commits {message.seq} without a prepared certificate")
        self._own[me, version][message.seq] = message.view
        self._committed(version, me, message)

    def _view_change(self, node: Node, version: int, message: ViewChange) -> None:
        where = node.me, version
        self._left[where] = max(self._left[where], message.view)
        self.views.add((version, message.view))
        shown: dict[int, int] = {}
        for wire in message.prepared:
            pre_prepare = node.world.mint.open(wire.pre_prepare).signed.message
            if isinstance(pre_prepare, PrePrepare):
                shown[pre_prepare.batch.seq] = pre_prepare.view
        for seq, view in self._own[where].items():
            if seq > message.stable and shown.get(seq, -1) < view < message.view:
                self.violation(f"{node.me} hides that it prepared {seq} in view {view}")

    # what is done

    def started(self, node: Node) -> None:
        """A drone begins again: nothing that was on its disk may be missing.

        A commit that it signed before it lost power, and has on its disk, it says now.
        """
        for sealed in map(node.world.mint.open, node.disk.content.journal.values()):
            message = sealed.signed.message
            if sealed.signed.sender == node.me and isinstance(message, Commit):
                self._committed(sealed.version, node.me, message)
        height = len(node.disk.content.blocks)
        if height < self._kept[node.me]:
            self.violation(f"{node.me} lost blocks: {height} of {self._kept[node.me]} are left")
        self._height[node.me] = height

    def kept(self, node: Node, height: int) -> None:
        """An honest drone has a block on its disk, to stay; 0: somebody wiped it."""
        self._kept[node.me] = height

    def applied(self, node: Node, decided: Decided) -> None:
        """An honest drone applied a block."""
        me, seq = node.me, decided.seq
        if seq != self._height[me] + 1:
            self.violation(f"{me} applies {seq} after {self._height[me]}")
        self._height[me] = seq
        block = (decided.time_ms, decided.bodies)
        if seq not in self.blocks:
            self._first_applied(node, decided)
        if self.blocks.setdefault(seq, block) != block:
            self.violation(f"two batches are applied at {seq}")
        if self._roots.setdefault(seq, node.ledger.roots[seq]) != node.ledger.roots[seq]:
            self.violation(f"{me} has another state at {seq}")
        self._certified(node, decided)

    def _certified(self, node: Node, decided: Decided) -> None:
        version = self.version_at(decided.seq)
        commits = [node.world.mint.open(raw) for raw in decided.commits]
        if any(sealed.version != version for sealed in commits):
            self.violation(f"{node.me} applies {decided.seq} with commits of another epoch")
        wanted = (decided.seq, decided.batch().digest())
        views, signers = set(), set()
        for sealed in commits:
            message = sealed.signed.message
            if not isinstance(message, Commit) or (message.seq, message.digest) != wanted:
                self.violation(f"{node.me} applies {decided.seq} with commits of something else")
            views.add(message.view)
            signers.add(sealed.signed.sender)
        if len(views) != 1:
            self.violation(f"{node.me} applies {decided.seq} with commits of several views")
        if len(signers.intersection(self.rosters[version])) < self.quorum(version):
            self.violation(f"{node.me} applies {decided.seq} without a quorum")

    def _first_applied(self, node: Node, decided: Decided) -> None:
        self.commits += len(decided.bodies)
        version = self.version_at(decided.seq)
        born = self._first_view.get((version, decided.batch().digest()), 0)
        newest = version
        latest = max(other.clock.furthest_ms for other in node.world.honest)
        if decided.time_ms > latest + node.replica.settings.max_ahead_ms:
            self.violation(f"the ledger's time is {decided.time_ms - latest} ms ahead of all")
        for body in decided.bodies:
            if body not in self.votes and not body.startswith(b"evidence"):
                self.violation(f"{decided.seq} holds what nobody submitted")
            if decided.bodies.count(body) > 1:
                self.violation(f"{decided.seq} holds a request twice")
            if body in self._where:
                self._again(body, decided, version, born)
            self._where[body] = decided.seq
            if body.startswith(b"roster "):
                newest = max(newest, int(body.split(b" ")[1]))
        if newest > version:
            self.epochs.append((newest, decided.seq))

    def _again(self, body: bytes, decided: Decided, version: int, born: int) -> None:
        """A view change may bring back an older view's assignment of a request that a later view
        assigned again; the state machine counts it once. One view of one epoch never does it."""
        earlier = self._where[body]
        twin = Decided(earlier, *self.blocks[earlier], ()).batch().digest()
        same_epoch = self.version_at(earlier) == version
        if same_epoch and self._first_view.get((version, twin), 0) == born:
            self.violation(f"one view orders a request at {earlier} and {decided.seq}")

    def stable(self, node: Node, version: int, stable: Stable) -> None:
        """An honest drone holds a checkpoint stable."""
        checkpoint = stable.checkpoint
        claim = (version, checkpoint.seq, checkpoint.size, checkpoint.root)
        signers = self._checkpoints[claim].intersection(self.rosters[version])
        if len(signers) < self.quorum(version):
            self.violation(f"{node.me} holds {checkpoint.seq} stable without a quorum")
        if self._roots.get(checkpoint.seq, checkpoint.root) != checkpoint.root:
            self.violation(f"{node.me} holds a root stable that is not the ledger's")

    def evidence(self, node: Node, version: int, evidence: Evidence) -> None:
        """An honest drone accuses somebody."""
        self.accused.add(evidence.culprit)
        if evidence.culprit not in self.liars:
            self.violation(f"{node.me} accuses {evidence.culprit}, who is honest")
        first, second = (node.world.mint.open(raw) for raw in (evidence.first, evidence.second))
        if not first.signed.sender == second.signed.sender == evidence.culprit:
            self.violation("evidence that its culprit did not sign")
        if not first.version == second.version == version:
            self.violation("evidence from several epochs")
        one, other = first.signed.message, second.signed.message
        if type(one) is not type(other) or one == other:
            self.violation("evidence of nothing")

    def verdicts(self, node: Node) -> None:
        """Whom a ledger convicts must have lied."""
        for culprit in sorted(node.ledger.convicted - self.liars):
            self.violation(f"the ledger convicts {culprit}, who is honest")

    def bounds(self, node: Node) -> None:
        """Everything that a replica holds stays under its limits, whatever peers send."""
        settings, state = node.replica.settings, node.replica._state
        known = len(node.world.nodes)
        sizes: tuple[tuple[str, int, int], ...] = (
            ("slots", len(state.slots), 2 * settings.window),
            ("checkpoints", len(state.checkpoints), 2 * settings.window),
            ("expected", len(state.expected), settings.window),
            ("view changes", len(state.view_changes), settings.n),
            ("new views", len(state.new_views), settings.n),
            ("gathered", len(state.gathered), settings.n * settings.n),
            ("peers", len(state.peers), known),
            ("early", max(map(len, state.early.values()), default=0), 64),
            ("pending", len(state.pool), settings.quota * (known + 1)),
            ("in flight", len(state.in_flight), 2 * settings.window * settings.max_batch),
            ("costly", len(state.costly), 5 * known),
            ("retired", len(node.retired), 3),
        )
        if len(state.pool) > settings.quota:
            held = Counter(pending.author for pending in state.pool.all())
            sizes = (*sizes, ("requests of one author", max(held.values()), settings.quota))
        for what, size, limit in sizes:
            if size > limit:
                self.violation(f"{node.me} holds {size} {what}, more than {limit}")
        if state.slots and max(state.slots) > state.stable + settings.window:
            self.violation(f"{node.me} opens {max(state.slots)}, beyond its high watermark")
