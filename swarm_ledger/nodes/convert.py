# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What the core says, as messages of swarm_interfaces."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from sensor_msgs.msg import Image
from swarm_interfaces.msg import Checkpoint, Decision, Observation, SwarmStatus

from swarm_ledger.errors import Misuse
from swarm_ledger.ledger import checkpoint as tlog
from swarm_ledger.ledger.certified import StoredCheckpoint
from swarm_ledger.ledger.note import Note
from swarm_ledger.runtime.drone import Drone
from swarm_ledger.runtime.voter import Look
from swarm_ledger.voting.decision import Settled
from swarm_ledger.voting.question import Question

_CHANNELS = {"rgb8": (3, False), "bgr8": (3, True), "mono8": (1, False)}


def time_message(ms: int) -> Time:
    """Return POSIX milliseconds as a Time."""
    return Time(sec=ms // 1000, nanosec=ms % 1000 * 1_000_000)


def millis(stamp: Time) -> int:
    """Return a Time in POSIX milliseconds."""
    return int(stamp.sec) * 1000 + int(stamp.nanosec) // 1_000_000


def pixels(message: Image) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return an Image's pixels, (height, width, 3) RGB; Misuse for an encoding we don't read."""
    if message.encoding not in _CHANNELS:
        raise Misuse(
            f"images are in {message.encoding!r}.", remedy=f"Publish {', '.join(_CHANNELS)}."
        )
    channels, reverse = _CHANNELS[message.encoding]
    row = message.width * channels
    if message.step < row or len(message.data) != message.step * message.height or not row:
        raise Misuse(f"an image states {message.width} x {message.height}, but has other data.")
    flat = np.frombuffer(message.data, np.uint8).reshape(message.height, message.step)
    image = flat[:, :row].reshape(message.height, message.width, channels)
    if channels == 1:
        image = np.repeat(image, 3, axis=2)
    return np.ascontiguousarray(image[:, :, ::-1] if reverse else image)


def image_message(image: np.ndarray[Any, np.dtype[np.uint8]], frame: str, stamp: Time) -> Image:
    """Return pixels, (height, width, 3) RGB, as an Image."""
    height, width, _ = image.shape
    message = Image(height=height, width=width, encoding="rgb8", step=width * 3)
    message.header.stamp, message.header.frame_id = stamp, frame
    message.data = image.tobytes()
    return message


def observation_message(look: Look, drone: str, question: bytes) -> Observation:
    """Return one look at a question's subject as an Observation. question: its id, 32 bytes."""
    message = Observation(drone=drone, label=look.perceived.label)
    message.header.stamp, message.header.frame_id = time_message(look.stamp_ms), "map"
    message.question = np.frombuffer(question, np.uint8)
    message.confidence = float(look.perceived.confidence)
    message.image_sha256 = np.frombuffer(look.image, np.uint8)
    message.bearing = look.bearing % math.tau
    message.distance = look.distance
    return message


def decision_message(settled: Settled, index: int, now: Time) -> Decision:
    """Return a settled question as a Decision. index: of its entry in the log.

    Of a number, label is the number with its unit, and there are no labels to count.
    """
    decision, question = settled.decision, settled.question
    labels = list(question.labels) if isinstance(question, Question) else []
    votes = settled.votes
    message = Decision(
        outcome=int(decision.outcome),
        number=decision.number,
        subject=question.subject,
        label=settled.answer or "",
        labels=labels,
        counts=[votes[label] for label in labels],
        abstentions=decision.abstentions,
        voided=decision.voided,
        voters=decision.voters,
        height=decision.height,
        ledger_index=index,
        opened=time_message(decision.opened_ms),
        ledger_time=time_message(decision.closed_ms),
    )
    message.header.stamp = now
    message.question = np.frombuffer(decision.question, np.uint8)
    return message


def checkpoint_message(stored: StoredCheckpoint, now: Time) -> Checkpoint:
    """Return a cosigned checkpoint as a Checkpoint."""
    note = Note.parse(stored.note)
    stated = tlog.Checkpoint.parse(note.text)
    message = Checkpoint(
        origin=stated.origin,
        size=stated.size,
        height=stored.height,
        signers=[line.name for line in note.signatures if line.name != stated.origin],
        note=stored.note.decode(),
    )
    message.header.stamp = now
    message.root = np.frombuffer(stated.root, np.uint8)
    return message


def status_message(drone: Drone, now: Time) -> SwarmStatus:
    """Return where a drone is as a SwarmStatus."""
    status, member, roster = drone.status(), drone.member, drone.roster
    message = SwarmStatus(
        phase=SwarmStatus.PHASE_IDLE if not status["pending"] else SwarmStatus.PHASE_PREPARE,
        key_store=int(member.key_store),
        drone=member.name,
        key_fingerprint=member.drone_id,
        swarm_id=roster.swarm_id,
        epoch=roster.version,
        view=status["view"],
        height=status["height"],
        stable_height=status["stable"],
        log_size=status["size"],
        pending=status["pending"],
        open_questions=len(drone.machine.tally.open_questions()),
        peers_heard=max(0, status["met"] - 1),
        peers_expected=len(roster.validators) - 1,
        commit_latency=math.nan,
    )
    message.header.stamp = now
    return message
