# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""How a recorder names the files within a bag, and whoever audits it finds them."""

from __future__ import annotations

FOLDER = "roster/"
POLICY = "policy"
PROOFS = "proofs/"
PROOF, PROOF_POLICY = ".tlog-proof", ".policy"
