# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What strangers run: they trust a policy, or only the operators' root, and nobody's word.

No file, socket or clock: bytes and a time go in, what is verified comes out, or NotVerified.
"""

from swarm_ledger.light_client.proof_file import VerifiedEntry, verify_proof

__all__ = ["VerifiedEntry", "verify_proof"]
