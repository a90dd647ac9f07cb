# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A node of somebody who knows the drones' topics: publishes what its stdin says, a line each.

A line is JSON: topic, and either sealed, the hexadecimal bytes for an Envelope whose other fields
are lies, or raw, bytes in place of a serialised one. Started with how many drones to wait for.
"""

from __future__ import annotations

import json
import sys
from array import array

import rclpy
from swarm_interfaces.msg import Envelope

from swarm_ledger.nodes.qos import ENVELOPES
from swarm_ledger.nodes.transport import EVERYBODY, INBOX


def main() -> None:
    rclpy.init()
    node = rclpy.create_node("stranger")
    names = sys.argv[1:]
    topics = (EVERYBODY, *(f"{INBOX}/{name}" for name in names))
    publishers = {one: node.create_publisher(Envelope, one, ENVELOPES) for one in topics}
    while publishers[EVERYBODY].get_subscription_count() < len(names) or any(
        publishers[one].get_subscription_count() < 1 for one in topics
    ):
        rclpy.spin_once(node, timeout_sec=0.05)
    print("ready", flush=True)
    for line in sys.stdin:
        said = json.loads(line)
        if "raw" in said:
            publishers[said["topic"]].publish(bytes.fromhex(said["raw"]))
            continue
        message = Envelope(kind=77, swarm_id="somebody else's", epoch=9)
        message.data = array("B", bytes.fromhex(said["sealed"]))
        publishers[said["topic"]].publish(message)


if __name__ == "__main__":
    main()
