# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a drone's pilot can be told."""

from dataclasses import fields

from swarm_ledger.behaviour import Limits
from swarm_ledger.nodes.parameters import AUTOSTART, Parameter, Table, number, text
from swarm_ledger.nodes.tables.drone import DRONE, FLEET

LIMITS = tuple(one.name for one in fields(Limits))
"""The parameters that are the fields of Limits."""
_SPANS = {
    "speed": ("of a command, in all directions together, m/s", (0.05, 10.0)),
    "turn": ("of a command's yaw rate, rad/s", (0.05, 3.0)),
    "separation": ("to keep from other drones, m; heights count half", (0.2, 20.0)),
    "clearance": ("to keep from the target's vertical axis, m", (0.2, 50.0)),
    "fence": ("greatest distance from the target's vertical axis, m", (2.0, 1000.0)),
    "floor": ("lowest height over the target's middle, m", (-50.0, 100.0)),
    "ceiling": ("greatest height over the target's middle, m", (-50.0, 200.0)),
    "stale": ("for how long a position counts, s", (0.1, 5.0)),
    "near": ("distance from the axis to approach to, m", (0.3, 100.0)),
    "around": ("distance from the axis to look from, m", (0.3, 100.0)),
    "far": ("distance from the axis to keep clear at, m", (0.3, 500.0)),
}


def _limit(name: str) -> Parameter:
    description, span = _SPANS[name]
    return number(name, description, getattr(Limits(), name), span)


TABLE = Table(
    node="pilot",
    purpose="A drone's in-flight behaviour: around the target, and as the ledger's decision has "
    "it.",
    executables=("pilot",),
    lifecycle=True,
    parameters=(
        FLEET,
        DRONE,
        text(
            "neighbours",
            "topic of another drone's odometry",
            "/{drone}/odom",
            constraints="{drone} stands for its name",
        ),
        number(
            "target_x", "east of the target's middle, in odometry's frame, m", 0.0, (-1e4, 1e4)
        ),
        number("target_y", "north of the target's middle, m", 0.0, (-1e4, 1e4)),
        number("target_z", "height of the target's middle, m", 0.0, (-1e4, 1e4)),
        number(
            "newest_s",
            "decisions that were older at the ledger's time than this are no orders, s",
            600.0,
            (1.0, 1e6),
        ),
        *map(_limit, LIMITS),
        AUTOSTART,
    ),
)
