# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What the observer can be told."""

from swarm_ledger.nodes.parameters import AUTOSTART, Table, text, texts, whole

TABLE = Table(
    node="observer",
    purpose="Follows a swarm's ledger by root.json alone, and publishes what it verified.",
    executables=("observer",),
    lifecycle=True,
    parameters=(
        text("root", "path of root.json"),
        text("state", "a file for what the observer remembers, made at first"),
        whole("every_ms", "how often to ask, ms", 1_000, (100, 60_000)),
        texts(
            "provers",
            "services to ask in turn, such as /drone_1/get_proof",
            "empty: get_proof in the observer's own namespace",
        ),
        AUTOSTART,
    ),
)
