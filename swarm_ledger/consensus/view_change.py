# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""View changes (1999, 4.4): a new leader, and nothing that may have committed is lost.

One difference to the paper: a NEW-VIEW carries only the view changes; the pre-prepares that follow
from them are sent after it like any others, and accepted only if they are what follows.
"""

from __future__ import annotations

from collections.abc import Iterable

from swarm_ledger.consensus.certificates import (
    CheckedViewChange,
    carried_over,
    check_view_change,
    distinct,
    open_as,
)
from swarm_ledger.consensus.checkpoints import become_stable
from swarm_ledger.consensus.messages import Batch, NewView, PrePrepare, Signed, ViewChange
from swarm_ledger.consensus.state import State
from swarm_ledger.errors import PeerFault


def start(state: State, view: int) -> None:
    """Leave the current view and ask for `view` (1999, 4.4)."""
    state.view, state.active, state.give_up_ms = view, False, None
    state.attempts += 1
    state.own_view_change = None
    prepared = tuple(
        slot.prepared.wire()
        for seq, slot in sorted(state.slots.items())
        if slot.prepared is not None and state.in_window(seq)
    )
    proof = tuple(vote.raw for vote in state.stable_proof)
    state.say(ViewChange(view, state.stable, proof, prepared))


def on_view_change(state: State, signed: Signed[ViewChange]) -> None:
    """Note who wants which view; join f + 1, and lead or wait when a quorum agrees."""
    message = signed.message
    if message.view < state.view or (message.view == state.view and state.active):
        if state.active and state.may_show(signed.sender, "new view"):
            state.repeat(state.new_view, signed.sender)
        return
    known = state.view_changes.get(signed.sender)
    if known is not None and known.signed.message.view >= message.view:
        if known.signed.message.view == message.view and known.signed.message != message:
            state.accuse(signed.sender, known.signed.raw, signed.raw)
        return
    state.view_changes[signed.sender] = check_view_change(signed, state.settings, state.open)
    if signed.sender == state.settings.me:
        state.own_view_change = signed
    _join(state)
    _proceed(state)


def _join(state: State) -> None:
    """f + 1 replicas can't all lie: with so many ahead, follow the least of them (1999, 4.5.2)."""
    ahead = sorted(
        change.signed.message.view
        for sender, change in state.view_changes.items()
        if sender != state.settings.me and change.signed.message.view > state.view
    )
    if len(ahead) > state.settings.f:
        start(state, ahead[0])


def _proceed(state: State) -> None:
    """With a quorum for the view, its leader opens it; the others start to lose patience.

    Those who went on to a later view count against patience too: their view change for this one
    may be lost for ever, and whoever waited for it would wait for ever.
    """
    if state.active:
        return
    settings = state.settings
    changes = [change for _, change in sorted(state.view_changes.items())]
    left = sum(change.signed.message.view >= state.view for change in changes)
    if left >= settings.quorum and state.give_up_ms is None:
        state.give_up_ms = state.now_ms + state.timeout_ms
    agreeing = [change for change in changes if change.signed.message.view == state.view]
    leading = state.leader == settings.me and state.opened < state.view
    if leading and len(agreeing) >= settings.quorum:
        state.opened = state.view
        chosen = agreeing[: settings.quorum]
        state.say(NewView(state.view, tuple(change.signed.raw for change in chosen)))


def on_new_view(state: State, signed: Signed[NewView]) -> None:
    """Check a new view against the view changes that it rests on, and enter it (1999, 4.4)."""
    view = signed.message.view
    if signed.sender != state.settings.leader(view):
        raise PeerFault("not_leader", f"replica {signed.sender} does not lead view {view}.")
    if view < state.view or (view == state.view and state.active):
        return
    enter(state, signed, check_new_view(state, signed))


def check_new_view(state: State, signed: Signed[NewView]) -> list[CheckedViewChange]:
    """Check that a new view rests on a quorum's valid view changes, and return them."""
    view = signed.message.view
    changes = []
    for raw in signed.message.view_changes:
        change = open_as(raw, ViewChange, state.open)
        if change.message.view != view:
            raise PeerFault("bad_new_view", "rests on a view change for another view.")
        changes.append(check_view_change(change, state.settings, state.open))
    distinct((change.signed.sender for change in changes), state.settings.quorum, "new view")
    return changes


def enter(state: State, signed: Signed[NewView], changes: list[CheckedViewChange]) -> None:
    """Start the view with what its view changes carried over."""
    low, batches = carried_over(changes)
    state.keep(signed)
    for change in changes:
        if change.stable == low and change.proof:
            become_stable(state, change.proof)
    state.view, state.active, state.new_view = signed.message.view, True, signed
    state.give_up_ms, state.view_since_ms = None, state.now_ms
    state.view_changes = {
        sender: change
        for sender, change in state.view_changes.items()
        if change.signed.message.view > state.view
    }
    for slot in state.slots.values():
        slot.new_view()
    begin_with(state, batches)
    state.next_seq = max(low + len(batches), state.applied, state.stable) + 1
    state.pool.restart_clocks(state.now_ms)
    if state.leading:
        for batch in batches:
            state.say(PrePrepare(state.view, batch))


def begin_with(state: State, batches: Iterable[Batch]) -> None:
    """Hold the view's leader to what was carried over."""
    state.expected = {batch.seq: batch for batch in batches if batch.seq > state.stable}
    state.in_flight = {
        key: seq
        for seq, batch in state.expected.items()
        for key in batch.requests
        if seq > state.applied
    }


def tick(state: State) -> None:
    """Suspect a leader that leaves work undone; give up a view change that leads nowhere."""
    if not state.active:
        if state.give_up_ms is not None and state.now_ms >= state.give_up_ms:
            start(state, state.view + 1)
        return
    if _suspicious(state):
        start(state, state.view + 1)


def _suspicious(state: State) -> bool:
    if any(status.applied > state.applied for status in state.peers.values()):
        # Behind others: ask them for blocks first, but not for longer than a leader may take.
        patience = 2 * state.timeout_ms
    else:
        patience = state.timeout_ms
    overdue = state.now_ms - state.view_since_ms > patience
    if overdue and any(seq > state.applied for seq in state.expected):
        return True
    settings = state.settings
    # A fair leader needs some blocks to work off what is pending.
    blocks = settings.max_blocks_left_out + len(state.pool) // settings.max_batch
    return any(
        state.now_ms - pending.since_ms > patience or pending.blocks > blocks
        for pending in state.pool.all()
    )
