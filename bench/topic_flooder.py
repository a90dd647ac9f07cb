# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What flooder.py does, over ROS 2: to /swarm/envelopes and to the drones' inboxes, in turns."""

from __future__ import annotations

import sys
from array import array
from contextlib import suppress
from itertools import count

import rclpy
from swarm_interfaces.msg import Envelope

from bench.flooder import Send, flood, messages, options
from swarm_ledger.identity.roster import Roster
from swarm_ledger.nodes.qos import ENVELOPES
from swarm_ledger.nodes.transport import EVERYBODY, INBOX


def over_ros(roster: Roster, sources: int, targets: list[str]) -> Send:
    """Join the topics as so many publishers; each message is for all of the targets."""
    rclpy.init()
    node = rclpy.create_node("flooder")
    topics = [[EVERYBODY], [f"{INBOX}/{name}" for name in targets]]
    ways = [
        [[node.create_publisher(Envelope, one, ENVELOPES) for one in way] for way in topics]
        for _ in range(sources)
    ]
    turn = count()

    def send(source: int, data: bytes) -> bool:
        message = Envelope(swarm_id=roster.swarm_id, epoch=roster.version)
        message.data = array("B", data)
        try:
            for publisher in ways[source][next(turn) % 2]:
                publisher.publish(message)
        except RuntimeError:  # the middleware takes no more for now
            return False
        return True

    return send


def main() -> None:
    """Flood until interrupted."""
    given = options(sys.argv[1:])
    send = over_ros(given.fleet.roster, given.sources, given.to)
    with suppress(KeyboardInterrupt):
        flood(send, messages(given.fleet, given.kind), given.rate, given.sources)


if __name__ == "__main__":
    main()
