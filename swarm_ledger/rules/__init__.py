# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Rules on the ledger: who holds what until when, and what is due once something was decided."""
