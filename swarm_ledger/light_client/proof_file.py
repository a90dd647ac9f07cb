# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a stranger runs: a policy and a proof file in, a verified entry out, nothing else."""

from __future__ import annotations

import msgspec

from swarm_ledger.errors import NotVerified
from swarm_ledger.ledger.checkpoint import Checkpoint
from swarm_ledger.ledger.merkle import leaf_hash, verify_inclusion
from swarm_ledger.ledger.policy import Policy
from swarm_ledger.ledger.proof import LogProof


class VerifiedEntry(msgspec.Struct, frozen=True):
    """An entry that stands in a log that the policy trusts.

    index: its place, from 0; size: of the tree; entry: its bytes; checkpoint: the tree's head;
    signers: policy names of the witnesses that cosigned it, sorted.
    """

    index: int
    size: int
    entry: bytes
    checkpoint: Checkpoint
    signers: tuple[str, ...]


def verify_proof(policy: Policy, proof: bytes) -> VerifiedEntry:
    """Verify a tlog-proof file that carries its entry; raises NotVerified with what and where.

    Checks the log's signature, the quorum of cosignatures and the inclusion (C2SP tlog-proof).
    A file with exactly a quorum of cosignatures has no byte that could be changed, unless the log
    holds an entry twice: then a proof of one place may be a true proof of the other.
    """
    parsed = LogProof.parse(proof)
    if not parsed.extra:
        raise NotVerified("it doesn't carry the entry", where="extra line")
    checked = policy.examine(parsed.note)
    checkpoint = checked.checkpoint
    verify_inclusion(
        leaf_hash(parsed.extra), parsed.index, checkpoint.size, parsed.path, checkpoint.root
    )
    return VerifiedEntry(
        parsed.index, checkpoint.size, parsed.extra, checkpoint, checked.witnesses
    )
