# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Entering a view (1999, 4.4): nothing that may have committed is lost.

A NEW-VIEW names the view changes that it rests on by their digests (2002, 4.5.2); who lacks one
asks for it. The pre-prepares that follow from them are sent after it like any others, and accepted
only if they are what follows.
"""

from __future__ import annotations

from collections.abc import Iterable

from swarm_ledger.consensus.certificates import (
    CheckedViewChange,
    carried_over,
    check_view_change,
    distinct,
)
from swarm_ledger.consensus.checkpoints import become_stable
from swarm_ledger.consensus.messages import (
    Batch,
    NewView,
    PrePrepare,
    Signed,
    ViewChange,
    Want,
)
from swarm_ledger.consensus.state import State
from swarm_ledger.encoding import digest
from swarm_ledger.errors import PeerFault


def on_new_view(state: State, signed: Signed[NewView]) -> None:
    """Check a new view against the view changes that it rests on, and enter it (1999, 4.4)."""
    view = signed.message.view
    if signed.sender != state.settings.leader(view):
        raise PeerFault("not_leader", f"member {signed.sender} does not lead view {view}.")
    if view < state.view or (view == state.view and state.active):
        if view == state.view and state.new_view is not None:
            state.accuse(state.new_view, signed)
        return
    if len(set(signed.message.view_changes)) != state.settings.quorum:
        raise PeerFault("bad_new_view", "does not rest on a quorum of view changes.")
    waiting = state.new_views.get(signed.sender)
    if waiting is None or waiting.message.view < view:
        state.new_views[signed.sender] = waiting = signed
        wanted = {key for other in state.new_views.values() for key in other.message.view_changes}
        state.gathered = {key: c for key, c in state.gathered.items() if key in wanted}
    if waiting.message != signed.message:
        state.accuse(waiting, signed)
        return
    if not _open(state, signed) and signed.sender in state.new_views:
        state.say(Want(_lacking(state, signed)), signed.sender)


def gather(state: State, signed: Signed[ViewChange]) -> bool:
    """Take in a view change that a new view waits for; True if that view was entered."""
    key = digest(signed.raw)
    for new_view in list(state.new_views.values()):
        if key in _lacking(state, new_view):
            state.gathered[key] = check_view_change(signed, state.settings, state.open)
            if _open(state, new_view):
                return True
    return False


def forget_new_views(state: State, below: int) -> None:
    """Stop waiting for what earlier views lack: whoever left a view never enters it."""
    state.new_views = {
        leader: signed
        for leader, signed in state.new_views.items()
        if signed.message.view >= below
    }
    if not state.new_views:
        state.gathered = {}


def _known(state: State) -> dict[bytes, CheckedViewChange]:
    latest = {digest(change.signed.raw): change for change in state.view_changes.values()}
    return {**state.gathered, **latest}


def _lacking(state: State, signed: Signed[NewView]) -> tuple[bytes, ...]:
    known = _known(state)
    return tuple(key for key in signed.message.view_changes if key not in known)


def ask_for_view_changes(state: State) -> None:
    """Ask everybody for what new views still wait for: their leaders did not answer."""
    for signed in state.new_views.values():
        lacking = _lacking(state, signed)
        if lacking:
            state.say(Want(lacking))


def _open(state: State, signed: Signed[NewView]) -> bool:
    """Enter a new view if all that it rests on is here, and holds."""
    known = _known(state)
    if any(key not in known for key in signed.message.view_changes):
        return False
    changes = [known[key] for key in signed.message.view_changes]
    try:
        check_new_view(state, signed, changes)
    except PeerFault as fault:
        del state.new_views[signed.sender]
        state.ready.faults.append((signed.sender, fault))
        return False
    enter(state, signed, changes)
    return True


def check_new_view(
    state: State, signed: Signed[NewView], changes: Iterable[CheckedViewChange]
) -> None:
    """Raise PeerFault unless a new view rests on a quorum's view changes for it."""
    listed = list(changes)
    if any(change.signed.message.view != signed.message.view for change in listed):
        raise PeerFault("bad_new_view", "rests on a view change for another view.")
    distinct((change.signed.sender for change in listed), state.settings, "new view")


def enter(state: State, signed: Signed[NewView], changes: list[CheckedViewChange]) -> None:
    """Start the view with what its view changes carried over."""
    low, batches = carried_over(changes)
    state.keep(signed, *(change.signed for change in changes))
    for change in changes:
        if change.stable == low and change.proof:
            become_stable(state, change.proof)
    state.view, state.active, state.new_view = signed.message.view, True, signed
    state.new_view_changes = tuple(change.signed for change in changes)
    forget_new_views(state, state.view + 1)
    state.give_up_ms, state.view_since_ms, state.repeats = None, state.now_ms, 0
    state.view_changes = {
        sender: change
        for sender, change in state.view_changes.items()
        if change.signed.message.view > state.view
    }
    for slot in state.slots.values():
        slot.new_view()
    begin_with(state, batches)
    decided = [seq for seq, slot in state.slots.items() if slot.decided is not None]
    state.next_seq = max(low + len(batches), state.applied, state.stable, *decided) + 1
    state.pool.restart_clocks(state.now_ms)
    state.pace.new_view()
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
