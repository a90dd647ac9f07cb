# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The normal case (1999, 4.2): pre-prepare, prepare, commit."""

from __future__ import annotations

from swarm_ledger.consensus.certificates import PreparedCertificate
from swarm_ledger.consensus.messages import Batch, Commit, Prepare, PrePrepare, Signed, Want
from swarm_ledger.consensus.ready import Decided
from swarm_ledger.consensus.state import State
from swarm_ledger.encoding import digest
from swarm_ledger.errors import PeerFault


def propose(state: State) -> None:
    """As the leader, assign pending requests to sequence numbers (adaptive batching)."""
    settings = state.settings
    if not state.leading or state.applied < state.stable:
        return  # a leader that lags could propose what was applied long ago
    while state.next_seq <= state.stable + settings.window:
        waiting = state.pool.waiting(but=state.in_flight)
        busy = state.next_seq - 1 - state.applied
        due = (
            not busy
            or len(waiting) >= settings.max_batch
            or (waiting and state.now_ms - waiting[0][1].since_ms >= settings.batch_delay_ms)
        )
        if not waiting or not due or busy >= settings.pipeline:
            return
        keys = tuple(key for key, _ in waiting[: settings.max_batch])
        time_ms = max(state.now_ms, state.time_ms, 1)
        state.say(PrePrepare(state.view, Batch(state.next_seq, time_ms, keys)))
        state.in_flight.update(keys)
        state.next_seq += 1


def on_pre_prepare(state: State, signed: Signed[PrePrepare]) -> None:
    """Accept the leader's assignment unless it contradicts an earlier one (1999, 4.2)."""
    view, batch = signed.message.view, signed.message.batch
    if signed.sender != state.settings.leader(view):
        raise PeerFault("not_leader", f"replica {signed.sender} does not lead view {view}.")
    if view != state.view or not state.active or not state.in_window(batch.seq):
        return
    slot = state.slot(batch.seq)
    if slot.pre_prepare is not None:
        if slot.digest != batch.digest():
            state.accuse(signed.sender, slot.pre_prepare.raw, signed.raw)
        return
    if batch.seq > state.applied:
        _check_proposal(state, signed)
    slot.pre_prepare, slot.digest, slot.since_ms = signed, batch.digest(), state.now_ms
    state.in_flight.update(batch.requests)
    state.next_seq = max(state.next_seq, batch.seq + 1)
    missing = missing_bodies(state, batch.seq)
    if missing and signed.sender != state.settings.me:
        state.say(Want(missing), signed.sender)
    advance(state, batch.seq)


def _check_proposal(state: State, signed: Signed[PrePrepare]) -> None:
    batch = signed.message.batch
    expected = state.expected.get(batch.seq)
    if expected is not None:
        if batch != expected:
            raise PeerFault("bad_new_view", "not what the new view must begin with.")
        return
    if signed.sender == state.settings.me:
        return
    if not batch.requests or len(set(batch.requests)) != len(batch.requests):
        raise PeerFault("bad_proposal", "a batch is empty, or names a request twice.")
    if len(batch.requests) > state.settings.max_batch:
        raise PeerFault("bad_proposal", "a batch is larger than agreed.")
    if any(state.pool.was_applied(key) for key in batch.requests):
        raise PeerFault("bad_proposal", "a batch names a request that was applied before.")
    if abs(batch.time_ms - state.now_ms) > state.settings.max_clock_skew_ms:
        raise PeerFault("bad_clock", f"a batch's clock is {batch.time_ms - state.now_ms} ms off.")


def on_prepare(state: State, signed: Signed[Prepare]) -> None:
    """Count a backup's prepare (1999, 4.2). The leader sends none: its pre-prepare counts."""
    message = signed.message
    if signed.sender == state.settings.leader(message.view):
        raise PeerFault("not_backup", "the leader of a view prepares nothing in it.")
    if message.view != state.view or not state.active or not state.in_window(message.seq):
        return
    slot = state.slot(message.seq)
    known = slot.prepares.setdefault(signed.sender, signed)
    if known.message.digest != message.digest:
        state.accuse(signed.sender, known.raw, signed.raw)
        return
    advance(state, message.seq)


def on_commit(state: State, signed: Signed[Commit]) -> None:
    """Count a commit (1999, 4.2)."""
    message = signed.message
    if message.view != state.view or not state.active or not state.in_window(message.seq):
        return
    slot = state.slot(message.seq)
    known = slot.commits.setdefault(signed.sender, signed)
    if known.message.digest != message.digest:
        state.accuse(signed.sender, known.raw, signed.raw)
        return
    advance(state, message.seq)


def advance(state: State, seq: int) -> None:
    """Take a slot as far as its messages carry it: prepare, commit, decide."""
    slot, me = state.slots[seq], state.settings.me
    if not state.active or slot.pre_prepare is None or missing_bodies(state, seq):
        return
    view = state.view
    if not slot.prepare_sent:
        slot.prepare_sent = True
        if slot.pre_prepare.sender != me:
            state.keep(slot.pre_prepare)
            state.say(Prepare(view, seq, slot.digest))
        bodies = (state.pool.body(key) for key in slot.pre_prepare.message.batch.requests)
        state.ready.bodies.extend(body for body in bodies if body is not None)
    matching = [p for p in slot.prepares.values() if p.message.digest == slot.digest]
    if not slot.commit_sent and len(matching) + 1 >= state.settings.quorum:
        slot.commit_sent = True
        batch = slot.pre_prepare.message.batch
        slot.prepared = PreparedCertificate(view, batch, slot.pre_prepare, tuple(matching))
        state.keep(slot.pre_prepare, *matching)
        state.say(Commit(view, seq, slot.digest))
    commits = [c for c in slot.commits.values() if c.message.digest == slot.digest]
    done = slot.decided is not None or seq <= state.applied
    if not done and len(commits) >= state.settings.quorum:
        batch = slot.pre_prepare.message.batch
        found = [state.pool.body(key) for key in batch.requests]
        raws = tuple(c.raw for c in sorted(commits, key=lambda c: c.sender))
        slot.decided = Decided(
            seq,
            batch.time_ms,
            tuple(body for body in found if body is not None),
            raws[: state.settings.quorum],
        )
        hand_out(state)


def missing_bodies(state: State, seq: int) -> tuple[bytes, ...]:
    """Return the requests that a slot orders and that are not here.

    Only a replica that has them all prepares, so that preparing keeps them alive.
    """
    slot = state.slots[seq]
    if slot.pre_prepare is None or slot.decided is not None or seq <= state.applied:
        return ()
    return tuple(key for key in slot.pre_prepare.message.batch.requests if key not in state.pool)


def hand_out(state: State) -> None:
    """Hand out decided batches in order, without a gap, once."""
    while (slot := state.slots.get(state.handed + 1)) and slot.decided is not None:
        state.handed += 1
        state.ready.apply.append(slot.decided)


def on_applied(state: State, decided: Decided) -> None:
    """The ledger holds the block now."""
    keys = [digest(body) for body in decided.bodies]
    state.applied = decided.seq
    state.time_ms = max(state.time_ms, decided.time_ms)
    state.next_seq = max(state.next_seq, decided.seq + 1)
    state.pool.applied(keys)
    state.in_flight.difference_update(keys)
    state.expected.pop(decided.seq, None)
    state.progress_ms = state.now_ms
    if keys:
        state.attempts = 0  # time-outs recover once a leader delivers
