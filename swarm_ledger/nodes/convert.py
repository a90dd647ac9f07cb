# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What the core says, as messages of swarm_interfaces."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from sensor_msgs.msg import Image
from swarm_interfaces.msg import Checkpoint, Decision, Observation, SwarmStatus

from swarm_ledger.consensus.phase import Phase
from swarm_ledger.identity.roster import Member, Roster
from swarm_ledger.ledger import checkpoint as tlog
from swarm_ledger.ledger.certified import StoredCheckpoint
from swarm_ledger.ledger.note import Note
from swarm_ledger.ledger.store import Store
from swarm_ledger.perception.frames import Picture, from_raw
from swarm_ledger.runtime.drone import Drone
from swarm_ledger.runtime.voter import Look
from swarm_ledger.voting.decision import Settled


def time_message(ms: int) -> Time:
    """Return POSIX milliseconds as a Time."""
    return Time(sec=ms // 1000, nanosec=ms % 1000 * 1_000_000)


def millis(stamp: Time) -> int:
    """Return a Time in POSIX milliseconds."""
    return int(stamp.sec) * 1000 + int(stamp.nanosec) // 1_000_000


def pixels(message: Image) -> Picture:
    """Return an Image's pixels, (height, width, 3) RGB; PeerFault for what is no picture."""
    return from_raw(
        message.encoding,
        message.width,
        message.height,
        message.step,
        bytes(message.data),
        big_endian=bool(message.is_bigendian),
    )


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
    """Return a settled question as a Decision. index: of its entry in the log."""
    decision, question = settled.decision, settled.question
    message = Decision(
        outcome=int(decision.outcome),
        number=decision.number,
        subject=question.subject,
        label=settled.answer or "",
        labels=list(question.labels),
        counts=list(decision.counts),
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


_PHASES = {
    Phase.IDLE: SwarmStatus.PHASE_IDLE,
    Phase.PRE_PREPARE: SwarmStatus.PHASE_PRE_PREPARE,
    Phase.PREPARE: SwarmStatus.PHASE_PREPARE,
    Phase.COMMIT: SwarmStatus.PHASE_COMMIT,
    Phase.VIEW_CHANGE: SwarmStatus.PHASE_VIEW_CHANGE,
    Phase.SYNC: SwarmStatus.PHASE_SYNC,
    Phase.STOPPED: SwarmStatus.PHASE_STOPPED,
}


def status_message(drone: Drone, now: Time) -> SwarmStatus:
    """Return where a drone is as a SwarmStatus."""
    status = drone.status()
    message = stopped_message(drone.member, drone.roster, drone.keeper.store, now)
    message.phase = _PHASES[Phase(status["phase"])]
    message.view = status["view"]
    message.stable_height = status["stable"]
    message.pending = status["pending"]
    message.open_questions = len(drone.machine.tally.open_questions())
    message.peers_heard, message.peers_expected = status["heard"], status["expected"]
    if status["latency_ms"] is not None:
        message.commit_latency = status["latency_ms"] / 1000
    return message


def stopped_message(member: Member, roster: Roster, store: Store, now: Time) -> SwarmStatus:
    """Return the SwarmStatus of a drone that takes no part, with a ledger all the same."""
    checkpoint = store.latest_checkpoint()
    message = SwarmStatus(
        phase=SwarmStatus.PHASE_STOPPED,
        key_store=int(member.key_store),
        drone=member.name,
        key_fingerprint=member.drone_id,
        swarm_id=roster.swarm_id,
        epoch=roster.version,
        height=max(0, store.height),
        stable_height=checkpoint.height if checkpoint else 0,
        log_size=store.size,
        peers_expected=max(0, len(roster.validators) - 1),
        commit_latency=math.nan,
    )
    message.header.stamp = now
    return message
