# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Floods the drones of a run folder, so many messages a second to each, until it is interrupted.

    python bench/flooder.py RUN --kind forged --rate 10000 --sources 1

noise: bytes at random. forged: a member's consensus messages but for the signature, each another
one, so that each costs a check. large: 1 MiB of noise. member: true statements of drone_4, whose
session file in the run folder is used. Over ZeroMQ; topic_flooder.py does it over ROS 2. Once it
has begun, and each second after that, a line says how many were sent to each drone.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count, cycle
from pathlib import Path

import zmq

from swarm_ledger.consensus.messages import Status
from swarm_ledger.encoding import encode
from swarm_ledger.envelope import Kind
from swarm_ledger.runtime.fleet import FLEET, Fleet
from swarm_ledger.runtime.identity import Identity

THIEF = "drone_4"
TICK_S = 0.005
LARGE = 1 << 20
MANY = 20_000

Send = Callable[[int, bytes], bool]
"""Sends bytes from the source of that number; returns whether they were taken."""


def messages(fleet: Fleet, kind: str) -> Iterator[bytes]:
    """Yield the messages of a flood, made beforehand, again and again.

    More of them than a drone remembers: each repetition costs it another check.
    """
    if kind == "large":
        return cycle([os.urandom(LARGE) for _ in range(20)])
    if kind == "noise":
        return cycle([os.urandom(200) for _ in range(MANY)])
    stolen = fleet.keys(THIEF).kept(fleet.roster)
    if stolen is None:
        raise SystemExit(f"{THIEF} has no session yet.")
    if kind == "member":
        return cycle([status(stolen, number) for number in range(MANY)])
    sample = status(stolen, 0)
    return cycle([sample[:-64] + os.urandom(64) for _ in range(MANY)])


def status(identity: Identity, number: int) -> bytes:
    """Return one of many true statements of a member."""
    return identity.seal(Kind.CONSENSUS, encode(Status(0, 0, number)))


def over_zmq(fleet: Fleet, sources: int, targets: list[str]) -> Send:
    """Connect to drones' ports, so many times to each."""
    context = zmq.Context()
    wires: list[list[zmq.Socket[bytes]]] = []
    for _ in range(sources):
        wires.append([])
        for name in targets:
            socket = context.socket(zmq.DEALER)
            socket.set(zmq.LINGER, 0)
            socket.set(zmq.SNDHWM, 1_000)
            socket.connect(fleet.drone(name).endpoint)
            wires[-1].append(socket)

    def send(source: int, data: bytes) -> bool:
        taken = True
        for socket in wires[source]:
            try:
                socket.send(data, zmq.DONTWAIT)
            except zmq.Again:
                taken = False
        return taken

    return send


def flood(send: Send, all_of: Iterator[bytes], rate: float, sources: int) -> None:
    """Send for ever, a share each few milliseconds; what is not taken is not made up for."""
    start = time.monotonic()
    told, due, sent = start - 1, 0, 0
    for _ in count():
        now = time.monotonic()
        share, due = int((now - start) * rate) - due, int((now - start) * rate)
        for number in range(min(share, int(rate / 10) + 1)):
            sent += send(number % sources, next(all_of))
        if sent and now - told >= 1:
            print(sent, flush=True)
            told, sent = now, 0
        time.sleep(TICK_S)


def options(words: list[str]) -> argparse.Namespace:
    """Return what the command line asks for; fleet and to, the drones' names, with it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="the run folder")
    parser.add_argument("--kind", choices=("noise", "forged", "large", "member"), default="noise")
    parser.add_argument("--rate", type=float, default=10_000)
    parser.add_argument("--sources", type=int, default=1)
    parser.add_argument("--to", action="append", default=[], help="a drone; all if left out")
    given = parser.parse_args(words)
    given.fleet = Fleet.load(given.run / FLEET)
    given.to = given.to or [entry.name for entry in given.fleet.file.drones]
    return given


def main() -> None:
    """Flood until interrupted."""
    given = options(sys.argv[1:])
    send = over_zmq(given.fleet, given.sources, given.to)
    with suppress(KeyboardInterrupt):
        flood(send, messages(given.fleet, given.kind), given.rate, given.sources)


if __name__ == "__main__":
    main()
