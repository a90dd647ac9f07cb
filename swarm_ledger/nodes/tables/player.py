# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What the player can be told."""

from swarm_ledger.nodes.parameters import Parameter, Table, Type, flag, number, text, texts

TABLE = Table(
    node="player",
    purpose="Publishes a bag as it was recorded, with the QoS that was offered.",
    executables=("player",),
    parameters=(
        text("bag", "a bag's folder, or an .mcap or .db3 file"),
        number("rate", "how much faster than it was recorded", 1.0, (0.01, 100.0)),
        number("start_offset", "seconds of the bag to pass over", 0.0, (0.0, 1e9)),
        number("delay", "seconds for others to find topics before it begins", 1.0, (0.0, 60.0)),
        flag("clock", "publish /clock, at 40 Hz and with each message, in the bag's time"),
        flag("loop", "begin again at the end; time jumps back then"),
        texts("topics", "topics to publish, or patterns; all if empty"),
        texts("remap", "rules A:=B: publish topic A as B"),
        Parameter(
            "paused",
            Type.FLAG,
            False,
            "stand still; ros2 param set /player paused false goes on",
            read_only=False,
        ),
    ),
)
