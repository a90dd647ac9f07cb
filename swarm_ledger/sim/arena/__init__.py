# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Twenty robots on a floor of black and white tiles: the field's published yardstick."""
