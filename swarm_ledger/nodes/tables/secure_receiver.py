# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What the receiver can be told."""

from swarm_ledger.nodes.parameters import RADIO_DOMAIN, SIGNED_TOPIC, Table, text, whole

_EITHER = "either roster, or fleet and drone"

TABLE = Table(
    node="secure_receiver",
    purpose="Verifies signed messages, and republishes what holds under verified/.",
    executables=("secure_receiver",),
    parameters=(
        text("roster", "the roster folder", "", constraints=_EITHER),
        text("fleet", "path of the fleet file, on a drone", "", constraints=_EITHER),
        text("drone", "name of this drone in the fleet file", "", constraints=_EITHER),
        text("name", "who it is in rejections; empty: the drone, or receiver", ""),
        whole("max_age_ms", "how old a message may be, ms", 2_000, (1, 60_000)),
        whole("max_ahead_ms", "how far a message may be ahead of our clock, ms", 500, (0, 60_000)),
        whole("reorder", "how many messages of a topic may overtake one", 1_024, (1, 65_536)),
        RADIO_DOMAIN,
        SIGNED_TOPIC,
    ),
)
