# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Who may use the links: ZeroMQ CURVE (CurveZMQ, RFC 26) with the keys that rosters list.

Each drone is a CURVE server to those who send to it, and a client of those to whom it sends, with
one key for both. Who proves an unknown key is refused by ZAP (RFC 27) before any message passes.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import zmq

from swarm_ledger.errors import Misuse
from swarm_ledger.identity.channel import ChannelKeys
from swarm_ledger.identity.roster import Roster

HANDSHAKE_MS = 5_000
"""Who has not proven its key by then is cut off."""

_DOMAIN = "swarm"
_ZAP_FRAMES = 7
_ZAP, _ZAP_VERSION = "inproc://zeromq.zap.01", b"1.0"


@dataclass(frozen=True)
class Curve:
    """Encrypted links. keys: our own; peers: a member's public keys, by its roster index.

    It has more than one while a roster that changes them is on its way. admitted: the public keys
    of those who may connect to us.
    """

    keys: ChannelKeys
    peers: Mapping[int, frozenset[bytes]]
    admitted: frozenset[bytes]

    @classmethod
    def among(cls, keys: ChannelKeys, rosters: Sequence[Roster]) -> Curve:
        """Link the members with roles in any of these rosters: that in force, and later ones.

        Misuse where libzmq was built without CURVE.
        """
        if not zmq.has("curve"):
            raise Misuse(
                "this libzmq has no CURVE, and the roster's links are encrypted.",
                remedy="Install pyzmq's own wheel, or a libzmq that was built with libsodium.",
            )
        peers: dict[int, frozenset[bytes]] = {}
        for roster in rosters:
            for member in roster.members:
                if member.roles and member.channel:
                    known = peers.get(member.index, frozenset())
                    peers[member.index] = known | {member.channel.curve}
        return cls(keys, peers, frozenset(key for some in peers.values() for key in some))

    def as_server(self, socket: zmq.Socket[bytes]) -> None:
        """Make a socket one that only those admitted get through to. Before it is bound."""
        socket.set(zmq.CURVE_SERVER, 1)
        socket.set(zmq.CURVE_SECRETKEY, self.keys.curve_secret)
        socket.set(zmq.ZAP_DOMAIN, _DOMAIN.encode())
        # Without it libzmq lets everybody in where nobody answers for ZAP.
        socket.set(zmq.ZAP_ENFORCE_DOMAIN, 1)

    def as_client(self, socket: zmq.Socket[bytes], server: bytes) -> None:
        """Make a socket one that speaks to whoever has that key alone. Before it connects."""
        socket.set(zmq.CURVE_PUBLICKEY, self.keys.curve)
        socket.set(zmq.CURVE_SECRETKEY, self.keys.curve_secret)
        socket.set(zmq.CURVE_SERVERKEY, server)


class Gate:
    """Answers libzmq whether a key may come in, in a thread of its own; for one context.

    By ZAP (RFC 27), without pyzmq's authenticator, which brings asyncio and OpenSSL along.
    refused: the last keys that might not.
    """

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], admitted: frozenset[bytes]
    ) -> None:
        self.refused: deque[bytes] = deque(maxlen=8)
        self.admit(admitted)
        self._asked = context.socket(zmq.REP)
        self._asked.set(zmq.LINGER, 0)
        self._asked.bind(_ZAP)
        end = f"inproc://gate.{id(self)}"
        self._over, self._end = context.socket(zmq.PAIR), context.socket(zmq.PAIR)
        self._over.bind(end)
        self._end.connect(end)
        self._thread = threading.Thread(target=self._answer, daemon=True)
        self._thread.start()

    def admit(self, keys: frozenset[bytes]) -> None:
        """Let these in from now on; whoever is in already stays."""
        self._admitted = keys

    def _answer(self) -> None:
        poller = zmq.Poller()
        poller.register(self._asked, zmq.POLLIN)
        poller.register(self._over, zmq.POLLIN)
        with suppress(zmq.ZMQError):  # where the context was destroyed before we were told
            while self._over not in dict(poller.poll()):
                request = self._asked.recv_multipart()
                number = request[1] if len(request) > 1 else b""
                verdict = (b"200", b"OK") if self._admits(request) else (b"400", b"refused")
                self._asked.send_multipart([_ZAP_VERSION, number, *verdict, b"", b""])

    def _admits(self, request: list[bytes]) -> bool:
        """Whether to let in who proved the key in a request.

        Its frames are version, number, domain, address, identity, mechanism and key.
        """
        if len(request) != _ZAP_FRAMES or request[0] != _ZAP_VERSION:
            return False
        domain, mechanism, key = request[2], request[5], request[6]
        if (domain, mechanism) != (_DOMAIN.encode(), b"CURVE"):
            return False
        if key in self._admitted:
            return True
        self.refused.append(key)
        return False

    def close(self) -> None:
        """End the thread; whoever comes then is refused."""
        self._end.send(b"")
        self._thread.join()
        for socket in (self._asked, self._over, self._end):
            socket.close(linger=0)
