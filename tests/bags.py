# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Bags of signed messages, written as ROS writes them, on a machine that may not have it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from swarm_ledger.bags.messages import SIGNED as SIGNED_TYPE
from swarm_ledger.relay.statement import Notarised
from tests.relayed import LATER_US

MESSAGES = Path(__file__).parents[1] / "ros2_ws" / "src" / "swarm_interfaces" / "msg"


def write_bag(path: Path, messages: Sequence[Notarised | bytes], mcap: bool = True) -> Path:
    """Write a bag as ROS would; bytes are written as they are, whatever they are."""
    from rosbags.rosbag2 import StoragePlugin, Writer
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    store = get_typestore(Stores.ROS2_HUMBLE)
    for name in ("Envelope", "SignedMessage"):
        text = (MESSAGES / f"{name}.msg").read_text()
        store.register(get_types_from_msg(text, f"swarm_interfaces/msg/{name}"))
    kinds = store.types

    def cdr(one: Notarised) -> bytes:
        stamp = kinds["builtin_interfaces/msg/Time"](
            sec=one.stamp_us // 1_000_000, nanosec=one.stamp_us % 1_000_000 * 1_000
        )
        envelope = kinds["swarm_interfaces/msg/Envelope"](
            kind=one.sealed[0],
            swarm_id=one.swarm_id,
            epoch=one.epoch,
            data=np.frombuffer(one.sealed, np.uint8),
        )
        message = kinds[SIGNED_TYPE](
            header=kinds["std_msgs/msg/Header"](stamp=stamp, frame_id=""),
            topic=one.topic,
            type=one.type_name,
            type_hash=one.type_hash,
            sequence=one.sequence,
            data=np.frombuffer(one.data, np.uint8),
            envelope=envelope,
        )
        return bytes(store.serialize_cdr(message, SIGNED_TYPE))

    plugin = StoragePlugin.MCAP if mcap else StoragePlugin.SQLITE3
    with Writer(path, version=9, storage_plugin=plugin) as writer:
        connection = writer.add_connection("/swarm/signed", SIGNED_TYPE, typestore=store)
        for number, one in enumerate(messages):
            raw = one if isinstance(one, bytes) else cdr(one)
            writer.write(connection, LATER_US * 1_000 + number, raw)
    return path
