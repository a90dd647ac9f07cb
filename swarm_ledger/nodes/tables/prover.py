# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What the prover can be told."""

from swarm_ledger.nodes.parameters import Table, text

TABLE = Table(
    node="prover",
    purpose="Answers light clients from a drone's ledger, which it only reads.",
    executables=("prover",),
    within=("drone",),
    parameters=(
        text("ledger", "a drone's folder"),
        text("roster", "the roster folder"),
    ),
)
