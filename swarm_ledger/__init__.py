# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Secure communication and collective voting for drone swarms."""

__version__ = "0.1.0"
