# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What the drone's node can be told."""

from swarm_ledger.nodes.parameters import AUTOSTART, Table, text

FLEET = text("fleet", "path of the fleet file")
DRONE = text("drone", "name of this drone in the fleet file")

TABLE = Table(
    node="drone",
    purpose="A drone's signer, voter and validator.",
    executables=("drone",),
    lifecycle=True,
    parameters=(FLEET, DRONE, AUTOSTART),
)
