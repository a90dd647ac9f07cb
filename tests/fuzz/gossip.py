# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What robots that gossip say to whoever is near: frames, taken in by one that carries some."""

from __future__ import annotations

from swarm_ledger.encoding import encode
from swarm_ledger.errors import PeerFault
from swarm_ledger.transport import Transport
from swarm_ledger.transport.gossip import Gossip
from swarm_ledger.transport.gossip_frames import Items, Letters, Listing, Summary, parse_frame
from swarm_ledger.transport.gossip_shelf import SMALL, Claim, name_of
from tests.fuzz.mutation import of_cbor
from tests.fuzz.target import Target

_NOW_MS = 1_000_000
_AUTHORS = 4


class _Nobody(Transport):
    """A link on which nobody is near."""

    def send(self, to: int, data: bytes) -> None:
        pass

    def broadcast(self, data: bytes) -> None:
        parse_frame(data)  # what we say can be read


def _judge(data: bytes) -> Claim:
    if data[:1] == b"\xff":
        raise PeerFault("bad_signature", "forged.")
    return Claim(data[0] % _AUTHORS, (data[1:2],), len(data), 0, 10_000)


def _run(data: bytes) -> None:
    """It is taken in and answered, whatever it is; what it leaves is bounded."""
    robot = Gossip(1, _Nobody(), now_ms=_NOW_MS)
    robot.judge_by(_judge)
    robot.broadcast(b"\1vote")
    robot.send(2, b"\2letter")
    heard = robot.hear(data, _NOW_MS + 100)
    robot.tick(_NOW_MS + 200)
    robot.tick(_NOW_MS + 600)
    assert len(robot.shelf) <= SMALL * _AUTHORS
    if heard.refused and not heard.fresh:
        raise PeerFault("malformed", "refused.")


def samples() -> list[bytes]:
    """Return some of each frame."""
    name = name_of(b"\1vote")
    frames = [
        Summary(2, ((0, name), (1, bytes(16)))),
        Listing((0, 1), (name,)),
        Items(((5, b"\3vote"), (0, b"\3other"))),
        Letters(1, (b"\2letter",)),
        Letters(None, (b"\2clock",)),
    ]
    return [encode(frame) for frame in frames]


GOSSIP = (Target("gossip", _run, of_cbor, (PeerFault,)),)
