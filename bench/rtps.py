# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What DDS sends over loopback, counted as it passes: discovery apart from data.

Ports tell them apart (RTPS 2.5, 9.6.2.3): metatraffic is at even numbers above a domain's first,
user traffic at odd ones. Of metatraffic, the writer of each DATA says whether it announces
participants (SPDP), their topics (SEDP), or that a publisher of theirs is alive.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType

FIRST_PORT, PORTS_A_DOMAIN = 7400, 250
DISCOVERY = ("spdp", "sedp", "liveliness", "acknowledgements")
_HEADER = 20
_DATA, _DATA_FRAG = 0x15, 0x16
_SPDP = {0x000100C2, 0xFF0101C2}
_SEDP = {0x000003C2, 0x000004C2, 0xFF0003C2, 0xFF0004C2}
_ALIVE = {0x000200C2, 0xFF0200C2}
_OUTGOING, _RCVBUFFORCE = 4, 33
_ETH_IP, _UDP = 0x0800, 17
_SOL_PACKET, _STATISTICS = 263, 6


@dataclass(frozen=True)
class Packet:
    """An RTPS message. sender: its participant's GUID prefix; length: with IP and UDP headers."""

    sender: bytes
    port: int
    length: int
    writers: tuple[int, ...]

    def kind(self, domain: int) -> str:
        """Return what it is: one of DISCOVERY, or "data"; "" for another domain's."""
        offset = self.port - FIRST_PORT - PORTS_A_DOMAIN * domain
        if not 0 <= offset < PORTS_A_DOMAIN:
            return ""
        if offset % 2:
            return "data"
        if _SPDP.intersection(self.writers):
            return "spdp"
        if _SEDP.intersection(self.writers):
            return "sedp"
        return "liveliness" if _ALIVE.intersection(self.writers) else "acknowledgements"


def parse(packet: bytes) -> Packet | None:
    """Read an IPv4 packet; None if it is no RTPS over UDP, or cut off before its header."""
    if len(packet) < 20 or packet[0] >> 4 != 4 or packet[9] != _UDP:
        return None
    start = (packet[0] & 15) * 4
    payload = packet[start + 8 :]
    if len(payload) < _HEADER or payload[:4] != b"RTPS":
        return None
    (port,) = struct.unpack_from("!H", packet, start + 2)
    (length,) = struct.unpack_from("!H", packet, 2)
    return Packet(payload[8:20], port, length, tuple(_writers(payload)))


def _writers(message: bytes) -> Iterator[int]:
    """Yield the entity ids of those who wrote the data in a message."""
    place = _HEADER
    while place + 4 <= len(message):
        kind, flags = message[place], message[place + 1]
        (length,) = struct.unpack_from("<H" if flags & 1 else ">H", message, place + 2)
        if kind in (_DATA, _DATA_FRAG) and place + 16 <= len(message):
            yield int.from_bytes(message[place + 12 : place + 16], "big")
        if not length:  # the last one, up to the end
            return
        place += 4 + length


@dataclass
class Traffic:
    """Packets and bytes by kind; who took part."""

    packets: Counter[str] = field(default_factory=Counter)
    bytes: Counter[str] = field(default_factory=Counter)
    senders: set[bytes] = field(default_factory=set)

    def count(self, packet: Packet, kind: str) -> None:
        """Count a packet."""
        self.packets[kind] += 1
        self.bytes[kind] += packet.length
        self.senders.add(packet.sender)


class Capture:
    """Counts what passes on loopback in a domain, in a thread of its own; needs CAP_NET_RAW.

    sensors: whose data is not between drones: of processes with these ids, low 16 bits.
    """

    def __init__(self, domain: int) -> None:
        self._domain, self._stopped = domain, False
        self._lock, self._now = threading.Lock(), Traffic()
        self.sensors: set[int] = set()
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_IP))
        self._socket.setsockopt(socket.SOL_SOCKET, _RCVBUFFORCE, 1 << 25)
        self._socket.bind(("lo", _ETH_IP))
        self._socket.settimeout(0.2)
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def cut(self) -> Traffic:
        """Return what passed since the last cut."""
        with self._lock:
            before, self._now = self._now, Traffic()
        return before

    def lost(self) -> int:
        """Return how many packets the kernel had no room for, since this was asked last."""
        said = self._socket.getsockopt(_SOL_PACKET, _STATISTICS, 8)
        return int(struct.unpack("II", said)[1])

    def _listen(self) -> None:
        while not self._stopped:
            try:
                raw, address = self._socket.recvfrom(2048)
            except TimeoutError:
                continue
            if address[2] == _OUTGOING:  # loopback shows each packet twice
                continue
            packet = parse(raw)
            if packet is None:
                continue
            kind = packet.kind(self._domain)
            if kind == "data" and process_of(packet.sender) in self.sensors:
                kind = "sensors"
            if kind:
                with self._lock:
                    self._now.count(packet, kind)

    def __enter__(self) -> Capture:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopped = True
        self._thread.join()
        self._socket.close()


def process_of(sender: bytes) -> int:
    """Return the low 16 bits of the process id that Fast DDS puts into its GUID prefixes."""
    return int.from_bytes(sender[4:6], "little")
