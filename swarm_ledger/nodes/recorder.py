# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""recorder: what a swarm says, into a bag of MCAP. A process of its own, which no drone needs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy, qos_profile_sensor_data

from swarm_ledger.bags.definitions import definition_of
from swarm_ledger.bags.messages import (
    CHECKPOINT,
    COMPRESSED,
    DECISION,
    ENVELOPE,
    HASHES,
    IMAGE,
    OBSERVATION,
    QUESTION,
    SIGNED,
    parse,
)
from swarm_ledger.bags.qos import Offered, write_qos
from swarm_ledger.bags.recording import MOST_TOPICS, Recording, Topic
from swarm_ledger.errors import Misuse, PeerFault
from swarm_ledger.nodes.lifecycle import ManagedNode
from swarm_ledger.nodes.process import run
from swarm_ledger.nodes.qos import ENVELOPES, LATCHED
from swarm_ledger.nodes.qos import SIGNED as SIGNED_QOS
from swarm_ledger.nodes.signed import adapted, message_class, type_hash
from swarm_ledger.nodes.tables.recorder import TABLE
from swarm_ledger.nodes.transport import EVERYBODY, INBOX
from swarm_ledger.runtime.fleet import Fleet
from swarm_ledger.runtime.logbook import Gallery, Picture, proof_files, roster_files

TOPICS = ("/swarm/*", "*/observation", "*/status", "/clock")
"""What is recorded unless topics are named."""

_LOOK_S = 0.2
_AT_ONCE = 1_000
_OBSERVED, _CAMERA = "/observation", "/camera/image"
_FIRST: dict[str, tuple[str, QoSProfile]] = {
    EVERYBODY: (ENVELOPE, ENVELOPES),
    "/swarm/decisions": (DECISION, LATCHED),
    "/swarm/checkpoints": (CHECKPOINT, LATCHED),
    "/swarm/questions": (QUESTION, LATCHED),
    "/swarm/signed": (SIGNED, SIGNED_QOS),
}
"""Listened to before anybody speaks there: what is said first is not said again."""


class RecorderNode(ManagedNode):
    """Subscribes to what there is and what appears, with the QoS that is offered; see TABLE."""

    def __init__(self) -> None:
        super().__init__("recorder", TABLE)
        self._recording: Recording | None = None
        self._fleet: Fleet | None = None

    def open(self) -> None:
        """Begin the bag; Misuse where that can't be."""
        self._patterns = tuple(self.given.texts("topics")) or TOPICS
        self._images, self._gallery = self.given.flag("images"), Gallery()
        self._heard: set[str] = set()
        path = self.given.text("fleet")
        self._fleet = Fleet.load(Path(path)) if path else None
        attached = roster_files(self._fleet, self._now_ns()) if self._fleet else []
        self._recording = Recording(
            Path(self.given.text("bag")),
            max_bytes=self.given.whole("max_bytes"),
            attached=attached,
        )

    def start(self) -> None:
        """Listen."""
        self._heard.clear()
        for name, (type_name, qos) in _FIRST.items():
            if self._wanted(name, type_name):
                self._listen(name, type_name, qos)
        for entry in self._fleet.file.drones if self._fleet else ():
            if self._wanted(f"{INBOX}/{entry.name}", ENVELOPE):
                self._listen(f"{INBOX}/{entry.name}", ENVELOPE, ENVELOPES)
            if self._images:
                self._listen(f"/{entry.name}{_CAMERA}", IMAGE, qos_profile_sensor_data)
        self.create_timer(_LOOK_S, self._look)
        self._look()

    def close(self) -> None:
        """End the bag, with the proofs that can be had now."""
        recording, self._recording = self._recording, None
        if recording is not None:
            recording.close(proof_files(self._fleet, self._now_ns()) if self._fleet else ())
            self.get_logger().info(f"{recording.folder}: {recording.messages} messages")
            if recording.left_out:
                names = ", ".join(name for name, _ in recording.left_out.most_common(5))
                total = recording.left_out.total()
                said = f"{total} more, too large or of too many topics, are not in it: {names}"
                self.get_logger().warning(said)

    def _now_ns(self) -> int:
        return int(self.get_clock().now().nanoseconds)

    def _wanted(self, name: str, type_name: str) -> bool:
        if name in self._heard or "/_" in name or len(self._heard) >= MOST_TOPICS:
            return False
        images = self._images and type_name in (IMAGE, COMPRESSED) and _CAMERA in name
        return images or any(fnmatchcase(name, pattern) for pattern in self._patterns)

    def _look(self) -> None:
        """Find topics that have appeared, and let what is old enough reach the disk."""
        for name, types in self.get_topic_names_and_types():
            if len(types) == 1 and self._wanted(name, types[0]):
                self._adopt(name, types[0])
        if self._recording is not None:
            self._recording.tick(time.monotonic_ns())

    def _adopt(self, name: str, type_name: str) -> None:
        publishers = self.get_publishers_info_by_topic(name)
        if not publishers:
            return
        sensor = type_name in (IMAGE, COMPRESSED)
        try:
            self._listen(
                name, type_name, qos_profile_sensor_data if sensor else adapted(publishers)
            )
        except Misuse as error:
            self._heard.add(name)
            self.get_logger().warning(f"{name} is not recorded: {error.explain()}")

    def _listen(self, name: str, type_name: str, qos: QoSProfile) -> None:
        kind = message_class(type_name)
        evidence = type_name in (IMAGE, COMPRESSED) and not any(
            fnmatchcase(name, pattern) for pattern in self._patterns
        )
        take = self._take_image if evidence else self._take

        def hear(raw: bytes, info: Any) -> None:
            take(name, type_name, raw, info)
            for _ in range(_AT_ONCE):  # the executor takes far longer over each than we do
                taken = subscription.handle.take_message(kind, True)
                if taken is None:
                    return
                take(name, type_name, *taken)

        subscription = self.create_subscription(kind, name, hear, qos, raw=True)
        self._heard.add(name)

    def _take(self, name: str, type_name: str, raw: bytes, info: Any) -> None:
        now_ns = self._now_ns()
        if not now_ns:
            return  # simulated time has not begun
        published = info.get("source_timestamp", 0) if isinstance(info, dict) else 0
        self._write(name, name, type_name, Picture(type_name, raw, now_ns, published or now_ns))
        if self._images and type_name == OBSERVATION and name.endswith(_OBSERVED):
            space = name.removesuffix(_OBSERVED)
            self._keep(space, lambda: self._gallery.take_look(space, _stamp(raw)))

    def _take_image(self, name: str, type_name: str, raw: bytes, info: Any) -> None:
        now_ns = self._now_ns()
        picture = Picture(type_name, raw, now_ns, now_ns)
        space = name.partition(_CAMERA)[0]
        self._keep(space, lambda: self._gallery.take_image(space, picture))

    def _keep(self, space: str, find: Callable[[], Picture | None]) -> None:
        """Record an image if a drone judged it; one that can't be read is left out."""
        try:
            found = find()
        except (Misuse, PeerFault) as error:
            said = f"an image in {space} is not recorded: {error.explain()}"
            self.get_logger().warning(said, throttle_duration_sec=5.0)
            return
        if found is not None:
            name = f"{space}{_CAMERA}/compressed"
            self._write(name, f"{space}{_CAMERA}", COMPRESSED, found)

    def _write(self, name: str, source: str, type_name: str, one: Picture) -> None:
        if self._recording is None:
            return
        if not self._recording.has(name):
            self._recording.begin_topic(self._topic(name, source, type_name))
        steady_ns = time.monotonic_ns()
        self._recording.write(name, one.log_ns, one.data, one.published_ns, steady_ns)

    def _topic(self, name: str, source: str, type_name: str) -> Topic:
        publishers = self.get_publishers_info_by_topic(source)
        own = next((type_hash(one) for one in publishers if name == source), "")
        known = ENVELOPES if type_name == ENVELOPE else _FIRST.get(name, ("", LATCHED))[1]
        qos = write_qos([_offered(one.qos_profile, known.depth) for one in publishers])
        return Topic(
            name, type_name, definition_of(type_name, _find), qos, own or HASHES.get(type_name, "")
        )


def _stamp(raw: bytes) -> int:
    stamp_ns: int = parse(OBSERVATION, raw).stamp_ns
    return stamp_ns


def _offered(profile: QoSProfile, depth: int) -> Offered:
    """Return a publisher's QoS; its depth isn't told by discovery, so that of the house counts."""
    return Offered(
        profile.reliability == ReliabilityPolicy.RELIABLE,
        profile.durability == DurabilityPolicy.TRANSIENT_LOCAL,
        depth,
    )


def _find(type_name: str) -> str | None:
    """Return a type's .msg file from where ROS has it."""
    package, _, name = type_name.partition("/msg/")
    try:
        share = Path(get_package_share_directory(package))
        return (share / "msg" / f"{name}.msg").read_text()
    except (PackageNotFoundError, OSError):
        return None


def make() -> Sequence[Node]:
    """Return the recorder's node."""
    return (RecorderNode(),)


def main() -> None:
    """Record until Ctrl-C."""
    sys.exit(run(make))


if __name__ == "__main__":
    main()
