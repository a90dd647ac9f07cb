# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What the prover can be told."""

from swarm_ledger.nodes.parameters import Table, number, text
from swarm_ledger.runtime.desk import SHARE

TABLE = Table(
    node="prover",
    purpose="Answers who asks for proofs and blocks from a drone's ledger, which it only reads.",
    executables=("prover",),
    within=("drone",),
    parameters=(
        text("ledger", "a drone's folder"),
        text("roster", "the roster folder"),
        number("share", "how much of a processor all answers may take", SHARE, (0.01, 1.0)),
    ),
)
