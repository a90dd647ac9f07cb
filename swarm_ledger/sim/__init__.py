# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The simulated side of the swarm: its world, its cameras, and what is measured in them."""
