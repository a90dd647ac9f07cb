# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""How wrong liars can make each rule: the "double spend" analysis of a vote."""
