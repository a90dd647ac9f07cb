# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""/swarm/questions: what the ledger of a drone has been asked, for whoever comes late as well."""

from __future__ import annotations

from typing import Any

import numpy as np
from builtin_interfaces.msg import Duration, Time
from rclpy.node import Node
from swarm_interfaces.msg import Question

from swarm_ledger.nodes.convert import time_message
from swarm_ledger.nodes.publishing import publish
from swarm_ledger.nodes.qos import LATCHED
from swarm_ledger.runtime.asked import open_questions
from swarm_ledger.runtime.drone import Drone

QUESTIONS = "/swarm/questions"


class Questions:
    """Publishes a question when the ledger opens it, and at the start those that are open."""

    def __init__(self, node: Node) -> None:
        self._publisher = node.create_publisher(Question, QUESTIONS, LATCHED)

    def begin(self, drone: Drone, now: Time) -> None:
        """Publish the questions that an earlier run of the drone has left open."""
        for fields in open_questions(drone.keeper.store, drone.machine):
            self.on_event("question", fields, now)

    def on_event(self, event: str, fields: dict[str, Any], now: Time) -> None:
        """Publish a question that was opened; all other events are none of its business."""
        if event == "question" and fields["result"] == "opened":
            publish(self._publisher, question_message(fields, now))


def question_message(fields: dict[str, Any], now: Time) -> Question:
    """Return the event of an opened question as a Question."""
    message = Question(
        rule=fields["rule"],
        subject=fields["subject"],
        labels=fields["labels"],
        deadline=duration_message(fields["duration_ms"]),
        opened=time_message(fields["opened_ms"]),
        operator_id=fields["author"] or "",
    )
    message.id = np.frombuffer(bytes.fromhex(fields["question"]), np.uint8)
    message.header.stamp = now
    return message


def duration_message(ms: int) -> Duration:
    """Return milliseconds as a Duration."""
    return Duration(sec=ms // 1000, nanosec=ms % 1000 * 1_000_000)
