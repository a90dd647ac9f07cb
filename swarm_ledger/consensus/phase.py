# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a replica waits for, for whoever watches it. Nothing is decided by it."""

from __future__ import annotations

from enum import Enum

from swarm_ledger.consensus.state import State


class Phase(Enum):
    """Where the protocol is with the next block, or why it isn't at work on one."""

    IDLE = "idle"
    PRE_PREPARE = "pre-prepare"
    PREPARE = "prepare"
    COMMIT = "commit"
    VIEW_CHANGE = "view change"
    SYNC = "sync"
    STOPPED = "stopped"


def phase_of(state: State) -> Phase:
    """Return the phase of the first block that isn't applied yet (Castro & Liskov 1999, 4.2)."""
    if state.retired:
        return Phase.STOPPED
    if not state.active:
        return Phase.VIEW_CHANGE
    if _catching_up(state):
        return Phase.SYNC
    undecided = [seq for seq in state.slots if seq > state.applied]
    slot = state.slots[min(undecided)] if undecided else None
    if slot is not None and slot.pre_prepare is not None:
        return Phase.COMMIT if slot.commit_sent or slot.decided else Phase.PREPARE
    return Phase.PRE_PREPARE if undecided or len(state.pool) else Phase.IDLE


def _catching_up(state: State) -> bool:
    """Whether blocks were asked for that somebody honest has: one liar's word is not enough."""
    ahead = sum(status.applied > state.applied for status in state.peers.values())
    return state.asked_up_to > state.applied and ahead > state.settings.f
