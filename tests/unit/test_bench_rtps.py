# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""How the bench tells discovery from data, by packets made by hand."""

from __future__ import annotations

import struct

import pytest

from bench.rtps import Traffic, parse, process_of

SENDER = bytes.fromhex("010f78fd") + (4242).to_bytes(2, "little") + bytes(6)
SPDP, SEDP, USER = 0x000100C2, 0x000003C2, 0x00001203


def submessage(writer: int, *, little: bool = True, kind: int = 0x15, last: bool = False) -> bytes:
    body = bytes(8) + writer.to_bytes(4, "big") + bytes(12)
    length = 0 if last else len(body)
    return struct.pack("<BBH" if little else ">BBH", kind, int(little), length) + body


def packet(port: int, *parts: bytes, payload: bytes | None = None, proto: int = 17) -> bytes:
    message = b"RTPS\x02\x03\x01\x0f" + SENDER + b"".join(parts) if payload is None else payload
    head = struct.pack("!BBHHHBBH8s", 0x45, 0, 28 + len(message), 0, 0, 1, proto, 0, bytes(8))
    return head + struct.pack("!HHHH", 5555, port, 8 + len(message), 0) + message


@pytest.mark.parametrize(
    ("offset", "parts", "kind"),
    [
        (0, [submessage(SPDP)], "spdp"),
        (10, [submessage(SPDP, little=False)], "spdp"),
        (12, [submessage(0, kind=0x09), submessage(SEDP)], "sedp"),
        (10, [submessage(SEDP, last=True)], "sedp"),
        (10, [submessage(0x000200C2)], "liveliness"),
        (10, [submessage(0, kind=0x06)], "acknowledgements"),
        (11, [submessage(USER)], "data"),
        (13, [submessage(USER, kind=0x16)], "data"),
        (1, [], "data"),
    ],
)
def test_kinds(offset: int, parts: list[bytes], kind: str) -> None:
    found = parse(packet(7400 + 250 * 42 + offset, *parts))
    assert found is not None
    assert found.kind(42) == kind
    assert found.kind(41) == found.kind(43) == ""
    assert process_of(found.sender) == 4242
    traffic = Traffic()
    traffic.count(found, kind)
    assert traffic.packets == {kind: 1}
    assert traffic.bytes[kind] == found.length == len(packet(0, *parts))
    assert traffic.senders == {SENDER}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x60" + bytes(60),
        packet(17910, payload=b"RTPS"),
        packet(17910, payload=b"HTTP" + bytes(40)),
        packet(17910, submessage(USER), proto=6),
        packet(17910, submessage(USER))[:40],
    ],
)
def test_what_is_not_rtps_is_left_out(raw: bytes) -> None:
    assert parse(raw) is None


def test_what_is_cut_off_or_lies_about_its_length_ends_the_reading() -> None:
    lying = struct.pack("<BBH", 0x15, 1, 60_000) + bytes(8) + SPDP.to_bytes(4, "big")
    found = parse(packet(7410, lying))
    assert found is not None
    assert found.writers == (SPDP,)
    found = parse(packet(7410, submessage(SEDP))[:-20])
    assert found is not None
    assert found.writers == ()
