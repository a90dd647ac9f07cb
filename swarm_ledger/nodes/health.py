# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a drone's health is, for /diagnostics: judged here, without ROS 2."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from swarm_ledger.consensus.quorum import quorum
from swarm_ledger.identity.roster import Member
from swarm_ledger.signers import KeyStore


class Level(IntEnum):
    """As diagnostic_msgs/DiagnosticStatus has them."""

    OK = 0
    WARN = 1
    ERROR = 2


@dataclass(frozen=True)
class Finding:
    """One aspect of a node's health. name: of the aspect; said: a phrase; values: for tools."""

    name: str
    level: Level
    said: str
    values: Mapping[str, object] = field(default_factory=dict)


def identity(member: Member) -> Finding:
    """Who the drone is, and where its root key lives: a key in software is never simply fine."""
    software = member.key_store is KeyStore.SOFTWARE
    said = f"the root key is in {member.key_store.label}"
    if software:
        said = "the root key is in software: whoever can read the disk can be this drone"
    values = {
        "drone": member.name,
        "key_fingerprint": member.drone_id,
        "key_store": member.key_store.label,
        "hardware_only": member.hardware_only,
    }
    return Finding("identity", Level.WARN if software else Level.OK, said, values)


def stopped(said: str) -> Finding:
    """The drone takes no part. said: why."""
    return Finding("consensus", Level.WARN, said, {"phase": "stopped"})


def consensus(status: Mapping[str, Any]) -> Finding:
    """Whether the drone takes part in a swarm that can decide. status: Drone.status()."""
    heard, expected = status["heard"], status["expected"]
    need = quorum(expected + 1) - 1
    values = {key: status[key] for key in _CONSENSUS}
    values["peers"] = f"{heard} of {expected}"
    latency = status["latency_ms"]
    values["commit_latency_ms"] = "" if latency is None else f"{latency:.0f}"
    if status["standing"] == "follower":
        following = f"height {status['height']}, from the committee"
        level = Level.OK if heard else Level.ERROR
        return Finding("consensus", level, following if heard else "hears no validator", values)
    if status["standing"] != "member":
        return Finding("consensus", Level.WARN, _STANDING[status["standing"]], values)
    if heard < need:
        said = f"hears {heard} of {expected} peers, and a quorum needs {need}"
        return Finding("consensus", Level.ERROR, said, values)
    if status["phase"] in ("view change", "sync"):
        return Finding("consensus", Level.WARN, _PHASES[status["phase"]], values)
    return Finding("consensus", Level.OK, f"height {status['height']}", values)


_CONSENSUS = ("phase", "standing", "epoch", "view", "leader", "height", "stable", "pending")

_PHASES = {"view change": "replaces a leader", "sync": "fetches blocks that it missed"}

_STANDING = {
    "mute": "lost what it had signed: follows, and says nothing in this epoch",
    "waiting": "its root key has not signed for this epoch yet",
    "joining": "follows until its roster version takes effect",
    "removed": "is no member of the present roster",
}


def clocks(found: Mapping[str, Mapping[str, Any]]) -> Finding:
    """How far others' clocks are off. found: Clocks.status()."""
    off = [peer for peer, one in found.items() if one["skewed"]]
    said = f"off: {', '.join(off)}" if off else f"{len(found)} clocks agree with ours"
    values = {
        f"{peer} {what}": one[what]
        for peer, one in found.items()
        for what in ("ahead_ms", "error_ms")
    }
    return Finding("clocks", Level.WARN if off else Level.OK, said, values)


def time(now_ms: int, simulated: bool, jumps: int) -> Finding:
    """Whether time has begun, and how often it went back. now_ms: as it is signed."""
    values = {"use_sim_time": simulated, "jumps_back": jumps}
    if not now_ms:
        said = "use_sim_time is set, and nothing publishes /clock yet"
        return Finding("time", Level.WARN, said, values)
    return Finding("time", Level.OK, "follows /clock" if simulated else "system clock", values)


class Losses:
    """Tells of what is counted since a node's start whether there is more of it than before."""

    def __init__(self) -> None:
        self._before: Counter[str] = Counter()

    def judge(self, name: str, verb: str, counts: Mapping[str, int], **values: object) -> Finding:
        """Return a finding on counters by reason; verb: what happened to what they count."""
        now = Counter(counts)
        fresh = sum((now - self._before).values())
        self._before = now
        level = Level.WARN if fresh else Level.OK
        said = f"{fresh} {verb} since the last report" if fresh else f"nothing {verb}"
        return Finding(name, level, said, {**values, **{key: now[key] for key in sorted(now)}})
