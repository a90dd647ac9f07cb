# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What publishers offered, as rosbag2 writes it: latched topics are latched in a replay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import yaml

from swarm_ledger.bags.metadata import check_shape
from swarm_ledger.errors import Misuse

_MAX_BYTES = 1 << 16
_MAX_DEPTH = 100_000
_RELIABLE = (1, "reliable")
_LATCHED = (1, "transient_local")
_FOREVER = {"sec": 9_223_372_036, "nsec": 854_775_807}


@dataclass(frozen=True, slots=True)
class Offered:
    """One publisher's QoS, as far as it matters to who replays it."""

    reliable: bool = True
    latched: bool = False
    depth: int = 10


def write_qos(offered: Sequence[Offered]) -> str:
    """Return the text for a topic's publishers, in numbers, which every rosbag2 reads."""
    profiles = [
        {
            "history": 1,
            "depth": one.depth,
            "reliability": 1 if one.reliable else 2,
            "durability": 1 if one.latched else 2,
            "deadline": dict(_FOREVER),
            "lifespan": dict(_FOREVER),
            "liveliness": 1,
            "liveliness_lease_duration": dict(_FOREVER),
            "avoid_ros_namespace_conventions": False,
        }
        for one in dict.fromkeys(offered)
    ]
    text: str = yaml.safe_dump(profiles, sort_keys=False) if profiles else ""
    return text


def parse_qos(text: str) -> Offered:
    """Return one profile that offers what all of a topic's publishers did.

    Misuse for what can't be read. What tells nothing was reliable and volatile.
    """
    try:
        if len(text) > _MAX_BYTES:
            raise ValueError("it is too long")
        check_shape(text)
        profiles = msgspec.convert(yaml.safe_load(text) or [], list[dict[str, Any]])
    except (ValueError, yaml.YAMLError, msgspec.ValidationError, RecursionError) as error:
        raise Misuse(f"a topic's QoS can't be read: {str(error).splitlines()[:1]}.") from error
    if not profiles:
        return Offered()
    depths = [one.get("depth") for one in profiles]
    known = [depth for depth in depths if isinstance(depth, int) and 0 < depth <= _MAX_DEPTH]
    return Offered(
        all(one.get("reliability") in _RELIABLE for one in profiles),
        all(one.get("durability") in _LATCHED for one in profiles),
        max(known, default=10),
    )
