# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Where effects happen: what consensus orders is persisted, sent and applied here.

machine.py is pure: the deterministic state machine behind the ledger. drone.py acts.
"""
