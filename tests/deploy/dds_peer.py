# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A drone's latched topic, of which DDS is to be tried: `publish` NUMBER... or `listen` COUNT.

Says "ready" once it has published, or for each decision that it heard its number. Ends with stdin.
"""

from __future__ import annotations

import sys
import threading
from array import array

import numpy as np
import rclpy
from builtin_interfaces.msg import Time
from swarm_interfaces.msg import Decision, Envelope

from swarm_ledger.nodes.qos import ENVELOPES, LATCHED

DECISIONS = "/swarm/decisions"
LARGE = "/swarm/envelopes"


def decision(number: int) -> Decision:
    """Return a decision whose every field is told apart from the others."""
    message = Decision(
        outcome=Decision.OUTCOME_DECIDED,
        number=number,
        subject="What stands at the centre?",
        label="cup",
        labels=["cup", "two_faces"],
        counts=[3, 1],
        abstentions=2,
        voided=1,
        voters=7,
        height=11,
        ledger_index=2**40 + number,
        opened=Time(sec=-1, nanosec=5),
        ledger_time=Time(sec=2**31 - 1, nanosec=999_999_999),
    )
    message.header.frame_id = "map"
    message.header.stamp = Time(sec=1, nanosec=2)
    message.question = np.frombuffer(bytes(range(32)), np.uint8)
    return message


def main() -> None:
    """Be one or the other."""
    role, *numbers = sys.argv[1:]
    rclpy.init()
    node = rclpy.create_node(f"{role}er")
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    heard: dict[object, None] = {}
    if role == "publish":
        latched = node.create_publisher(Decision, DECISIONS, LATCHED)
        large = node.create_publisher(Envelope, LARGE, ENVELOPES)
        for number in numbers:
            latched.publish(decision(int(number)))
        print("ready", flush=True)
        # Larger than any packet: it has to be put together again.
        node.create_timer(0.2, lambda: large.publish(Envelope(data=array("B", bytes(60_000)))))
    else:
        node.create_subscription(
            Decision, DECISIONS, lambda said: heard.setdefault(said.number), LATCHED
        )
        node.create_subscription(
            Envelope, LARGE, lambda said: heard.setdefault(f"large {len(said.data)}"), ENVELOPES
        )
        print("listening", flush=True)
    told = 0
    while not ended.is_set():
        rclpy.spin_once(node, timeout_sec=0.05)
        for one in list(heard)[told:]:
            print(one, flush=True)
        told = len(heard)
    node.destroy_node()
    rclpy.shutdown()


if __name__ == "__main__":
    main()
