# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""After the flight: what a recorded ledger proves, and what not."""
