# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a bag consists of, whichever way it is stored."""

from __future__ import annotations

from dataclasses import dataclass

MAX_MESSAGE_BYTES = 64 << 20
"""A raw camera image of 16 megapixels still fits."""
MAX_TOPICS = 4096
MAX_NAME_BYTES = 1024
MAX_DEFINITION_BYTES = 1 << 20
MAX_ATTACHMENTS = 256
MAX_ATTACHMENT_BYTES = 4 << 20
MAX_FAULTS = 1000
"""What is found wrong beyond that is not kept: the bag is wrong anyway."""

CDR = "cdr"


@dataclass(frozen=True, slots=True)
class Channel:
    """A topic in one file of a bag. type_hash: REP 2016's, empty where it isn't told.

    qos: what publishers offered, as rosbag2 writes it; definition: of the message type, as text.
    """

    number: int
    topic: str
    type_name: str
    encoding: str = CDR
    qos: str = ""
    type_hash: str = ""
    definition: str = ""


@dataclass(slots=True)
class Recorded:
    """One message. sequence: the recorder's own number in its channel, 0 where it gives none.

    log_ns, published_ns: POSIX nanoseconds, or simulated; number: among all of the bag, from 0;
    offset: in its file, of the record that holds it, a chunk as a rule (SQLite: its row).
    """

    channel: Channel
    sequence: int
    log_ns: int
    published_ns: int
    data: bytes
    number: int
    file: str
    offset: int


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file within the bag."""

    name: str
    media_type: str
    log_ns: int
    data: bytes
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is wrong with a bag as a file. reason: a stable word.

    "truncated" is what a crash leaves behind, too; nothing else is.
    """

    reason: str
    what: str
    file: str
    offset: int
