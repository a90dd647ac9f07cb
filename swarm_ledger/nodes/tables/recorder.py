# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What the recorder can be told."""

from swarm_ledger.nodes.parameters import AUTOSTART, Table, flag, text, texts, whole

TABLE = Table(
    node="recorder",
    purpose="Records what a swarm says into a bag of MCAP, as rosbag2 does.",
    executables=("recorder",),
    lifecycle=True,
    parameters=(
        AUTOSTART,
        text("bag", "folder to record into, which must not be there yet"),
        texts(
            "topics",
            "topics to record, or patterns",
            "* stands for anything; if empty: /swarm/*, */observation, */status, /clock",
        ),
        flag("images", "also record the images that drones judged, as PNG"),
        whole(
            "max_bytes",
            "how large a file may grow before the next one is begun; 0: one file",
            0,
            (0, 1 << 50),
        ),
        text(
            "fleet",
            "path of the fleet file: its rosters and, in the end, its proofs go into the bag",
            "",
        ),
    ),
)
