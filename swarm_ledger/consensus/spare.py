# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Which of our own statements need not be sent at all: others' make a quorum without them.

Only statements of others count, which were on the air: our own one, not sent yet, is heard by
nobody else, and whoever counted it would leave the others one short. Commits are said by all: who
misses some of a quorum's would need the whole block instead.
"""

from __future__ import annotations

from swarm_ledger.consensus.messages import (
    Checkpoint,
    Commit,
    Message,
    Prepare,
    PrePrepare,
    ViewChange,
)
from swarm_ledger.consensus.state import State


def needless(state: State, message: Message) -> bool:
    """Whether a statement of ours is of no use to anybody any more, sent or not."""
    if isinstance(message, Checkpoint):
        mine = (vote.sender == state.settings.me for vote in state.stable_proof)
        return message.seq < state.stable or (message.seq == state.stable and not any(mine))
    if isinstance(message, ViewChange):
        return message.view < state.view or (message.view == state.view and state.active)
    if isinstance(message, PrePrepare):
        return message.view < state.view or message.batch.seq <= state.stable
    if isinstance(message, Prepare | Commit):
        over = message.view < state.view or message.seq <= state.stable
        return over or (isinstance(message, Prepare) and _prepared(state, message))
    return False


def first_about(message: Message) -> int | None:
    """Return the first block that a statement is about, if it may ever be needless."""
    if isinstance(message, PrePrepare):
        return message.batch.seq
    if isinstance(message, ViewChange):
        return message.stable + 1
    return message.seq if isinstance(message, Prepare | Commit | Checkpoint) else None


def _prepared(state: State, message: Prepare) -> bool:
    """Whether the leader and enough others have prepared that."""
    slot, me = state.slots.get(message.seq), state.settings.me
    if slot is None or slot.pre_prepare is None or slot.digest != message.digest:
        return False
    others = [one for one in slot.prepares.values() if one.sender != me]
    matching = sum(one.message.digest == slot.digest for one in others)
    return matching + 1 >= state.settings.quorum
