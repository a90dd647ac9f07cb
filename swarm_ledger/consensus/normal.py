# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The normal case (1999, 4.2): pre-prepare, prepare, commit."""

from __future__ import annotations

from itertools import accumulate, islice

from swarm_ledger.consensus.certificates import PreparedCertificate
from swarm_ledger.consensus.messages import (
    MAX_BATCH_BYTES,
    MAX_REQUEST_BYTES,
    Batch,
    Commit,
    Prepare,
    PrePrepare,
    Signed,
    Want,
)
from swarm_ledger.consensus.pool import Pending
from swarm_ledger.consensus.ready import Decided, Resend
from swarm_ledger.consensus.state import Slot, State
from swarm_ledger.encoding import digest
from swarm_ledger.errors import PeerFault

_MANY = 8
"""Requests in a block from which on the leader looks out for more before the next one."""


def propose(state: State) -> None:
    """As the leader, assign pending requests to sequence numbers (adaptive batching)."""
    settings = state.settings
    if not len(state.pool) or not state.leading or state.applied < state.stable:
        return  # a leader that lags could propose what was applied long ago
    while len(state.pool) and state.next_seq <= state.stable + settings.window:
        busy = state.next_seq - 1 - state.applied
        if busy >= settings.pipeline or (busy and _too_soon(state)):
            return
        waiting = list(islice(state.pool.waiting(but=state.in_flight), settings.max_batch))
        full = len(waiting) >= settings.enough
        if not full and _lingers(state):
            return
        delay_ms = state.pace.batch_delay(settings) if busy else _gather_ms(state, waiting)
        due = full or (waiting and state.now_ms - waiting[0][1].since_ms >= delay_ms)
        if not waiting or not due:
            return
        room = accumulate(len(pending.body) for _, pending in waiting)
        keys = tuple(
            key for (key, _), used in zip(waiting, room, strict=True) if used <= MAX_BATCH_BYTES
        )
        time_ms = max(state.clock_ms, state.time_ms, 1)
        state.say(PrePrepare(state.view, Batch(state.next_seq, time_ms, keys)))
        state.in_flight.update(dict.fromkeys(keys, state.next_seq))
        state.next_seq += 1


def _lingers(state: State) -> bool:
    """Whether a block of many has just been applied: those whose requests it held may have others.

    Else they would miss the next block, and two crowds would take turns, in blocks half as full.
    """
    since_ms = state.now_ms - state.progress_ms
    return state.last_batch >= _MANY and since_ms < state.settings.linger_ms


def _gather_ms(state: State, waiting: list[tuple[bytes, Pending]]) -> int:
    """How long to wait for others' requests: members speak in chorus, anybody else alone."""
    settings = state.settings
    if settings.gather_ms and all(one.author in settings.members for _, one in waiting):
        return settings.gather_ms
    return 0


def _too_soon(state: State) -> bool:
    """Whether it was found at this very time that what waits has to wait, and it is no batch yet.

    Requests come by the dozen: to look through all of them for each would cost more than they do.
    """
    waiting = len(state.pool) - len(state.in_flight)
    if waiting < state.settings.enough and state.looked_ms == state.now_ms:
        return True
    state.looked_ms = state.now_ms
    return False


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
            state.accuse(slot.pre_prepare, signed)
        return
    if not _check_proposal(state, signed, slot):
        return
    slot.pre_prepare, slot.digest, slot.since_ms = signed, batch.digest(), state.now_ms
    _measure(state, batch)
    if batch.seq > state.applied:
        state.in_flight.update(dict.fromkeys(batch.requests, batch.seq))
    state.next_seq = max(state.next_seq, batch.seq + 1)
    missing = missing_bodies(state, batch.seq)
    if missing and signed.sender != state.settings.me:
        state.say(Want(missing), signed.sender)
    advance(state, batch.seq)


def _measure(state: State, batch: Batch) -> None:
    """Note how long the leader let these requests wait, where that was its choice.

    Until it was passed on it may never have reached it; what fills more than a batch has to queue.
    """
    if batch.seq in state.expected or len(state.pool) > state.settings.max_batch:
        return
    pending = filter(None, (state.pool.pending(key) for key in batch.requests))
    waits = [state.now_ms - one.offered_ms for one in pending]
    if waits:
        state.pace.waited(max(waits))


def _check_proposal(state: State, signed: Signed[PrePrepare], slot: Slot) -> bool:
    """Whether to vouch for a proposal; PeerFault if no honest leader makes it now."""
    batch = signed.message.batch
    expected = state.expected.get(batch.seq)
    if expected is not None:
        if batch != expected:
            raise PeerFault("bad_new_view", "not what the new view must begin with.")
        return True
    if slot.decided is not None:
        if batch != slot.decided.batch():
            raise PeerFault("bad_proposal", "not what was committed there.")
        return True
    if batch.seq <= state.applied:
        return False  # what stands there is known to the ledger only: others vouch for it
    if signed.sender != state.settings.me:
        _check_fresh(state, batch)
    return True


def _check_fresh(state: State, batch: Batch) -> None:
    if not batch.requests or len(set(batch.requests)) != len(batch.requests):
        raise PeerFault("bad_proposal", "a batch is empty, or names a request twice.")
    if len(batch.requests) > state.settings.max_batch:
        raise PeerFault("bad_proposal", "a batch is larger than agreed.")
    if any(state.pool.was_applied(key) for key in batch.requests):
        raise PeerFault("bad_proposal", "a batch names a request that was applied before.")
    if any(state.in_flight.get(key, batch.seq) != batch.seq for key in batch.requests):
        raise PeerFault("bad_proposal", "a batch names a request that another one orders.")
    ahead_ms = batch.time_ms - state.clock_ms
    if batch.time_ms == state.time_ms and ahead_ms > 0:
        return  # clocks that jumped left the ledger's time ahead: it waits for them
    if not -state.settings.max_behind_ms <= ahead_ms <= state.settings.max_ahead_ms:
        raise PeerFault("bad_clock", f"a batch's clock is {ahead_ms} ms off.")


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
        state.accuse(known, signed)
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
        state.accuse(known, signed)
        return
    advance(state, message.seq)


def advance(state: State, seq: int) -> None:
    """Take a slot as far as its messages carry it: prepare, commit, decide."""
    slot, me = state.slots[seq], state.settings.me
    if not state.active or slot.pre_prepare is None or missing_bodies(state, seq):
        return
    view, batch = state.view, slot.pre_prepare.message.batch
    if not slot.prepare_sent:
        if not _hold(state, slot, batch):
            return
        slot.prepare_sent = True
        if slot.pre_prepare.sender != me:
            state.say(Prepare(view, seq, slot.digest))
    matching = [p for p in slot.prepares.values() if p.message.digest == slot.digest]
    if not slot.commit_sent and len(matching) + 1 >= state.settings.quorum:
        slot.commit_sent = True
        slot.prepared = PreparedCertificate(view, batch, slot.pre_prepare, tuple(matching))
        state.keep(slot.pre_prepare, *matching)
        state.ready.bodies.extend(slot.held.values())
        state.say(Commit(view, seq, slot.digest))
    commits = [c for c in slot.commits.values() if c.message.digest == slot.digest]
    done = slot.decided is not None or seq <= state.applied
    if not done and len(commits) >= state.settings.quorum and _hold(state, slot, batch):
        bodies = tuple(slot.held[key] for key in batch.requests)
        raws = tuple(c.raw for c in sorted(commits, key=lambda c: c.sender))
        slot.decided = Decided(seq, batch.time_ms, bodies, raws[: state.settings.quorum])
        state.pace.agreed(state.now_ms - slot.since_ms)
        hand_out(state)


def _hold(state: State, slot: Slot, batch: Batch) -> bool:
    """Keep a batch's bodies with its slot; False if together they are too large to hand on."""
    for key in batch.requests:
        body = state.pool.body(key)
        if body is not None:
            slot.held[key] = body
    return sum(len(slot.held.get(key, b"")) for key in batch.requests) <= MAX_BATCH_BYTES


def on_body(state: State, key: bytes, body: bytes, *, added: bool) -> bool:
    """A body of that digest arrived that the pool took or not; True if an open slot waits for it.

    A slot's body is kept beside the pool when that is full for its author, or remembers the
    request as applied: else one author who fills the pools with different requests, or one
    request that two views ordered twice, would stop every leader.
    """
    seq = state.in_flight.get(key)
    slot = state.slots.get(seq) if seq is not None else None
    if seq is None or slot is None:
        return False
    if not added:
        near = seq <= state.applied + 2 * state.settings.pipeline
        if not near or key in slot.held or not 1 <= len(body) <= MAX_REQUEST_BYTES:
            return False
        slot.held[key] = body
    advance(state, seq)
    return True


def missing_bodies(state: State, seq: int) -> tuple[bytes, ...]:
    """Return the requests that a slot orders and that are not here.

    Only a replica that has them all prepares, so that preparing keeps them alive.
    """
    slot = state.slots[seq]
    if slot.pre_prepare is None or slot.decided is not None or seq <= state.applied:
        return ()
    keys = slot.pre_prepare.message.batch.requests
    return tuple(key for key in keys if key not in slot.held and key not in state.pool)


def hand_out(state: State) -> None:
    """Hand out decided batches in order, without a gap, once."""
    while True:
        slot = state.slots.get(state.handed + 1)
        decided = state.ahead.pop(state.handed + 1, None)
        if slot is not None and slot.decided is not None:
            decided = slot.decided
        if decided is None:
            return
        state.handed += 1
        state.ready.apply.append(decided)


def _offer(state: State, passed_over: list[Pending]) -> None:
    """Show the leader what it passes over again and again: it may never have received it."""
    if not state.leading:
        some = state.settings.passed_over_offered
        for pending in passed_over:
            if pending.blocks % some == 0:
                state.ready.resend.append(Resend(pending.body, state.leader))


def on_applied(state: State, decided: Decided) -> None:
    """The ledger holds the block now."""
    keys = [digest(body) for body in decided.bodies]
    state.applied = decided.seq
    state.time_ms = max(state.time_ms, decided.time_ms)
    state.next_seq = max(state.next_seq, decided.seq + 1)
    slot = state.slots.get(decided.seq)
    proposed = slot.pre_prepare if slot else None
    passed_over = state.pool.applied(keys, slot.since_ms if slot and proposed else None)
    _offer(state, passed_over)
    for key in (*keys, *(proposed.message.batch.requests if proposed else ())):
        if state.in_flight.get(key, 0) <= decided.seq:
            state.in_flight.pop(key, None)
    state.progress_ms, state.repeats, state.last_batch = state.now_ms, 0, len(keys)
    if keys:
        state.attempts = 0  # time-outs recover once a leader delivers
