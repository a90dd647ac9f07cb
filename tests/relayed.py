# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Signed messages of any kind, for the tests of the relay."""

from __future__ import annotations

from itertools import count

from swarm_ledger.relay.sender import Credentials, Sender
from swarm_ledger.relay.statement import Notarised
from swarm_ledger.relay.verifier import Limits, Receiver
from tests.crew import T0_MS, Crew

T0_US = T0_MS * 1_000
LATER_US = T0_US + 10_000_000
"""When a receiver that began at T0_US has its first moments behind it."""

ODOM = "/drone_1/odom"
ODOMETRY = "nav_msgs/msg/Odometry"
HASH = "RIHS01_" + "0f" * 32
DATA = b"\x00\x01\x00\x00" + bytes(range(40))


def sender(
    crew: Crew, name: str = "drone_1", *, announce_us: int = 0, session: int = 0, run: int = 1
) -> Sender:
    """Return a member's sender, whose runs are counted from `run`."""
    identity = crew.identity(name, session)
    credentials = Credentials(identity.roster, identity.session, identity.delegation)
    runs = count(run)
    return Sender(credentials, lambda: next(runs), announce_us=announce_us)


def signed(by: Sender, number: int = 0, topic: str = ODOM, now_us: int = LATER_US) -> Notarised:
    """Return a signed message; the number tells its data from others'."""
    return by.sign(topic, ODOMETRY, HASH, DATA + bytes([number % 256]), now_us)


def windowed(by: Sender, size: int, topic: str = ODOM, now_us: int = LATER_US) -> list[Notarised]:
    """Return as many messages signed as one window."""
    for number in range(size):
        by.add(topic, ODOMETRY, HASH, DATA + bytes([number % 256]), now_us)
    return list(by.close(now_us))


def receiver(crew: Crew, limits: Limits | None = None) -> Receiver:
    """Return a receiver that has been up for a while."""
    return Receiver(crew.roster, limits or Limits(), T0_US)
