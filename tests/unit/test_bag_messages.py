# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Layouts of messages, held against their definitions by another implementation of CDR."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import numpy as np
import pytest

from swarm_ledger.bags.definitions import definition_of
from swarm_ledger.bags.messages import (
    HASHES,
    KNOWN,
    OURS,
    SIGNED,
    CompressedTold,
    parse,
    write_compressed,
)
from swarm_ledger.errors import Misuse, PeerFault
from tests.bags import MESSAGES


@cache
def store() -> Any:
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    found = get_typestore(Stores.ROS2_HUMBLE)
    for path in sorted(MESSAGES.glob("*.msg")):
        found.register(get_types_from_msg(path.read_text(), f"{OURS}{path.stem}"))
    return found


def example(name: str, salt: int = 0) -> Any:
    """A message of a type, with something else in each field."""
    kind = store().types[name]
    values: dict[str, Any] = {}
    for place, (field, hint) in enumerate(kind.__annotations__.items(), salt + 1):
        if field.isupper():
            continue
        values[field] = _value(str(hint), place)
    return kind(**values)


def _value(hint: str, place: int) -> Any:
    inner = re.search(r"(\w+__msg__\w+)", hint)
    if inner:
        return example(inner[1].replace("__", "/"), place)
    if "list[str]" in hint:
        return [f"a{place}", "bc"]
    if "str" in hint:
        return "x" * place
    if "ndarray" in hint:
        kind = re.search(r"np\.dtype\[np\.(\w+)\]", hint)
        return np.arange(
            32 if kind and kind[1] == "uint8" else 3, dtype=kind[1] if kind else np.uint8
        )
    if "float" in hint:
        return place / 4
    if "bool" in hint:
        return True
    return place


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_a_layout_is_that_of_its_definition(name: str) -> None:
    assert HASHES[name] == store().hash_rihs01(name)
    message = example(name)
    raw = bytes(store().serialize_cdr(message, name))
    told = parse(name, raw)
    written = {v if not isinstance(v, np.ndarray) else tuple(v.tolist()) for v in _flat(message)}
    read = {tuple(v) if isinstance(v, bytes) else v for v in _told(told)}
    assert read <= written | {place * 1_000_000_000 + place + 1 for place in range(40)}, (
        read - written
    )
    for cut in range(len(raw)):
        with pytest.raises(PeerFault, match=r"."):
            parse(name, raw[:cut])
    with pytest.raises(PeerFault, match="goes on"):
        parse(name, raw + bytes(4))


def _flat(message: Any) -> list[Any]:
    found: list[Any] = []
    for name in message.__annotations__:
        value = getattr(message, name)
        if hasattr(value, "__msgtype__"):
            found += _flat(value)
        else:
            found.append(tuple(value) if isinstance(value, list) else value)
    return found


def _told(told: Any) -> list[Any]:
    found: list[Any] = []
    for name in getattr(told, "__struct_fields__", None) or told.__slots__:
        found.append(getattr(told, name))
    return found


def test_big_endian_is_read_as_well() -> None:
    message = example(SIGNED)
    raw = bytes(store().serialize_cdr(message, SIGNED, little_endian=False))
    assert parse(SIGNED, raw) == parse(SIGNED, bytes(store().serialize_cdr(message, SIGNED)))


def test_what_states_more_than_it_has_is_refused() -> None:
    for raw in (b"", b"\0\1\0\0", b"\0\3\0\0" + bytes(40), b"\0\1\0\0" + b"\xff" * 64):
        for name in KNOWN:
            with pytest.raises(PeerFault):
                parse(name, raw)


def test_a_packed_image_is_written_as_it_is_read() -> None:
    told = CompressedTold(1_700_000_000_123_456_789, "drone_1/camera", "rgb8; png", b"\x89PNG...")
    name = "sensor_msgs/msg/CompressedImage"
    raw = write_compressed(told)
    assert parse(name, raw) == told
    found = store().deserialize_cdr(raw, name)
    assert (found.format, found.header.frame_id, bytes(found.data)) == (
        told.format,
        told.frame,
        told.data,
    )


def test_a_definition_brings_what_it_is_made_of() -> None:
    known = {
        "a_msgs/msg/A": "# about\nstd_msgs/Header header\nB[] bs  # many\nstring<=3 s\n",
        "std_msgs/msg/Header": "builtin_interfaces/Time stamp\nstring frame_id\n",
        "builtin_interfaces/msg/Time": "int32 sec\nuint32 nanosec\n",
        "a_msgs/msg/B": "float64[3] x\n",
    }
    text = definition_of("a_msgs/msg/A", known.get)
    parts = text.split("=" * 80 + "\nMSG: ")
    assert [part.split("\n")[0] for part in parts[1:]] == [
        "std_msgs/Header",
        "a_msgs/B",
        "builtin_interfaces/Time",
    ]
    with pytest.raises(Misuse, match="isn't installed"):
        definition_of("a_msgs/msg/A", {"a_msgs/msg/A": "b_msgs/C c\n"}.get)
