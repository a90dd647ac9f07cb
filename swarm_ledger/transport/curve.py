# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Who may use the links: ZeroMQ CURVE (CurveZMQ, RFC 26) with the keys that rosters list.

Each drone is a CURVE server to those who send to it, and a client of those to whom it sends, with
one key for both. Who proves an unknown key is refused by ZAP (RFC 27) before any message passes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import zmq
from zmq.auth.thread import ThreadAuthenticator
from zmq.utils import z85

from swarm_ledger.errors import Misuse
from swarm_ledger.identity.channel import ChannelKeys
from swarm_ledger.identity.roster import Roster

HANDSHAKE_MS = 5_000
"""Who has not proven its key by then is cut off."""

_DOMAIN = "swarm"


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
    """Answers libzmq whether a key may come in, in a thread of pyzmq's; for one context.

    refused: the last keys that might not.
    """

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], admitted: frozenset[bytes]
    ) -> None:
        self.refused: deque[bytes] = deque(maxlen=8)
        self.admit(admitted)
        self._authenticator = ThreadAuthenticator(context)
        self._authenticator.start()
        self._authenticator.configure_curve_callback(_DOMAIN, self)

    def admit(self, keys: frozenset[bytes]) -> None:
        """Let these in from now on; whoever is in already stays."""
        self._admitted = frozenset(map(z85.encode, keys))

    def callback(self, domain: str, key: bytes) -> bool:
        """Whether that key (Z85) may come in; called by pyzmq."""
        admitted = key in self._admitted
        if not admitted:
            self.refused.append(z85.decode(key))
        return admitted

    def close(self) -> None:
        """End the thread; whoever comes then is refused."""
        self._authenticator.stop()
