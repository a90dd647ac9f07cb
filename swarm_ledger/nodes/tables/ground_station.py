# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What the ground station can be told."""

from swarm_ledger.nodes.parameters import AUTOSTART, Table, text, whole

TABLE = Table(
    node="ground_station",
    purpose="Asks the swarm for an operator: serves /swarm/decide, and verifies what was decided.",
    executables=("ground_station",),
    lifecycle=True,
    parameters=(
        text("fleet", "path of the fleet file"),
        text("operator", "URI of an operator's key; empty: it only follows", ""),
        text("operator_name", "whose key that has to be, by the roster; empty: anybody's", ""),
        text("state", "folder for what it remembers; empty: ground_station beside the fleet", ""),
        whole("every_ms", "how often to look for decisions, ms", 250, (50, 60_000)),
        whole("feedback_ms", "how often to tell how a vote goes on, ms", 500, (50, 60_000)),
        whole(
            "patience_ms",
            "how long a quorum may be silent, and a decision take after its deadline, ms",
            10_000,
            (1_000, 600_000),
        ),
        AUTOSTART,
    ),
)
