# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""One PBFT replica: messages and ticks in, one Ready out.

replica.step(signed)      a message, own or a peer's, whose signature was checked
replica.submit(body, ..)  a request, whose signature was checked
replica.tick(now_ms)      time passes
replica.ready()           what to do now: journal, send, apply; own messages come back by step()
replica.applied(decided)  the block is in the ledger
replica.retire()          that block ended the epoch: another Replica goes on where this one ends
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from swarm_ledger.consensus import checkpoints, new_view, normal, sync, view_change
from swarm_ledger.consensus.certificates import Open
from swarm_ledger.consensus.messages import (
    BINDING,
    Checkpoint,
    Commit,
    Committed,
    Fetch,
    Message,
    NewView,
    Prepare,
    PrePrepare,
    Signed,
    Status,
    ViewChange,
    Want,
)
from swarm_ledger.consensus.phase import Phase, phase_of
from swarm_ledger.consensus.pool import Pending, Pool
from swarm_ledger.consensus.ready import Decided, Ready
from swarm_ledger.consensus.recovery import restore
from swarm_ledger.consensus.settings import Settings
from swarm_ledger.consensus.spare import needless
from swarm_ledger.consensus.state import EARLY, State
from swarm_ledger.encoding import digest
from swarm_ledger.errors import Misuse, PeerFault

_HANDLERS: dict[type, Callable[[State, Signed[Any]], None]] = {
    PrePrepare: normal.on_pre_prepare,
    Prepare: normal.on_prepare,
    Commit: normal.on_commit,
    Checkpoint: checkpoints.on_checkpoint,
    ViewChange: view_change.on_view_change,
    NewView: new_view.on_new_view,
    Status: sync.on_status,
    Fetch: sync.on_fetch,
    Want: sync.on_want,
    Committed: sync.on_committed,
}
_BINDING = frozenset(BINDING)
_AFTER_THE_END: dict[type, Callable[[State, Signed[Any]], None]] = {
    Checkpoint: checkpoints.on_checkpoint,
    Status: sync.on_status,
    Fetch: sync.on_fetch,
}


class Replica:
    """A replica of n. Not thread-safe; owns nothing but its state.

    open_: checks the signature of sealed bytes within certificates, raising PeerFault.
    """

    def __init__(self, settings: Settings, open_: Open, *, now_ms: int) -> None:
        self._state = State(settings, open_, now_ms)
        self._state.progress_ms = self._state.view_since_ms = self._state.repeated_ms = now_ms

    @property
    def settings(self) -> Settings:
        """What the replica was told when it started, and whether it is mute now."""
        return self._state.settings

    @property
    def view(self) -> int:
        """The current view, or the one that it is changing to."""
        return self._state.view

    @property
    def active(self) -> bool:
        """False while changing views."""
        return self._state.active

    @property
    def leader(self) -> int:
        """The identifier of the current view's leader."""
        return self._state.leader

    @property
    def applied_seq(self) -> int:
        """The last block that the ledger holds."""
        return self._state.applied

    @property
    def stable_seq(self) -> int:
        """The last block under a stable checkpoint."""
        return self._state.stable

    @property
    def pending(self) -> int:
        """Requests that wait here to be applied."""
        return len(self._state.pool)

    @property
    def phase(self) -> Phase:
        """What it waits for."""
        return phase_of(self._state)

    def restore(
        self,
        messages: Iterable[Signed[Message]],
        *,
        applied: int,
        time_ms: int,
        recent: Iterable[bytes],
    ) -> None:
        """Continue after a restart, before anything else is called.

        messages: what was journaled. applied, time_ms: the ledger's height and time.
        recent: digests of the requests in its last blocks, oldest first.
        """
        restore(self._state, messages, applied=applied, time_ms=time_ms, recent=recent)

    def step(self, signed: Signed[Message]) -> None:
        """Take a message in. Raises PeerFault if its sender broke a rule that it proves itself.

        A sender that is no member may ask for blocks and hand them over, and no more.
        """
        state, message = self._state, signed.message
        kind = type(message)
        if kind in _BINDING and signed.sender not in state.settings.members:
            raise PeerFault("not_a_member", f"{signed.sender} is not a member in this epoch.")
        if state.retired:
            if handler := _AFTER_THE_END.get(kind):
                handler(state, signed)
            return
        if isinstance(message, (PrePrepare, Prepare, Commit)) and (
            message.view > state.view or (message.view == state.view and not state.active)
        ):
            early = state.early.setdefault(signed.sender, deque(maxlen=EARLY))
            early.append(signed)
            return
        entered = state.new_view
        _HANDLERS[kind](state, signed)
        if state.new_view is not entered:
            self._replay_early()
        normal.propose(state)

    def submit(self, body: bytes, author: int, now_ms: int) -> bool:
        """Take a request in; False if it is known already or over its author's quota.

        What an open slot waits for is taken whatever the quota. Bodies that were persisted are
        submitted again after restore().
        """
        self._state.set_clock(now_ms)
        if self._state.retired:
            return False
        key = digest(body)
        added = self._state.pool.add(key, body, author, self._state.now_ms)
        wanted = normal.on_body(self._state, key, body, added=added)
        if added:
            if self.pending == 1:
                self._state.repeats = 0  # whatever a liar had us repeat, this is new
            normal.propose(self._state)
        return added or wanted

    def supply(self, body: bytes, now_ms: int) -> bool:
        """Take a request in only if an open slot waits for it; False if none does.

        For what one would not have ordered any more, but somebody ordered before that was known.
        """
        self._state.set_clock(now_ms)
        return normal.on_body(self._state, digest(body), body, added=False)

    def holds(self, key: bytes) -> bool:
        """Whether the request with that digest waits here to be ordered."""
        return key in self._state.pool

    def withdraw(self, unwanted: Callable[[bytes], bool]) -> list[bytes]:
        """Drop waiting requests that nobody would take in any more; return their digests.

        Else a leader would be blamed for not ordering them. What an open slot orders stays.
        """
        state = self._state
        if not state.active:
            return []
        waiting = state.pool.waiting(but=state.in_flight)
        dropped = [key for key, pending in waiting if unwanted(pending.body)]
        for key in dropped:
            state.pool.drop(key)
        return dropped

    def tick(self, now_ms: int, *, covered: bool = False) -> None:
        """Let time pass (POSIX ms): backwards it stands still, and jumps are not waited for.

        covered: a later epoch's checkpoint vouches for the end of this one, which is over.
        """
        self._state.set_clock(now_ms)
        if self._state.retired:
            sync.tick_retired(self._state, covered=covered)
            return
        normal.propose(self._state)
        view_change.tick(self._state)
        sync.tick(self._state)

    def applied(self, decided: Decided) -> None:
        """The block is in the ledger. Misuse if blocks are applied out of order."""
        if decided.seq != self._state.applied + 1:
            raise Misuse(f"block {decided.seq} applied after block {self._state.applied}.")
        normal.on_applied(self._state, decided)
        checkpoints.collect_garbage(self._state)
        sync.after_applied(self._state)
        normal.propose(self._state)

    def retire(self) -> list[Pending]:
        """End the epoch with the last applied block, once its own checkpoint was said.

        What was agreed on behind it is void. Returns the requests that still wait, oldest first,
        for the next epoch to order.
        """
        state = self._state
        waiting = list(state.pool.all())
        state.retired, state.active = True, False
        state.handed = state.applied
        state.slots, state.expected, state.in_flight, state.early = {}, {}, {}, {}
        state.view_changes, state.new_views, state.gathered, state.ahead = {}, {}, {}, {}
        state.checkpoints = {s: v for s, v in state.checkpoints.items() if s <= state.applied}
        state.pool = Pool(state.settings.quota)
        return waiting

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        """Vouch for the ledger as it is after the last applied block, never before (1999, 4.3)."""
        if checkpoint.seq != self._state.applied:
            raise Misuse(f"checkpoint {checkpoint.seq} with {self._state.applied} applied.")
        self._state.say(checkpoint)

    def cover(self, seq: int) -> None:
        """A quorum vouches for all up to an applied block, as who only follows was shown."""
        if self._state.stable < seq <= self._state.applied:
            self._state.stable, self._state.stable_proof = seq, ()
            checkpoints.collect_garbage(self._state)

    def set_mute(self, *, mute: bool) -> None:
        """Only follow from now on, or take part in all that is under way."""
        state = self._state
        state.settings = replace(state.settings, mute=mute)
        for seq in sorted(state.slots):
            slot = state.slots[seq]
            slot.prepare_sent = slot.commit_sent = False
            normal.advance(state, seq)
        normal.propose(state)

    def needless(self, message: Message) -> bool:
        """Whether a statement of ours that was not sent yet would be of no use to anybody.

        Peers' own ones, which all could hear, make a quorum without it; or it is of a view that is
        over. For links on which each byte counts: not to send it is as if it were lost.
        """
        return needless(self._state, message)

    @property
    def checkpoint_due(self) -> bool:
        """Whether a quiet swarm should vouch for the blocks since the last checkpoint."""
        return self._state.settings.speaks and checkpoints.idle_checkpoint_due(self._state)

    @property
    def busy(self) -> bool:
        """Whether something has to happen now."""
        return bool(self._state.ready)

    def ready(self) -> Ready:
        """Return what has to happen now, and forget it."""
        ready, self._state.ready = self._state.ready, Ready()
        return ready

    def _replay_early(self) -> None:
        early, self._state.early = self._state.early, {}
        for messages in early.values():
            for signed in messages:
                try:
                    self.step(signed)
                except PeerFault as fault:
                    self._state.ready.faults.append((signed.sender, fault))
