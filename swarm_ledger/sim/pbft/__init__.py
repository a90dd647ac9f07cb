# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Deterministic simulation of consensus: one seed decides every delay, loss, crash and lie.

plan.py draws a run from its seed; run.py carries it out on a cluster of real replicas whose world
is simulated; checkers.py watches every step; shrink.py makes a failing run small enough to read.
"""
