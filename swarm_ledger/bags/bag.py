# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A bag from wherever it is: a folder with its metadata or without, or a bare file of either kind.

Files of several parts are read as one. Whether metadata.yaml tells what is in them is checked.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from swarm_ledger.bags.form import Attachment, Channel, Fault, Recorded
from swarm_ledger.bags.metadata import (
    MAX_METADATA_BYTES,
    METADATA,
    FileInfo,
    Metadata,
    parse_metadata,
    write_metadata,
)
from swarm_ledger.bags.reading import McapReader
from swarm_ledger.bags.records import MAGIC
from swarm_ledger.bags.sqlite import SqliteReader
from swarm_ledger.errors import Misuse

_SQLITE_MAGIC = b"SQLite format 3\0"
_SUFFIXES = (".mcap", ".db3")
_LATE_NS = 1_000
"""metadata.yaml's times and the files' may differ by what a clock's conversion loses."""


class Bag:
    """A bag that is read from its beginning to its end. Misuse where there is none.

    Read messages() to the end; faults, attachments and all else are complete only then. Each call
    begins anew.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._told = _metadata(path) if path.is_dir() else None
        self.files = _files(path, self._told)
        self.readers: list[McapReader | SqliteReader] = []

    @property
    def faults(self) -> tuple[Fault, ...]:
        """All that is wrong with it as a file."""
        found = [fault for reader in self.readers for fault in reader.faults]
        if isinstance(self._told, Misuse):
            found.append(Fault("metadata", self._told.what, METADATA, 0))
        elif self._told is not None:
            found += _differences(self._told, self.readers)
        elif self.path.is_dir() and not self.truncated:
            found.append(Fault("metadata", "there is none: reindex it", METADATA, 0))
        return tuple(found)

    @property
    def truncated(self) -> bool:
        """Whether a file ends in the middle of its data."""
        return any(reader.truncated_at is not None for reader in self.readers)

    @property
    def unreadable(self) -> bool:
        """Whether none of its files is one."""
        return all(any(one.reason == "no_bag" for one in each.faults) for each in self.readers)

    @property
    def attachments(self) -> tuple[Attachment, ...]:
        """The files within it, in their order."""
        return tuple(one for reader in self.readers for one in reader.attachments)

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The topics of all of its files."""
        return tuple(one for reader in self.readers for one in reader.channels.values())

    @property
    def libraries(self) -> tuple[str, ...]:
        """Who says to have written its files."""
        return tuple(reader.library for reader in self.readers)

    @property
    def span(self) -> tuple[int, int] | None:
        """First and last time of recording, nanoseconds."""
        spans = [reader.span for reader in self.readers if reader.span]
        if not spans:
            return None
        return min(first for first, _ in spans), max(last for _, last in spans)

    def messages(self) -> Iterator[Recorded]:
        """Yield its messages, file by file, each in its order."""
        self.readers, number = [], 0
        for path in self.files:
            reader = _open(path, number)
            self.readers.append(reader)
            yield from reader.messages()
            number += sum(reader.counts.values())

    def metadata(self) -> bytes:
        """Return the metadata.yaml that belongs to what was read; for files of MCAP only."""
        if not all(isinstance(reader, McapReader) for reader in self.readers):
            raise Misuse("only bags of MCAP are indexed anew.", remedy="Use ros2 bag reindex.")
        counts: Counter[str] = Counter()
        channels: dict[str, Channel] = {}
        for reader in self.readers:
            for channel in reader.channels.values():
                channels.setdefault(channel.topic, channel)
                counts[channel.topic] += reader.counts[channel.number]
        files = [
            (reader.name, sum(reader.counts.values()), reader.span or (0, 0))
            for reader in self.readers
        ]
        return write_metadata([(one, counts[topic]) for topic, one in channels.items()], files)


def reindex(folder: Path) -> int:
    """Write a folder's metadata.yaml anew from its files; return how many messages they have."""
    bag = Bag(folder)
    count = sum(1 for _ in bag.messages())
    if bag.unreadable or not folder.is_dir():
        raise Misuse(f"{folder} is no folder with files of a bag.")
    try:
        (folder / METADATA).write_bytes(bag.metadata())
    except OSError as error:
        raise Misuse(f"cannot write {folder / METADATA}: {error.strerror}.") from error
    return count


def _metadata(folder: Path) -> Metadata | Misuse | None:
    path = folder / METADATA
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            return parse_metadata(file.read(MAX_METADATA_BYTES + 1))
    except OSError as error:
        raise Misuse(f"cannot read {path}: {error.strerror}.") from error
    except Misuse as error:
        return error


def _files(path: Path, told: Metadata | Misuse | None) -> list[Path]:
    """Return a bag's files in their order: all that are there, named or not."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise Misuse(f"there is no bag {path}.")
    there = {one.name: one for one in path.iterdir() if one.suffix in _SUFFIXES and one.is_file()}
    if not there:
        packed = any(one.suffix == ".zstd" for one in path.iterdir())
        raise Misuse(
            f"{path} holds no .mcap or .db3 file.",
            remedy="Unpack them first: zstd -d --rm FILE." if packed else "Name a bag's folder.",
        )
    listed = [Path(name).name for name in told.listed] if isinstance(told, Metadata) else []
    named = [name for name in dict.fromkeys(listed) if name in there]
    return [there[name] for name in (*named, *sorted(there.keys() - set(named), key=_place))]


def _place(name: str) -> tuple[int, str]:
    number = re.search(r"_([0-9]{1,9})\.[a-z0-9]+\Z", name)
    return (int(number[1]) if number else -1), name


def _open(path: Path, number: int) -> McapReader | SqliteReader:
    with path.open("rb") as file:
        begins = file.read(len(_SQLITE_MAGIC))
    if begins == _SQLITE_MAGIC or (path.suffix == ".db3" and not begins.startswith(MAGIC)):
        return SqliteReader(path, number)
    return McapReader(path, number)


def _differences(told: Metadata, readers: list[McapReader | SqliteReader]) -> Iterator[Fault]:
    """Yield what metadata.yaml says otherwise than the files do."""

    def fault(what: str) -> Fault:
        return Fault("metadata", what, METADATA, 0)

    if told.compression_mode:
        yield fault(f"messages are packed ({told.compression!r}), which isn't read here")
    names = {reader.name for reader in readers}
    for name in told.listed:
        if Path(name).name not in names:
            yield fault(f"the file {name[:80]!r} is missing")
    for name in sorted(names - {Path(name).name for name in told.listed}):
        yield fault(f"the file {name[:80]!r} isn't named there")
    yield from (fault(what) for what in _topic_differences(told, readers))
    spans = [reader.span for reader in readers if reader.span]
    if spans:
        first, last = min(one for one, _ in spans), max(other for _, other in spans)
        begins = abs(told.start_ns - first) > _LATE_NS
        if begins or abs(told.start_ns + told.duration_ns - last) > _LATE_NS:
            yield fault("it states another time than the files do")
    yield from (fault(what) for what in _file_differences(told.files, readers))


def _file_differences(
    told: tuple[FileInfo, ...], readers: list[McapReader | SqliteReader]
) -> Iterator[str]:
    by_name = {reader.name: reader for reader in readers}
    for one in told:
        reader = by_name.get(Path(one.path).name)
        if reader is not None and sum(reader.counts.values()) != one.messages:
            yield f"{one.path[:80]}: it counts {one.messages} messages, and there are others"


def _topic_differences(told: Metadata, readers: list[McapReader | SqliteReader]) -> Iterator[str]:
    counts: Counter[tuple[str, str, str]] = Counter()
    hashes: dict[str, str] = {}
    for reader in readers:
        for one in reader.channels.values():
            counts[one.topic, one.type_name, one.encoding] += reader.counts[one.number]
            hashes.setdefault(one.topic, one.type_hash)
    said = Counter({(one.topic, one.type_name, one.encoding): one.messages for one in told.topics})
    for key in sorted(counts.keys() | said.keys()):
        if counts[key] != said[key]:
            where = f"{key[0][:80]} ({key[1][:80]})"
            yield f"{where}: it counts {said[key]} messages, and there are {counts[key]}"
    for topic in told.topics:
        if topic.type_hash and hashes.get(topic.topic, "") not in ("", topic.type_hash):
            yield f"{topic.topic[:80]}: it states another type hash than the file"
    total = sum(counts.values())
    if told.messages != total:
        yield f"it counts {told.messages} messages, and there are {total}"
