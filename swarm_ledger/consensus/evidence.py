# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Two statements that no honest member makes both of: what convicts, and nothing else does.

An honest replica journals what binds it before it sends it, so not even a crash makes it
contradict itself. A backup restored over a newer journal does, and is rightly accused.
"""

from __future__ import annotations

from swarm_ledger.consensus.messages import (
    Checkpoint,
    Commit,
    Message,
    NewView,
    Prepare,
    PrePrepare,
    ViewChange,
)


def contradiction(first: Message, second: Message) -> str:
    """Say what two statements of one member contradict each other about; "" if they don't.

    Both must be signed by the same member, in the same epoch: that is the caller's to check.
    """
    if type(first) is not type(second):
        return ""
    about, claim = _statement(first)
    same, other = _statement(second)
    return about if about and about == same and claim != other else ""


def _statement(message: Message) -> tuple[str, object]:
    """Return what a message speaks about, and what it claims; "" for what binds nobody."""
    if isinstance(message, PrePrepare):
        batch = message.batch
        return f"the pre-prepare of {batch.seq} in view {message.view}", batch
    if isinstance(message, (Prepare, Commit)):
        kind = type(message).__name__.lower()
        return f"the {kind} of {message.seq} in view {message.view}", message.digest
    if isinstance(message, Checkpoint):
        return f"the checkpoint at {message.seq}", (message.size, message.root)
    if isinstance(message, (ViewChange, NewView)):
        kind = "view change" if isinstance(message, ViewChange) else "new view"
        return f"the {kind} to view {message.view}", message
    return "", None
