# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Repeating and catching up: state is repeated, packets are not, and nothing is acknowledged."""

from __future__ import annotations

from swarm_ledger.consensus.certificates import check_commits
from swarm_ledger.consensus.messages import (
    MAX_BATCH,
    Batch,
    Committed,
    Fetch,
    Signed,
    Status,
    Want,
)
from swarm_ledger.consensus.new_view import ask_for_view_changes
from swarm_ledger.consensus.normal import hand_out, missing_bodies
from swarm_ledger.consensus.ready import Decided, Resend, Serve
from swarm_ledger.consensus.state import State
from swarm_ledger.encoding import digest
from swarm_ledger.errors import PeerFault

BLOCKS_AT_ONCE = 32
_WORTHWHILE = 8
_SLOTS_AT_ONCE = 8
_LEAST_WANTED = MAX_BATCH // 8
"""What a Want counts for at least: to look is work, too."""

_QUIET = 4
"""A quiet replica reports its status that many times less often."""

_PROMPT = 6
_MAX_BACK_OFF = 3
"""After so many prompt repeats without progress, the pause doubles, up to that often: what is lost
is soon said again, and yet a narrow channel is not filled by what can't get through."""


_MAX_RELAY_PAUSE = 4
"""Time-outs between two times that a request is passed on, at most: a healed swarm soon has it."""


def on_status(state: State, signed: Signed[Status]) -> None:
    """Note how far a peer is; show it the new view and the stable checkpoint that it missed."""
    sender, status = signed.sender, signed.message
    if sender == state.settings.me:
        return
    state.peers[sender] = status
    if status.stable < state.stable <= status.applied and state.not_lately(sender, "stable"):
        _show_stable(state, sender)
    if state.retired:
        if status.applied < state.applied and state.not_lately(sender, "the end"):
            state.say(Status(state.view, state.applied, state.stable), sender)
    elif state.active and status.view < state.view and state.not_lately(sender, "new view"):
        state.repeat(state.new_view, sender)


def on_fetch(state: State, signed: Signed[Fetch]) -> None:
    """Have blocks sent to a peer that lags, with the proof of the stable checkpoint."""
    if signed.message.seq < 1:
        raise PeerFault("bad_fetch", "asks for a block before the first.")
    if signed.message.seq > state.applied or signed.sender in state.fetched:
        return
    state.fetched.add(signed.sender)
    state.ready.serve.append(Serve(signed.sender, signed.message.seq))
    _show_stable(state, signed.sender)


def _show_stable(state: State, to: int) -> None:
    for vote in state.stable_proof:
        state.repeat(vote, to)


def on_want(state: State, signed: Signed[Want]) -> None:
    """Send a peer the bodies of requests, or the view changes, that it lacks."""
    left = MAX_BATCH - state.wanted[signed.sender]
    if left <= 0:
        return
    keys = list(dict.fromkeys(signed.message.requests))[:left]
    state.wanted[signed.sender] += max(len(keys), _LEAST_WANTED)
    slots = list(state.slots.values())
    changes = [*(c.signed for c in state.view_changes.values()), *state.new_view_changes]
    shown = {digest(change.raw): change.raw for change in changes}
    for key in keys:
        held = (slot.held[key] for slot in slots if key in slot.held)
        raw = shown.get(key) or state.pool.body(key) or next(held, None)
        if raw is not None:
            state.ready.resend.append(Resend(raw, signed.sender))


def on_committed(state: State, signed: Signed[Committed]) -> None:
    """Adopt a block that a quorum committed, whoever hands it over."""
    message = signed.message
    if message.seq <= state.handed or message.seq > state.handed + BLOCKS_AT_ONCE:
        return
    batch = Batch(message.seq, message.time_ms, tuple(digest(body) for body in message.bodies))
    commits = check_commits(
        batch.digest(), message.seq, message.commits, state.settings, state.open
    )
    decided = Decided(message.seq, message.time_ms, message.bodies, commits)
    if message.seq <= state.stable + state.settings.window:
        slot = state.slot(message.seq)
        if slot.decided is None:
            slot.decided = decided
            slot.held = dict(zip(batch.requests, message.bodies, strict=True))
        state.next_seq = max(state.next_seq, message.seq + 1)
    else:
        state.ahead[message.seq] = decided
    hand_out(state)


def after_applied(state: State) -> None:
    """Go on asking while a peer that was asked has more."""
    if 0 < state.asked_up_to <= state.applied:
        _ask(state)


def tick(state: State) -> None:
    """Say again what may have been lost, ask for what is missing."""
    _begin_turn(state)
    silence = state.now_ms - state.progress_ms
    cut_short = _delivered(state) and silence >= state.settings.resend_ms // 4
    if cut_short:
        _ask(state)
    waited = state.now_ms - state.repeated_ms
    stuck = silence >= state.settings.resend_ms
    unfinished = not state.active or len(state.pool) > 0 or _behind(state)
    back_off = min(max(state.repeats - _PROMPT, 0), _MAX_BACK_OFF)
    if waited < state.settings.resend_ms * (1 << back_off if unfinished else _QUIET):
        return
    state.repeated_ms = state.now_ms
    state.repeats = state.repeats + 1 if unfinished else 0
    state.say(Status(state.view, state.applied, state.stable))
    if not state.active:
        state.repeat(state.own_view_change)
    if state.own_checkpoint and state.own_checkpoint.message.seq > state.stable:
        state.repeat(state.own_checkpoint)
    ask_for_view_changes(state)
    _relay(state)  # a busy swarm, too, may have missed one request
    if stuck:
        _repeat_slots(state)
        if _behind(state) and not cut_short:
            _ask(state)


def tick_retired(state: State, *, covered: bool) -> None:
    """Go on answering; until the end of the epoch is certified, say again that we vouch for it."""
    _begin_turn(state)
    own = state.own_checkpoint
    waited = state.now_ms - state.repeated_ms >= state.settings.resend_ms and not covered
    if waited and own is not None and own.message.seq > state.stable:
        state.repeated_ms = state.now_ms
        state.repeat(own)


def _begin_turn(state: State) -> None:
    state.fetched.clear()
    state.wanted.clear()


def _behind(state: State) -> bool:
    return any(status.applied > state.applied for status in state.peers.values())


def _delivered(state: State) -> bool:
    asked_from = state.asked_up_to - BLOCKS_AT_ONCE
    return state.asked_up_to > 0 and state.applied - asked_from >= _WORTHWHILE


def _ask(state: State) -> None:
    """Ask whoever delivered last, or else the next who claims to be ahead.

    A liar costs one turn, and not every other one: who lags must gain on a moving swarm.
    """
    served_by = state.asked if _delivered(state) else None
    state.asked_up_to = 0
    ahead = [
        peer for peer, status in sorted(state.peers.items()) if status.applied > state.applied
    ]
    if ahead:
        later = [peer for peer in ahead if peer > state.asked]
        state.asked = served_by if served_by in ahead else (later or ahead)[0]
        state.asked_up_to = state.applied + BLOCKS_AT_ONCE
        state.say(Fetch(state.applied + 1), state.asked)


def _repeat_slots(state: State) -> None:
    me = state.settings.me
    open_slots = [seq for seq in sorted(state.slots) if seq > state.applied][:_SLOTS_AT_ONCE]
    for seq in open_slots:
        slot = state.slots[seq]
        if slot.pre_prepare is not None and slot.pre_prepare.sender == me:
            state.repeat(slot.pre_prepare)
        state.repeat(slot.prepares.get(me))
        state.repeat(slot.commits.get(me))
    missing = dict.fromkeys(key for seq in open_slots for key in missing_bodies(state, seq))
    if missing:
        state.say(Want(tuple(missing)[:MAX_BATCH]))


def _relay(state: State) -> None:
    """Pass on requests that the leader may never have received, before suspecting it.

    First to the leader, then to all: f + 1 must know a request for its omission to have a cost.
    Both come before the time-out; what waits longer is said ever less often until the next view,
    or requests that can't get through would keep the channel busy for those that could.
    """
    patience_ms = state.settings.request_timeout_ms
    for pending in state.pool.all():
        tried = pending.relays - pending.relays_before
        pause_ms = min(patience_ms // 3 << max(tried - 1, 0), _MAX_RELAY_PAUSE * patience_ms)
        if state.now_ms - pending.relayed_ms > pause_ms:
            to = None if tried % 2 else state.leader
            if not pending.relays:
                pending.offered_ms = state.now_ms
            pending.relayed_ms, pending.relays = state.now_ms, pending.relays + 1
            if to != state.settings.me:
                state.ready.resend.append(Resend(pending.body, to))
