# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""recorder: what a swarm says, into a bag of MCAP. A process of its own, which no drone needs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy, qos_profile_sensor_data

from swarm_ledger.bags.choosing import Choice
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
    STATUS,
    parse,
)
from swarm_ledger.bags.qos import Offered, write_qos
from swarm_ledger.bags.recording import MOST_TOPICS, Recording, Topic
from swarm_ledger.errors import Misuse, PeerFault
from swarm_ledger.identity.roster import MAX_MEMBERS
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

CLOCK = "rosgraph_msgs/msg/Clock"
_PICTURES = frozenset((IMAGE, COMPRESSED))
_LOOK_S = 0.2
_AT_ONCE = 1_000
_OBSERVED, _CAMERA = "/observation", "/camera/image"
_ENDINGS = {
    _OBSERVED: OBSERVATION,
    "/status": STATUS,
    _CAMERA: IMAGE,
    f"{_CAMERA}/compressed": COMPRESSED,
}
"""What is said on topics of drones."""
_USUAL = {f"{INBOX}/*": ENVELOPE, **{f"*{ending}": kind for ending, kind in _ENDINGS.items()}}
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
        self._images, self._gallery = self.given.flag("images"), Gallery()
        path = self.given.text("fleet")
        self._fleet = Fleet.load(Path(path)) if path else None
        self._choice, self._told_crowded = self._choose(), False
        attached = roster_files(self._fleet, self._now_ns()) if self._fleet else []
        self._recording = Recording(
            Path(self.given.text("bag")),
            max_bytes=self.given.whole("max_bytes"),
            attached=attached,
        )

    def start(self) -> None:
        """Listen."""
        self._choice.begin()
        for name, (type_name, qos) in _FIRST.items():
            if self._choice.open(name):
                self._listen(name, type_name, qos)
        for entry in self._fleet.file.drones if self._fleet else ():
            if self._choice.open(f"{INBOX}/{entry.name}"):
                self._listen(f"{INBOX}/{entry.name}", ENVELOPE, ENVELOPES)
            if self._images:
                self._listen(f"/{entry.name}{_CAMERA}", IMAGE, qos_profile_sensor_data)
        self.create_timer(_LOOK_S, self._look)
        self._look()

    def _choose(self) -> Choice:
        """Return which topics are recorded: those of the fleet's drones whatever else there is."""
        names = [entry.name for entry in self._fleet.file.drones] if self._fleet else []
        house = {name: type_name for name, (type_name, _) in _FIRST.items()} | {"/clock": CLOCK}
        house |= {f"{INBOX}/{name}": ENVELOPE for name in names}
        house |= {f"/{name}{ending}": kind for name in names for ending, kind in _ENDINGS.items()}
        pictures = [name for name, kind in house.items() if kind in _PICTURES]
        said = [one for one, kind in _USUAL.items() if self._images or kind not in _PICTURES]
        return Choice(
            tuple(self.given.texts("topics")) or TOPICS,
            house,
            usual=_USUAL,
            most=MOST_TOPICS,
            beside=pictures if self._images else (),
            rooms={} if self._fleet else dict.fromkeys(said, MAX_MEMBERS),
        )

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

    def _look(self) -> None:
        """Find topics that have appeared, and let what is old enough reach the disk."""
        for name, types in self.get_topic_names_and_types():
            picture = self._images and _CAMERA in name and not _PICTURES.isdisjoint(types)
            if self._choice.open(name, types, also=picture):
                self._adopt(name)
        if self._choice.crowded and not self._told_crowded:
            self._told_crowded = True
            self.get_logger().warning(
                f"there are more topics than the {MOST_TOPICS} that are recorded; only those of "
                "the `fleet` that is named, and those that `topics` names in full, are recorded "
                "for certain"
            )
        if self._recording is not None:
            self._recording.tick(time.monotonic_ns())

    def _adopt(self, name: str) -> None:
        matches = self._choice.matches(name)
        publishers = [
            one
            for one in self.get_publishers_info_by_topic(name)
            if matches or one.topic_type in _PICTURES
        ]
        type_name = self._choice.type_of(name, [one.topic_type for one in publishers])
        if type_name is None:
            return
        own = [one for one in publishers if one.topic_type == type_name]
        if own != publishers:
            types = ", ".join(sorted({one.topic_type for one in publishers}))
            self.get_logger().warning(f"{name} is announced as {types}: {type_name} is recorded")
        try:
            qos = qos_profile_sensor_data if type_name in _PICTURES else adapted(own)
            self._listen(name, type_name, qos)
        except Misuse as error:
            self._choice.take(name)
            self.get_logger().warning(f"{name} is not recorded: {error.explain()}")

    def _listen(self, name: str, type_name: str, qos: QoSProfile) -> None:
        kind = message_class(type_name)
        evidence = type_name in _PICTURES and not self._choice.matches(name)
        take = self._take_image if evidence else self._take

        def hear(raw: bytes, info: Any) -> None:
            take(name, type_name, raw, info)
            for _ in range(_AT_ONCE):  # the executor takes far longer over each than we do
                taken = subscription.handle.take_message(kind, True)
                if taken is None:
                    return
                take(name, type_name, *taken)

        subscription = self.create_subscription(kind, name, hear, qos, raw=True)
        self._choice.take(name, type_name)

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
        publishers = [
            one
            for one in self.get_publishers_info_by_topic(source)
            if name != source or one.topic_type == type_name
        ]
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
