# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What no audit of a bag can tell, said in each report: silence would promise it."""

from __future__ import annotations

from swarm_ledger.audit.bag import BagAudit
from swarm_ledger.bags.messages import CHECKPOINT, DECISION, OBSERVATION, SIGNED, STATUS


def unprovable(one: BagAudit) -> list[str]:
    """Return, in sentences, what this bag doesn't prove though it is clean."""
    types = {type_name for _, type_name in one.topics}
    said = []
    if types & {OBSERVATION, STATUS}:
        said.append(
            "that no observation or status was left out or made up: nobody signs or numbers them"
        )
    if types & {DECISION, CHECKPOINT}:
        said.append("which drone told a decision or a checkpoint, and that each drone told it")
    if SIGNED in types:
        said.append("that nothing signed was left out before the first or after the last number")
    if not one.blocks:
        said.append("that the votes led to the decisions: the ledger can't be had from this bag")
    elif one.gap is not None:
        said.append(f"what was ordered from height {one.gap.height} on")
    if one.secret:
        said.append(f"what {one.secret} encrypted messages say, and who sent them")
    if one.unshown:
        said.append(f"what {one.unshown} votes were cast upon: their images aren't in the bag")
    if one.unchecked:
        said.append(
            f"that {one.unchecked} chunks are as they were recorded: they have no checksum"
        )
    said.append("when anything was recorded: the recorder's times and numbers are nobody's word")
    return said
