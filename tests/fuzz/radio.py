# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What comes out of a radio: frames with short forms, taken in by a station that heard a few."""

from __future__ import annotations

from swarm_ledger.consensus.messages import Committed, Status
from swarm_ledger.errors import PeerFault
from swarm_ledger.transport.radio import Link, Station
from tests.crew import T0_MS
from tests.fuzz.forging import CREW
from tests.fuzz.mutation import of_bytes
from tests.fuzz.target import Target

_LINK = Link(50_000)


def _station(me: int) -> Station:
    station = Station(me, _LINK, lambda: T0_MS)
    station.rosters = lambda: [CREW.roster]
    return station


def _run(data: bytes) -> None:
    """It is taken in twice, whatever it is; what it leaves can be said and read again."""
    station = _station(1)
    station.broadcast(CREW.identity("drone_1").delegation)
    station.next_frame()
    found = [*station.hear(data), *station.hear(data)]
    if station.faults:
        raise PeerFault("malformed", "refused.")
    for raw in found:
        station.broadcast(raw)
    while station.waiting:
        station.next_frame()


def samples() -> list[bytes]:
    """Return frames of each form."""
    vote = CREW.vote("drone_1")
    commits = [CREW.say(name, Status(0, 1, 0)) for name in CREW.names]
    said = [
        CREW.identity("drone_1").delegation,
        CREW.asked(),
        vote,
        commits[0],
        CREW.say("drone_1", Committed(1, T0_MS, (vote,), tuple(commits[:3]))),
    ]
    frames = []
    for raw in said:
        station = _station(0)
        station.broadcast(CREW.identity("drone_1").delegation)
        station.broadcast(raw)
        while station.waiting:
            frames.append(station.next_frame())
    return frames


RADIO = (Target("radio", _run, of_bytes, (PeerFault,), cost=10, lines=60_000),)
