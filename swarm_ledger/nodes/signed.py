# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Where signed messages travel, as what, and what of ROS's own is never relayed."""

from __future__ import annotations

import importlib.util
import re
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import rclpy
from builtin_interfaces.msg import Time
from rclpy.context import Context
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from swarm_interfaces.msg import SignedMessage

from swarm_ledger.errors import Misuse
from swarm_ledger.nodes.declaring import Given
from swarm_ledger.relay.statement import Notarised, micros

VERIFIED_PREFIX = "verified"

_DEPTH = 100
_TYPE = re.compile(r"([A-Za-z][A-Za-z0-9_]{0,127})/msg/[A-Z][A-Za-z0-9]{0,127}", re.ASCII)
_SAME_DOMAIN = -1
_OURS = ("/swarm/", "/rosout", "/parameter_events", "/diagnostics")
_OUR_TYPES = tuple(f"swarm_interfaces/msg/{n}" for n in ("SignedMessage", "Envelope", "Rejection"))


def relayable(topic: str, types: Sequence[str]) -> bool:
    """Whether a topic may be relayed: not what relays, receivers and ROS itself say.

    A relay that signed what a receiver verified would send it round and round.
    """
    verified = f"/{VERIFIED_PREFIX}/" in topic
    return not (verified or topic.startswith(_OURS) or any(one in _OUR_TYPES for one in types))


def message_class(type_name: str) -> Any:
    """Return the class of "package/msg/Name"; Misuse if it isn't installed here."""
    try:
        return getattr(_messages_of(_package_of(type_name)), type_name.rpartition("/")[2])
    except (ImportError, AttributeError) as error:
        raise Misuse(
            f"the type {type_name[:80]!r} isn't installed here.",
            remedy="Source its workspace first.",
        ) from error


def _package_of(type_name: str) -> str:
    """Return the package in "package/msg/Name"; ImportError for what is no name of that form."""
    form = _TYPE.fullmatch(type_name)
    if form is None:
        raise ImportError(type_name)
    return form[1]


def _messages_of(package: str) -> Any:
    """Import a package's messages. What has none is not imported at all.

    The name comes from a publisher or a bag, so from anybody, and an import runs what it finds.
    """
    found = importlib.util.find_spec(package)
    places = found.submodule_search_locations if found else None
    if not any((Path(place) / "msg" / "__init__.py").is_file() for place in places or ()):
        raise ImportError(package)
    return importlib.import_module(f"{package}.msg")


def publisher_of(info: Any) -> bytes:
    """Return what DDS calls a message's publisher, empty where rclpy doesn't tell (Humble)."""
    gid = info.get("publisher_gid") if isinstance(info, dict) else None
    return bytes(gid["data"]) if gid else b""


def adapted(publishers: Sequence[Any]) -> QoSProfile:
    """Return the strongest QoS that hears all of a topic's publishers (TopicEndpointInfo)."""
    offered = [publisher.qos_profile for publisher in publishers]
    reliable = all(one.reliability == ReliabilityPolicy.RELIABLE for one in offered)
    latched = all(one.durability == DurabilityPolicy.TRANSIENT_LOCAL for one in offered)
    return QoSProfile(
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
        history=HistoryPolicy.KEEP_LAST,
        depth=_DEPTH,
    )


def type_hash(publisher: Any) -> str:
    """Return the hash of a publisher's type (REP 2016), empty where there is none (Humble)."""
    found = str(getattr(publisher, "topic_type_hash", ""))
    return found if found.startswith("RIHS01_") else ""


def signed_message(notarised: Notarised) -> SignedMessage:
    """Return a notarised message as it is published."""
    seconds, micros = divmod(notarised.stamp_us, 1_000_000)
    message = SignedMessage(
        topic=notarised.topic,
        type=notarised.type_name,
        type_hash=notarised.type_hash,
        sequence=notarised.sequence,
    )
    message.header.stamp = Time(sec=seconds, nanosec=micros * 1_000)
    message.data = array("B", notarised.data)
    message.envelope.kind = notarised.sealed[0]
    message.envelope.swarm_id = notarised.swarm_id
    message.envelope.epoch = notarised.epoch
    message.envelope.data = array("B", notarised.sealed)
    return message


def notarised_message(message: SignedMessage) -> Notarised:
    """Return what arrived, to be verified; PeerFault("malformed") for a stamp that isn't ours."""
    stamp = message.header.stamp
    return Notarised(
        topic=message.topic,
        type_name=message.type,
        type_hash=message.type_hash,
        sequence=message.sequence,
        stamp_us=micros(stamp.sec, stamp.nanosec),
        data=bytes(message.data),
        swarm_id=message.envelope.swarm_id,
        epoch=message.envelope.epoch,
        sealed=bytes(message.envelope.data),
    )


class Radio:
    """The node that is on the air: `node` itself, or another one in a domain of its own.

    In one domain with the drone's own topics, whoever is on the air can publish on these as well,
    and a relay would sign it.
    """

    def __init__(self, node: Node, given: Given) -> None:
        domain = given.whole("radio_domain")
        self.topic = node.resolve_topic_name(given.text("signed_topic"))
        self._context: Context | None = None
        self.node = node
        if domain != _SAME_DOMAIN:
            self._context = Context()
            rclpy.init(args=[], context=self._context, domain_id=domain)
            self.node = Node(f"{node.get_name()}_radio", context=self._context)

    def close(self) -> None:
        """Leave the air."""
        if self._context is not None:
            self.node.destroy_node()
            self._context.try_shutdown()
