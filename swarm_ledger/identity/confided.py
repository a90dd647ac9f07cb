# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What somebody who shares no secret with members says to all of them: each has its share in it.

The secret is drawn for this one message, and named as no drone's ever is: their runs begin at 1.
It says nothing of who made it. That, only the signature inside tells.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from msgspec import Meta

from swarm_ledger.encoding import Record, decode, encode
from swarm_ledger.errors import PeerFault
from swarm_ledger.identity.encrypt0 import Encrypt0, parse0
from swarm_ledger.identity.roster import Roster
from swarm_ledger.identity.secrecy import (
    SECRET_BYTES,
    Circle,
    KeyId,
    ManyShares,
    Secret,
    check_order,
    readers,
)

MAX_CONFIDED_BYTES = 1 << 14
"""Shares of as many members as a roster lists, and a question."""


class Confided(Record, frozen=True):
    """A message with its secret. version: of the roster; message: a tagged COSE_Encrypt0."""

    version: Annotated[int, Meta(ge=1, lt=2**32)]
    shares: ManyShares
    message: bytes


def confide(data: bytes, roster: Roster, draw: Callable[[int], bytes]) -> bytes:
    """Encrypt a message for all who may read under a roster, for this once.

    draw: returns that many random bytes.
    """
    secret = Secret(roster.swarm_id, _name(roster.version), draw(SECRET_BYTES))
    shares = tuple((index, secret.share(index, key)) for index, key in readers(roster).items())
    return encode(Confided(roster.version, shares, secret.conceal(data)))


def parse_confided(payload: bytes) -> tuple[Confided, Encrypt0]:
    """Parse outside bytes, with the ciphertext in them; PeerFault("malformed", "oversize")."""
    found: Confided = decode(payload, Confided, limit=MAX_CONFIDED_BYTES)
    check_order(found.shares)
    message = parse0(found.message, limit=MAX_CONFIDED_BYTES)
    if message.kid != encode(_name(found.version)) or message.count != 0:
        raise PeerFault("malformed", "its secret has another name, or served before.")
    return found, message


def reveal(circle: Circle, confided: Confided, message: Encrypt0) -> bytes:
    """Decrypt what was confided to us among others, in the version of this circle.

    Raises PeerFault: "no_share" (not to us), "bad_share", "bad_tag".
    """
    share = dict(confided.shares).get(circle.me)
    if share is None:
        raise PeerFault("no_share", f"it was confided to others than member {circle.me}.")
    return circle.unwrap(_name(confided.version), share).reveal(message)


def _name(version: int) -> KeyId:
    return KeyId(version, sender=0, run=0, number=0)
