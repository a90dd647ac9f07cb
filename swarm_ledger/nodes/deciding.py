# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The action /swarm/decide: goals in, feedback and results out; what they mean is the asker's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from rclpy.action import ActionServer, CancelResponse
from rclpy.node import Node
from rclpy.task import Future
from swarm_interfaces.action import Decide

from swarm_ledger.nodes.questions import duration_message
from swarm_ledger.runtime.asker import Answered, Asked, Code, Progress
from swarm_ledger.runtime.goal import Goal

DECIDE = "/swarm/decide"


@dataclass
class _Goal:
    """One goal under way. done: fulfilled once it has ended."""

    handle: Any
    asked: Asked
    done: Any
    told_ms: int


class Deciding:
    """Serves goals, all at once. begin: begins to ask, or says why not; cancel: asks it no more.

    feedback_ms: how often each goal's feedback is published. Every goal is accepted, as only a
    result can say what is wrong with one. tick() it; the node's executor does the rest.
    """

    def __init__(
        self,
        node: Node,
        begin: Callable[[Goal], Asked | Answered],
        cancel: Callable[[Asked], None],
        progress: Callable[[Asked], Progress],
        feedback_ms: int,
    ) -> None:
        self._begin, self._cancel, self._progress = begin, cancel, progress
        self._feedback_ms = feedback_ms
        self._goals: list[_Goal] = []
        self._server = ActionServer(
            node,
            Decide,
            DECIDE,
            self._execute,
            cancel_callback=lambda _handle: CancelResponse.ACCEPT,
        )

    def tick(self, steady_ms: int) -> None:
        """Tell clients how it goes, and let those go whose goals have ended."""
        for goal in list(self._goals):
            if goal.asked.answered is None and goal.handle.is_cancel_requested:
                self._cancel(goal.asked)
            if goal.asked.answered is not None:
                self._goals.remove(goal)
                goal.done.set_result(None)
            elif steady_ms - goal.told_ms >= self._feedback_ms:
                goal.told_ms = steady_ms
                told = self._progress(goal.asked)
                goal.handle.publish_feedback(feedback_message(goal.asked, told))

    def destroy(self) -> None:
        """Serve no more."""
        self._server.destroy()

    async def _execute(self, handle: Any) -> Any:
        begun = self._begin(goal_of(handle.request))
        if isinstance(begun, Answered):
            return _finish(handle, begun)
        goal = _Goal(handle, begun, Future(), 0)
        self._goals.append(goal)
        await goal.done
        return _finish(handle, begun.answered or Answered(Code.UNKNOWN, "it ended."))


def goal_of(request: Any) -> Goal:
    """Return what a goal asks."""
    deadline = request.deadline
    return Goal(
        str(request.subject),
        tuple(str(label) for label in request.labels),
        int(deadline.sec) * 1000 + int(deadline.nanosec) // 1_000_000,
        int(request.rule),
    )


def _finish(handle: Any, answered: Answered) -> Any:
    if answered.code is Code.NONE:
        handle.succeed()
    elif answered.code is Code.CANCELED and handle.is_cancel_requested:
        handle.canceled()
    else:
        handle.abort()
    return result_message(answered)


def result_message(answered: Answered) -> Any:
    """Return how asking ended as a Result."""
    result = Decide.Result(error_code=int(answered.code), error_msg=answered.said)
    if answered.settled is not None:
        decision = answered.settled.decision
        result.outcome = int(decision.outcome)
        result.label = answered.settled.answer or ""
        result.counts = list(decision.counts)
        result.abstentions = decision.abstentions
        result.number, result.height = decision.number, decision.height
        result.proof = answered.proof.decode()
    return result


def feedback_message(asked: Asked, told: Progress) -> Any:
    """Return how a vote goes on as a Feedback."""
    feedback = Decide.Feedback(
        labels=list(asked.question.labels),
        counts=list(told.counts),
        abstentions=told.abstentions,
        missing=told.missing,
        height=told.height,
        remaining=duration_message(told.remaining_ms),
    )
    feedback.question = np.frombuffer(asked.question_id, np.uint8)
    return feedback
