# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Records a bag: a folder of MCAP files, and metadata.yaml when it is over.

What a kill costs is what was not in a chunk yet: less than CHUNK_BYTES and one message, and
nothing older than FLUSH_NS. Without metadata.yaml the bag is read as well; reindex() makes it.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from swarm_ledger.bags.form import (
    MAX_ATTACHMENT_BYTES,
    MAX_MESSAGE_BYTES,
    MAX_TOPICS,
    Attachment,
    Channel,
)
from swarm_ledger.bags.metadata import METADATA, write_metadata
from swarm_ledger.bags.writing import McapWriter
from swarm_ledger.errors import Misuse

CHUNK_BYTES = 256 << 10
FLUSH_NS = 1_000_000_000
MOST_BYTES = MAX_MESSAGE_BYTES - 2 * CHUNK_BYTES
"""Of a message: with what waits already, its chunk is still one that is read."""
MOST_TOPICS = MAX_TOPICS // 4
_TIMES = 1 << 64


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic to record, as Channel."""

    name: str
    type_name: str
    definition: str
    qos: str = ""
    type_hash: str = ""


class Recording:
    """A bag that is being recorded into a new folder; Misuse where it can't be, as it says.

    max_bytes: how large a file may grow before another one is begun; 0 for one file. attached:
    files that each of the bag's files begins with. After a Misuse nothing more is recorded, and
    what was written so far is a bag that ends there. left_out: how many messages were not
    recorded, by topic: what an audit would stop at, somebody could have put there.
    """

    def __init__(
        self, folder: Path, *, max_bytes: int = 0, attached: Iterable[Attachment] = ()
    ) -> None:
        self.folder, self._max_bytes = folder, max_bytes
        self._attached = tuple(attached)
        self._files: list[tuple[str, int, tuple[int, int]]] = []
        self._counts: dict[str, int] = {}
        self.left_out: Counter[str] = Counter()
        self._topics: dict[str, Topic] = {}
        self._numbers: dict[str, int] = {}
        self._since_ns: int | None = None
        self._latest_ns = 0
        self.failed = False
        try:
            folder.mkdir(parents=True)
            self._writer = self._begin()
        except FileExistsError as error:
            raise Misuse(
                f"{folder} is there already, and recordings are never overwritten.",
                remedy="Name another folder.",
            ) from error
        except OSError as error:
            raise self._broken(error) from error

    @property
    def messages(self) -> int:
        """How many were recorded."""
        return sum(self._counts.values())

    def begin_topic(self, topic: Topic) -> None:
        """Begin a topic; those that are there already stay as they are, and none is too many."""
        if topic.name not in self._topics and len(self._topics) < MOST_TOPICS:
            self._topics[topic.name] = topic
            self._counts[topic.name] = 0

    def has(self, name: str) -> bool:
        """Whether a topic was begun."""
        return name in self._topics

    def write(
        self, name: str, log_ns: int, data: bytes, published_ns: int, steady_ns: int
    ) -> None:
        """Record a message of a topic that was begun. steady_ns: by a clock that only goes on.

        Where log_ns goes back, because a clock was set, time stands still until it has caught up.
        published_ns is a publisher's word: what is no time counts as log_ns.
        """
        if self.failed:
            return
        if len(data) > MOST_BYTES or name not in self._topics:
            self.left_out[name] += 1
            return
        log_ns = self._latest_ns = max(log_ns, self._latest_ns)
        try:
            if self._max_bytes and self._writer.messages and self._writer.size >= self._max_bytes:
                self._end_file()
                self._writer = self._begin()
            if name not in self._numbers:
                one = self._topics[name]
                self._numbers[name] = self._writer.add_channel(
                    one.name, one.type_name, one.definition, qos=one.qos, type_hash=one.type_hash
                )
            told_ns = published_ns if 0 <= published_ns < _TIMES else log_ns
            self._writer.write(self._numbers[name], log_ns, data, told_ns)
        except OSError as error:
            raise self._broken(error) from error
        self._counts[name] += 1
        if self._since_ns is None:
            self._since_ns = steady_ns
        self.tick(steady_ns)

    def tick(self, steady_ns: int) -> None:
        """Hand what is old enough to the operating system; call it several times a second."""
        if self.failed or not self._writer.waiting:
            self._since_ns = None
            return
        if self._since_ns is not None and steady_ns - self._since_ns >= FLUSH_NS:
            try:
                self._writer.flush()
            except OSError as error:
                raise self._broken(error) from error
            self._since_ns = None

    def close(self, attached: Iterable[Attachment] = ()) -> None:
        """End the bag; attached: what only the end knows, such as proofs."""
        if self.failed:
            self._writer.abandon()
            return
        try:
            for one in attached:
                if len(one.data) <= MAX_ATTACHMENT_BYTES:
                    self._writer.attach(one)
            self._end_file()
            fresh = self.folder / f".{METADATA}.new"
            fresh.write_bytes(self._metadata())
            os.replace(fresh, self.folder / METADATA)
        except OSError as error:
            raise self._broken(error) from error
        finally:
            self.failed = True

    def _begin(self) -> McapWriter:
        path = self.folder / f"{self.folder.resolve().name}_{len(self._files)}.mcap"
        writer = McapWriter(path, chunk_bytes=CHUNK_BYTES)
        self._numbers = {}
        for one in self._attached:
            writer.attach(one)
        return writer

    def _end_file(self) -> None:
        self._writer.close()
        self._files.append((self._writer.path.name, self._writer.messages, self._writer.span))

    def _metadata(self) -> bytes:
        topics = [
            (
                Channel(
                    number, one.name, one.type_name, "cdr", one.qos, one.type_hash, one.definition
                ),
                self._counts[one.name],
            )
            for number, one in enumerate(self._topics.values())
            if self._counts[one.name]
        ]
        return write_metadata(topics, self._files)

    def _broken(self, error: OSError) -> Misuse:
        self.failed = True
        return Misuse(
            f"{self.folder} can't be recorded to: {error.strerror}.",
            remedy="Free some space or name another folder, and start recording again.",
        )
