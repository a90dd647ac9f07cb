# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Checkpoints, watermarks and garbage collection (1999, 4.3)."""

from __future__ import annotations

from swarm_ledger.consensus.messages import Checkpoint, Signed
from swarm_ledger.consensus.ready import Stable
from swarm_ledger.consensus.state import State


def on_checkpoint(state: State, signed: Signed[Checkpoint]) -> None:
    """Count a cosigned checkpoint; with a quorum over one root it is stable."""
    seq = signed.message.seq
    own = state.own_checkpoint
    if signed.sender == state.settings.me and (own is None or own.message.seq <= seq):
        state.own_checkpoint = signed
    high = max(state.stable, state.applied) + state.settings.window
    if not _floor(state) < seq <= (state.applied if state.retired else high):
        return
    votes = state.checkpoints.setdefault(seq, {})
    known = votes.setdefault(signed.sender, signed)
    if _claim(known) != _claim(signed):
        state.accuse(known, signed)
        return
    matching = [vote for vote in votes.values() if _claim(vote) == _claim(signed)]
    if len(matching) >= state.settings.quorum:
        matching.sort(key=lambda vote: vote.sender)
        become_stable(state, tuple(matching[: state.settings.quorum]))


def become_stable(state: State, votes: tuple[Signed[Checkpoint], ...]) -> None:
    """Move the low watermark to a checkpoint that a quorum vouches for."""
    checkpoint = votes[0].message
    if checkpoint.seq <= state.stable:
        return
    state.stable, state.stable_proof = checkpoint.seq, votes
    state.keep(*votes)
    state.ready.stable.append(Stable(checkpoint, votes))
    collect_garbage(state)


def collect_garbage(state: State) -> None:
    """Drop what lies under the stable checkpoint, but for decided batches soon to be applied."""
    stable, soon = state.stable, state.applied + state.settings.window
    for seq in [seq for seq in state.slots if seq <= stable]:
        slot = state.slots[seq]
        if not state.applied < seq <= soon or slot.decided is None:
            del state.slots[seq]
            for key in slot.pre_prepare.message.batch.requests if slot.pre_prepare else ():
                if state.in_flight.get(key) == seq:
                    del state.in_flight[key]
    for seq in [seq for seq in state.expected if seq <= stable]:
        del state.expected[seq]
    floor = _floor(state)
    for seq in [seq for seq in state.checkpoints if seq <= floor]:
        del state.checkpoints[seq]


def _floor(state: State) -> int:
    """Votes up to here are of no use: stable, or so old that a later checkpoint will do."""
    return max(state.stable, state.applied - state.settings.window)


def idle_checkpoint_due(state: State) -> bool:
    """Whether a quiet swarm should vouch for the blocks since the last checkpoint."""
    own = state.own_checkpoint.message.seq if state.own_checkpoint else state.stable
    return (
        state.applied > max(own, state.stable)
        and not len(state.pool)
        and state.now_ms - state.progress_ms >= state.settings.resend_ms
    )


def _claim(signed: Signed[Checkpoint]) -> tuple[int, bytes]:
    return signed.message.size, signed.message.root
