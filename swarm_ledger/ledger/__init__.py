# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The Merkle log: tree, signed notes, checkpoints, policies, proofs and their store."""
