# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What the relay can be told."""

from swarm_ledger.nodes.parameters import (
    AUTOSTART,
    RADIO_DOMAIN,
    SIGNED_TOPIC,
    Table,
    flag,
    text,
    texts,
    whole,
)

_PATTERNS = (
    "relative names are the drone's; * stands for anything; if neither this nor the other list "
    "is given, what the fleet file's section sign says counts, with its times"
)

TABLE = Table(
    node="secure_relay",
    purpose="Signs what a drone's own topics say, of any type, as it went over the wire.",
    executables=("secure_relay",),
    within=("drone",),
    lifecycle=True,
    parameters=(
        text("fleet", "path of the fleet file"),
        text("drone", "name of this drone in the fleet file"),
        texts("topics", "topics to sign message by message, or patterns", _PATTERNS),
        texts("batched", "topics to sign by windows, or patterns", _PATTERNS),
        whole("window_ms", "length of a window, ms", 50, (1, 1_000)),
        whole("announce_ms", "how often a delegation comes along, ms", 1_000, (0, 60_000)),
        whole(
            "anchor_ms",
            "how often the ledger is to hold what was signed, ms; 0: never",
            30_000,
            (0, 3_600_000),
            "0, or 12000 and more: the ledger takes no anchors more often",
        ),
        flag("begin_session", "begin sessions: only where no drone node runs on this drone"),
        RADIO_DOMAIN,
        SIGNED_TOPIC,
        AUTOSTART,
    ),
)
