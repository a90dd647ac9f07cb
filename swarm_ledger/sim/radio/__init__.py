# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A narrow radio channel in simulated time, with the drones' own code on it; what it carries."""
