# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""metadata.yaml, which makes a folder a bag: what rosbag2 shows, and looks for files in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import yaml

from swarm_ledger.bags.form import MAX_NAME_BYTES, MAX_TOPICS, Channel
from swarm_ledger.errors import Misuse

METADATA = "metadata.yaml"
VERSION = 8
"""The last one whose QoS is one text, which all of Humble, Jazzy and Kilted read."""
MAX_METADATA_BYTES = 4 << 20
_MAX_DEPTH = 16
_MAX_FILES = 10_000


@dataclass(frozen=True, slots=True)
class TopicInfo:
    """A topic as metadata.yaml has it."""

    topic: str
    type_name: str
    encoding: str
    qos: str
    type_hash: str
    messages: int


@dataclass(frozen=True, slots=True)
class FileInfo:
    """A file of a bag as metadata.yaml has it."""

    path: str
    messages: int
    start_ns: int
    duration_ns: int


@dataclass(frozen=True)
class Metadata:
    """What metadata.yaml says. files: in their order; listed: those it tells nothing more of."""

    storage: str
    start_ns: int
    duration_ns: int
    messages: int
    topics: tuple[TopicInfo, ...]
    files: tuple[FileInfo, ...]
    listed: tuple[str, ...]
    compression: str = ""
    compression_mode: str = ""


class _Nanoseconds(msgspec.Struct):
    nanoseconds: int


class _Since(msgspec.Struct):
    nanoseconds_since_epoch: int


class _Topic(msgspec.Struct):
    name: str
    type: str
    serialization_format: str
    offered_qos_profiles: Any = ""
    type_description_hash: str = ""


class _Counted(msgspec.Struct):
    topic_metadata: _Topic
    message_count: int


class _File(msgspec.Struct):
    path: str
    starting_time: _Since
    duration: _Nanoseconds
    message_count: int


class _Information(msgspec.Struct):
    version: int
    storage_identifier: str
    duration: _Nanoseconds
    starting_time: _Since
    message_count: int
    topics_with_message_count: list[_Counted]
    relative_file_paths: list[str]
    files: list[_File] = []
    compression_format: str | None = ""
    compression_mode: str | None = ""


class _Document(msgspec.Struct):
    rosbag2_bagfile_information: _Information


def parse_metadata(data: bytes) -> Metadata:
    """Read a metadata.yaml; Misuse for what is none."""
    try:
        if len(data) > MAX_METADATA_BYTES:
            raise ValueError(f"it has {len(data)} bytes")
        text = data.decode()
        check_shape(text)
        loaded = yaml.load(text, _LOADER)  # noqa: S506  - the safe one, in C where there is one
        said = msgspec.convert(loaded, _Document).rosbag2_bagfile_information
        if len(said.topics_with_message_count) > MAX_TOPICS or len(said.files) > _MAX_FILES:
            raise ValueError("it names too much")
    except (ValueError, yaml.YAMLError, msgspec.ValidationError, RecursionError) as error:
        first = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise Misuse(f"{METADATA} can't be read: {first}.") from error
    return Metadata(
        said.storage_identifier,
        said.starting_time.nanoseconds_since_epoch,
        said.duration.nanoseconds,
        said.message_count,
        tuple(
            TopicInfo(
                one.topic_metadata.name[:MAX_NAME_BYTES],
                one.topic_metadata.type[:MAX_NAME_BYTES],
                one.topic_metadata.serialization_format,
                str(one.topic_metadata.offered_qos_profiles),
                one.topic_metadata.type_description_hash,
                one.message_count,
            )
            for one in said.topics_with_message_count
        ),
        tuple(
            FileInfo(
                one.path,
                one.message_count,
                one.starting_time.nanoseconds_since_epoch,
                one.duration.nanoseconds,
            )
            for one in said.files
        ),
        tuple(said.relative_file_paths[:_MAX_FILES]),
        said.compression_format or "",
        (said.compression_mode or "").upper().replace("NONE", ""),
    )


_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def check_shape(text: str) -> None:
    """Refuse what makes YAML's reader recurse or grow: rosbag2 writes neither."""
    depth = 0
    for event in yaml.parse(text, _LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _MAX_DEPTH or isinstance(event, yaml.AliasEvent):
            raise ValueError("it is nested too deeply, or has aliases")


def write_metadata(
    topics: Sequence[tuple[Channel, int]], files: Sequence[tuple[str, int, tuple[int, int]]]
) -> bytes:
    """Return a metadata.yaml for files of MCAP.

    topics: with how many messages; files: name, messages, first and last time in nanoseconds.
    """
    spans = [span for _, count, span in files if count]
    start = min((first for first, _ in spans), default=0)
    end = max((last for _, last in spans), default=0)
    information = {
        "version": VERSION,
        "storage_identifier": "mcap",
        "duration": {"nanoseconds": end - start},
        "starting_time": {"nanoseconds_since_epoch": start},
        "message_count": sum(count for _, count, _ in files),
        "topics_with_message_count": [
            {
                "topic_metadata": {
                    "name": channel.topic,
                    "type": channel.type_name,
                    "serialization_format": channel.encoding,
                    "offered_qos_profiles": channel.qos,
                    "type_description_hash": channel.type_hash,
                },
                "message_count": count,
            }
            for channel, count in topics
        ],
        "compression_format": "",
        "compression_mode": "",
        "relative_file_paths": [name for name, _, _ in files],
        "files": [
            {
                "path": name,
                "starting_time": {"nanoseconds_since_epoch": first},
                "duration": {"nanoseconds": last - first},
                "message_count": count,
            }
            for name, count, (first, last) in files
        ],
        "custom_data": None,
        "ros_distro": "",
    }
    text: str = yaml.safe_dump({"rosbag2_bagfile_information": information}, sort_keys=False)
    return text.encode()
