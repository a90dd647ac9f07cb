# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""How a drone stands in the swarm: what it is there, whom it hears, how fast things go."""

from __future__ import annotations

from collections import deque
from statistics import median
from typing import TYPE_CHECKING, Any

from swarm_ledger.consensus.phase import Phase

if TYPE_CHECKING:
    from swarm_ledger.runtime.drone import Drone

HEARTBEAT_MS = 3_000
"""A member that said nothing for that long is not heard: a quiet one says its state each second,
with the settings that fleets have by default."""

_LATENCIES = 100


class Pulse:
    """Who said something when, and how long own requests took. Times are the engine's steady ones.

    heartbeat_ms: from which silence on a member isn't heard any more.
    """

    def __init__(self, heartbeat_ms: int = HEARTBEAT_MS) -> None:
        self._heartbeat_ms = heartbeat_ms
        self._heard_ms: dict[str, int] = {}
        self._latencies_ms: deque[int] = deque(maxlen=_LATENCIES)

    def hear(self, name: str, now_ms: int) -> None:
        """Note that a member said something that it signed."""
        self._heard_ms[name] = now_ms

    def committed(self, latency_ms: int) -> None:
        """Note how long one of our own votes took from its signature to its block."""
        self._latencies_ms.append(latency_ms)

    def heard(self, now_ms: int) -> frozenset[str]:
        """Return who is heard now, by name."""
        since_ms = now_ms - self._heartbeat_ms
        return frozenset(name for name, at_ms in self._heard_ms.items() if at_ms >= since_ms)

    @property
    def latency_ms(self) -> float | None:
        """The median of the last latencies, None before there is one."""
        return median(self._latencies_ms) if self._latencies_ms else None


def standing(drone: Drone) -> str:
    """Return what a drone is in its epoch: "member", "follower", "mute", "waiting", "joining" or
    "removed".

    A follower votes, and leaves the ordering to the committee. Mute is a member that lost its
    disk, and with it what it may have said; waiting is one whose root key has not
    signed for this epoch yet.
    """
    engine = drone.engine
    if engine.waiting:
        return "waiting"
    if engine.current.seat.identity is not None:
        if engine.forgetful:
            return "mute"
        return "member" if engine.current.seat.orders else "follower"
    ahead = any(seat.identity is not None for seat in engine.epochs.ahead)
    return "joining" if ahead else "removed"


def phase(drone: Drone) -> Phase:
    """Return what a drone's replica waits for; STOPPED for one that takes no part."""
    if drone.transfer.taking:
        return Phase.SYNC
    replica = drone.engine.current.replica
    return replica.phase if standing(drone) in ("member", "follower") else Phase.STOPPED


def status(drone: Drone) -> dict[str, Any]:
    """Return where a drone is, for screens and logs.

    faults: how often it refused something, by reason; blamed: the same by the name of whoever
    signed it, where a signature says who that was. heard: validators besides itself that said
    something lately. latency_ms: from its votes' signatures to their blocks, the median, or None.
    """
    engine, member, store = drone.engine, drone.member, drone.keeper.store
    replica, roster = engine.current.replica, drone.roster
    others = {roster.members[index].name for index in roster.validators} - {member.name}
    return {
        "drone": member.name,
        "standing": standing(drone),
        "phase": phase(drone).value,
        "epoch": roster.version,
        "view": replica.view,
        "leader": roster.members[replica.leader].name,
        "height": store.height,
        "size": store.size,
        "base": store.base,
        "root": store.root().hex(),
        "stable": replica.stable_seq,
        "pending": replica.pending,
        "met": drone.greeting.met,
        "heard": len(others & drone.pulse.heard(engine.steady_ms)),
        "expected": len(others),
        "latency_ms": drone.pulse.latency_ms,
        "key_store": member.key_store.label,
        "hardware_only": member.hardware_only,
        "faults": drone.faults,
        "blamed": drone.blamed,
        "clocks": drone.clocks.status(),
        "secrecy": drone.sharing.standing if drone.sharing else "off",
    }
