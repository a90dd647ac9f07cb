# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What the light client can be told."""

from swarm_ledger.nodes.parameters import Table, text, whole

TABLE = Table(
    node="light",
    purpose="Follows a swarm's ledger by root.json alone, and publishes what it verified.",
    executables=("light_client",),
    parameters=(
        text("root", "path of root.json"),
        text("state", "a file for what the client remembers, made at first"),
        whole("every_ms", "how often to ask, ms", 1_000, (100, 60_000)),
    ),
)
