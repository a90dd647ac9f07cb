# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The messages of bags that we read: swarm_interfaces', and those by which a drone sees."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from swarm_ledger.bags.cdr import Cdr
from swarm_ledger.bags.signed import Envelope, parse_signed

OURS = "swarm_interfaces/msg/"
ENVELOPE = OURS + "Envelope"
SIGNED = OURS + "SignedMessage"
CHECKPOINT = OURS + "Checkpoint"
DECISION = OURS + "Decision"
QUESTION = OURS + "Question"
OBSERVATION = OURS + "Observation"
STATUS = OURS + "SwarmStatus"
IMAGE = "sensor_msgs/msg/Image"
COMPRESSED = "sensor_msgs/msg/CompressedImage"


@dataclass(frozen=True, slots=True)
class CheckpointTold:
    """A checkpoint as a drone tells it; note proves itself."""

    origin: str
    size: int
    root: bytes
    height: int
    signers: tuple[str, ...]
    note: str


@dataclass(frozen=True, slots=True)
class DecisionTold:
    """A decision as a drone tells it; nobody signed this."""

    outcome: int
    number: int
    question: bytes
    subject: str
    label: str
    labels: tuple[str, ...]
    counts: tuple[int, ...]
    abstentions: int
    voided: int
    voters: int
    height: int
    ledger_index: int
    opened_ns: int
    ledger_time_ns: int


@dataclass(frozen=True, slots=True)
class QuestionTold:
    """A question as somebody tells it."""

    rule: int
    question: bytes
    subject: str
    labels: tuple[str, ...]
    deadline_ns: int
    opened_ns: int
    operator: str


@dataclass(frozen=True, slots=True)
class ObservationTold:
    """One look as a drone tells it."""

    stamp_ns: int
    drone: str
    question: bytes
    label: str
    confidence: float
    image: bytes
    bearing: float
    distance: float


@dataclass(frozen=True, slots=True)
class StatusTold:
    """Where a drone says that it is."""

    drone: str
    key_fingerprint: str
    swarm_id: str
    epoch: int
    height: int
    log_size: int


@dataclass(frozen=True, slots=True)
class ImageTold:
    """A raw image."""

    stamp_ns: int
    frame: str
    height: int
    width: int
    encoding: str
    big_endian: bool
    step: int
    data: bytes


@dataclass(frozen=True, slots=True)
class CompressedTold:
    """An image that is packed, such as a PNG."""

    stamp_ns: int
    frame: str
    format: str
    data: bytes


def _header(cdr: Cdr) -> int:
    stamp_ns = cdr.time_ns()
    cdr.text()
    return stamp_ns


def _envelope(cdr: Cdr) -> Envelope:
    cdr.u8()
    return Envelope(cdr.text(), cdr.u32(), cdr.blob())


def _checkpoint(cdr: Cdr) -> CheckpointTold:
    _header(cdr)
    origin, size, root = cdr.text(), cdr.u64(), cdr.raw(32)
    return CheckpointTold(origin, size, root, cdr.u64(), cdr.texts(), cdr.text())


def _decision(cdr: Cdr) -> DecisionTold:
    _header(cdr)
    return DecisionTold(
        cdr.u8(),
        cdr.u64(),
        cdr.raw(32),
        cdr.text(),
        cdr.text(),
        cdr.texts(),
        cdr.u16s(),
        cdr.u16(),
        cdr.u16(),
        cdr.u16(),
        cdr.u64(),
        cdr.u64(),
        cdr.time_ns(),
        cdr.time_ns(),
    )


def _question(cdr: Cdr) -> QuestionTold:
    _header(cdr)
    rule, name, subject, labels = cdr.u8(), cdr.raw(32), cdr.text(), cdr.texts()
    return QuestionTold(rule, name, subject, labels, cdr.time_ns(), cdr.time_ns(), cdr.text())


def _observation(cdr: Cdr) -> ObservationTold:
    stamp_ns = _header(cdr)
    drone, question, label = cdr.text(), cdr.raw(32), cdr.text()
    confidence, image = cdr.f32(), cdr.raw(32)
    return ObservationTold(
        stamp_ns, drone, question, label, confidence, image, cdr.f32(), cdr.f32()
    )


def _status(cdr: Cdr) -> StatusTold:
    _header(cdr)
    cdr.raw(2)
    drone, fingerprint, swarm_id, epoch = cdr.text(), cdr.text(), cdr.text(), cdr.u32()
    _, height, _, size = cdr.numbers("QQQQ")
    cdr.numbers("I")
    cdr.numbers("HHH")
    cdr.f32()
    return StatusTold(drone, fingerprint, swarm_id, epoch, height, size)


def _image(cdr: Cdr) -> ImageTold:
    stamp_ns, frame = cdr.time_ns(), cdr.text()
    height, width = cdr.numbers("II")
    encoding, big_endian = cdr.text(), bool(cdr.u8())
    return ImageTold(stamp_ns, frame, height, width, encoding, big_endian, cdr.u32(), cdr.blob())


def _compressed(cdr: Cdr) -> CompressedTold:
    return CompressedTold(cdr.time_ns(), cdr.text(), cdr.text(), cdr.blob())


_FORMS: dict[str, Callable[[Cdr], Any]] = {
    ENVELOPE: _envelope,
    CHECKPOINT: _checkpoint,
    DECISION: _decision,
    QUESTION: _question,
    OBSERVATION: _observation,
    STATUS: _status,
    IMAGE: _image,
    COMPRESSED: _compressed,
}

KNOWN = frozenset((SIGNED, *_FORMS))
"""The types that are read."""

HASHES = {
    ENVELOPE: "RIHS01_85cac0b0bb74b5984714c597a9e9c18bbd9e35b76a1c9707364d778f7f82d003",
    SIGNED: "RIHS01_a1f863c36bc8483a88360346768cb92f9179a8b4fba300559a7d835bcaacaaaa",
    CHECKPOINT: "RIHS01_25d88e68f45852f37b3832752b45da8bd7fd96fe67c13abe66092d0322f20712",
    DECISION: "RIHS01_131af38709089e6c1ac11e610a3e50660ffe53bc34dcde0110dd47238f59fc22",
    QUESTION: "RIHS01_8a31d80de34170a7ab49d7c925037b424df7535e5a233b2057687ea7a08e5ee6",
    OBSERVATION: "RIHS01_66c483028f000939999038a70ba40919bb748f8ccdefa57e242a40657d167e40",
    STATUS: "RIHS01_20dbffc12caad44533e79465ec0b26dbaba845dc8d53a64570fd05d79d24ea53",
    IMAGE: "RIHS01_d31d41a9a4c4bc8eae9be757b0beed306564f7526c88ea6a4588fb9582527d47",
    COMPRESSED: "RIHS01_15640771531571185e2efc8a100baf923961a4d15d5569652e6cb6691e8e371a",
}
"""What the layouts above are called by REP 2016."""


def parse(type_name: str, data: bytes) -> Any:
    """Return a message of one of the types that are KNOWN; PeerFault("malformed") for no such."""
    if type_name == SIGNED:
        return parse_signed(data)
    cdr = Cdr(data)
    found = _FORMS[type_name](cdr)
    cdr.end()
    return found


def write_compressed(told: CompressedTold) -> bytes:
    """Return a CompressedImage as it is serialised."""
    seconds, nanos = divmod(told.stamp_ns, 1_000_000_000)
    written = bytearray(b"\x00\x01\x00\x00" + struct.pack("<iI", seconds, nanos))
    for value in (told.frame.encode() + b"\0", told.format.encode() + b"\0", told.data):
        written += b"\0" * (-len(written) % 4) + struct.pack("<I", len(value)) + value
    return bytes(written)
