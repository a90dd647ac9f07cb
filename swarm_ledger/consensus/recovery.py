# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Starting again from the journal, so that a restart never contradicts what was said before."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from swarm_ledger.consensus.certificates import (
    CheckedViewChange,
    PreparedCertificate,
    check_view_change,
)
from swarm_ledger.consensus.messages import (
    Checkpoint,
    Commit,
    Message,
    NewView,
    Prepare,
    PrePrepare,
    Signed,
    ViewChange,
)
from swarm_ledger.consensus.new_view import begin_with, check_new_view, start_from
from swarm_ledger.consensus.state import Slot, State
from swarm_ledger.encoding import digest
from swarm_ledger.errors import Misuse, NotVerified, PeerFault


def restore(
    state: State,
    messages: Iterable[Signed[Message]],
    *,
    applied: int,
    time_ms: int,
    recent: Iterable[bytes],
) -> None:
    """Put a fresh state back to where the journal and the ledger left it."""
    if state.applied != state.settings.base or state.slots:
        raise Misuse("restore() comes before anything else.")
    journal = list(messages)
    state.applied = state.handed = applied
    state.time_ms = time_ms
    state.pool.applied(recent)
    _restore_stable(state, _of(journal, Checkpoint))
    _restore_view(state, journal)
    for signed in journal:
        message = signed.message
        if isinstance(message, PrePrepare):
            _slot(state, message.batch.seq, message.view, signed)
        elif isinstance(message, (Prepare, Commit)):
            _slot(state, message.seq, message.view, signed)
    _restore_certificates(state, journal)
    own = [seq for seq, slot in state.slots.items() if slot.pre_prepare is not None]
    state.next_seq = max([applied, state.stable, *own, *state.expected]) + 1
    if journal or applied > state.settings.base:
        # What this replica vouched for was not all written down.
        state.hushed = state.view if state.active else state.view - 1


def _of(journal: list[Signed[Message]], form: type[Any]) -> list[Signed[Any]]:
    return [signed for signed in journal if isinstance(signed.message, form)]


def _restore_stable(state: State, votes: list[Signed[Checkpoint]]) -> None:
    by_seq: dict[tuple[int, int, bytes], list[Signed[Checkpoint]]] = {}
    for vote in votes:
        claim = (vote.message.seq, vote.message.size, vote.message.root)
        by_seq.setdefault(claim, []).append(vote)
        own = state.own_checkpoint
        if vote.sender == state.settings.me and (
            own is None or own.message.seq < vote.message.seq
        ):
            state.own_checkpoint = vote
    for (seq, _, _), same in by_seq.items():
        if len(same) >= state.settings.quorum and seq > state.stable:
            proof = sorted(same, key=lambda vote: vote.sender)[: state.settings.quorum]
            state.stable, state.stable_proof = seq, tuple(proof)


def _restore_view(state: State, journal: list[Signed[Message]]) -> None:
    for signed in _of(journal, NewView):
        if signed.message.view > state.view:
            state.view, state.new_view = signed.message.view, signed
    for signed in _of(journal, ViewChange):
        if signed.sender == state.settings.me and signed.message.view > state.view:
            state.view, state.active, state.own_view_change = signed.message.view, False, signed
    if state.own_view_change is not None:
        # It counts here as it does elsewhere: after a blackout nobody else makes up a quorum.
        checked = check_view_change(state.own_view_change, state.settings, state.open)
        state.view_changes[state.settings.me] = checked
    elif state.new_view is not None:
        # What the view began with still binds its leader, and binds us as that leader.
        changes = _rests_on(state, state.new_view, journal)
        state.new_view_changes = tuple(change.signed for change in changes)
        begin_with(state, start_from(state, changes)[1])


def _rests_on(
    state: State, new_view: Signed[NewView], journal: list[Signed[Message]]
) -> list[CheckedViewChange]:
    """Return the view changes of a journaled new view; NotVerified if one is missing."""
    kept = {digest(signed.raw): signed for signed in _of(journal, ViewChange)}
    try:
        found = [kept[key] for key in new_view.message.view_changes]
        changes = [check_view_change(one, state.settings, state.open) for one in found]
        check_new_view(state, new_view, changes)
    except (KeyError, PeerFault) as error:
        view = new_view.message.view
        raise NotVerified(f"new view {view} lacks what it rests on", where="journal") from error
    return changes


def _slot(state: State, seq: int, view: int, signed: Signed[Any]) -> None:
    """Put back what was said in the current view; it is not said differently any more."""
    if view != state.view or not state.active or not state.in_window(seq):
        return
    slot = state.slot(seq)
    mine = signed.sender == state.settings.me
    if isinstance(signed.message, PrePrepare):
        slot.pre_prepare, slot.digest = signed, signed.message.batch.digest()
        if seq > state.applied:
            state.in_flight.update(dict.fromkeys(signed.message.batch.requests, seq))
        slot.prepare_sent = slot.prepare_sent or mine
    elif isinstance(signed.message, Prepare):
        slot.prepares[signed.sender] = signed
        slot.prepare_sent = slot.prepare_sent or mine
    else:
        slot.commits[signed.sender] = signed
        slot.commit_sent = slot.commit_sent or mine


def _restore_certificates(state: State, journal: list[Signed[Message]]) -> None:
    """Rebuild each slot's prepared certificate of the highest view."""
    for signed in _of(journal, PrePrepare):
        batch, view = signed.message.batch, signed.message.view
        if not state.in_window(batch.seq):
            continue
        key = batch.digest()
        prepares = tuple(
            prepare
            for prepare in _of(journal, Prepare)
            if (prepare.message.view, prepare.message.seq, prepare.message.digest)
            == (view, batch.seq, key)
        )
        slot = state.slots.setdefault(batch.seq, Slot(since_ms=state.now_ms))
        higher = slot.prepared is None or slot.prepared.view < view
        if higher and len(prepares) + 1 >= state.settings.quorum:
            slot.prepared = PreparedCertificate(view, batch, signed, prepares)
