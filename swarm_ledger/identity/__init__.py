# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Who a drone is: keys, the roster, and the delegation of session keys."""
