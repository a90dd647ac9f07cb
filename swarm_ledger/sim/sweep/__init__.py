# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Grids of parameters, run by run: planned, carried out anywhere, kept, and shown."""
