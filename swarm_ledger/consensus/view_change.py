# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Leaving a view (1999, 4.4 and 4.5.2): whom to suspect, whom to follow, when to give up."""

from __future__ import annotations

from swarm_ledger.consensus.certificates import check_view_change
from swarm_ledger.consensus.messages import NewView, Signed, ViewChange
from swarm_ledger.consensus.new_view import forget_new_views, gather
from swarm_ledger.consensus.state import State
from swarm_ledger.encoding import digest


def start(state: State, view: int) -> None:
    """Leave the current view and ask for `view` (1999, 4.4)."""
    state.view, state.active, state.give_up_ms = view, False, None
    state.attempts, state.repeats = state.attempts + 1, 0
    state.own_view_change = None
    forget_new_views(state, view)
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
    if gather(state, signed):
        return
    if message.view < state.view or (message.view == state.view and state.active):
        if state.active and state.not_lately(signed.sender, "new view"):
            state.repeat(state.new_view, signed.sender)
        return
    known = state.view_changes.get(signed.sender)
    if known is not None and known.signed.message.view >= message.view:
        state.accuse(known.signed, signed)
        return
    own, costly = signed.sender == state.settings.me, message.prepared or message.proof
    if costly and not own and not state.not_lately(signed.sender, "view change"):
        return  # who is honest says it again; who floods must not have us check it all
    state.view_changes[signed.sender] = check_view_change(signed, state.settings, state.open)
    if own and state.settings.speaks:
        state.own_view_change = signed
    _join(state)
    _proceed(state)


def _join(state: State) -> None:
    """f + 1 replicas can't all lie: with so many ahead, follow the least of them (1999, 4.5.2).

    And a leader that leaves its own view is not waited for: it can only be silent in it.
    """
    if not state.settings.speaks:
        return
    ahead = {
        sender: change.signed.message.view
        for sender, change in state.view_changes.items()
        if sender != state.settings.me and change.signed.message.view > state.view
    }
    if len(ahead) > state.settings.f:
        start(state, min(ahead.values()))
    elif state.active and ahead.get(state.leader) == state.view + 1:
        start(state, state.view + 1)


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
    if state.leads and state.opened < state.view and len(agreeing) >= settings.quorum:
        state.opened = state.view
        chosen = agreeing[: settings.quorum]
        state.keep(*(change.signed for change in chosen))
        state.say(NewView(state.view, tuple(digest(change.signed.raw) for change in chosen)))


def tick(state: State) -> None:
    """Suspect a leader that leaves work undone; give up a view change that leads nowhere.

    After a restart, leave a view that is our own: we propose nothing in it any more.
    """
    if not state.settings.speaks:
        return
    if not state.active:
        if state.give_up_ms is not None and state.now_ms >= state.give_up_ms:
            start(state, state.view + 1)
        return
    resigns = state.leads and not state.leading
    if resigns or _suspicious(state):
        start(state, state.view + 1)
    elif not state.leading and state.pace.slow(state.settings):
        state.pace.strike()
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
    working_off = len(state.pool) // settings.max_batch
    blocks = settings.passed_over_offered + settings.max_blocks_left_out + working_off
    return any(
        state.now_ms - pending.since_ms > patience or pending.blocks > blocks
        for pending in state.pool.all()
    )
