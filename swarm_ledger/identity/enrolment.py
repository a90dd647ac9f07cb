# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Asking to be enrolled: a drone shows that it holds the key that it wants to be known by.

Without that proof an operator could be made to enrol somebody else's key under a name, or a slip
of the pen. A request is one line of text, as it travels by mail and USB stick.
"""

from __future__ import annotations

import base64
import binascii
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from swarm_ledger.encoding import Record, decode, encode
from swarm_ledger.errors import Misuse, NotVerified, PeerFault
from swarm_ledger.identity import cose
from swarm_ledger.identity.channel import ChannelPublic
from swarm_ledger.signers import KeyStore, Signer

REQUEST_SUFFIX = ".request"
_PREFIX = b"swarm_ledger/request/v1 "
_MAX_BYTES = 1024


class _Form(Record, frozen=True):
    swarm_id: Annotated[str, Meta(min_length=1, max_length=32)]
    name: Annotated[str, Meta(min_length=1, max_length=32)]
    public_key: Annotated[bytes, Meta(min_length=32, max_length=33)]
    key_store: KeyStore


_Point = Annotated[bytes, Meta(min_length=32, max_length=32)]


class _ChannelledForm(_Form, frozen=True):
    curve: _Point
    hpke: _Point


@dataclass(frozen=True)
class Request:
    """Who asks, with which key. name: a label; key_store: where it says that the key is.

    channel: the keys of its links, for which the root key vouches; None if it brings none.
    """

    swarm_id: str
    name: str
    public_key: bytes
    key_store: KeyStore
    channel: ChannelPublic | None = None


def make_request(
    signer: Signer, swarm_id: str, name: str, channel: ChannelPublic | None = None
) -> bytes:
    """Return the line by which the holder of a root key asks a swarm's operators to enrol it."""
    who = swarm_id, name, signer.public_key, signer.key_store
    form = _ChannelledForm(*who, channel.curve, channel.hpke) if channel else _Form(*who)
    signed = cose.sign1(signer, encode(form), _domain(swarm_id))
    return _PREFIX + base64.b64encode(signed) + b"\n"


def open_request(text: bytes, swarm_id: str) -> Request:
    """Return what a line asks for, if the key in it signed it for that swarm; or NotVerified."""
    if not text.startswith(_PREFIX) or len(text) > _MAX_BYTES:
        raise NotVerified("not a request to be enrolled.", where="request")
    try:
        signed = base64.b64decode(text[len(_PREFIX) :].rstrip(b"\r\n"), validate=True)
        message = cose.parse1(signed, limit=_MAX_BYTES)
        request = _parse(message.payload)
        if request.swarm_id != swarm_id:
            raise PeerFault("wrong_swarm", f"it is for the swarm {request.swarm_id!r}.")
        cose.verify1(message, request.public_key, _domain(swarm_id))
    except (PeerFault, binascii.Error) as error:
        raise NotVerified(f"{error}", where="request") from error
    except Misuse as error:
        raise NotVerified(error.what, where="request") from error
    return request


def _parse(payload: bytes) -> Request:
    with suppress(PeerFault):
        full: _ChannelledForm = decode(payload, _ChannelledForm, limit=_MAX_BYTES)
        channel = ChannelPublic(full.curve, full.hpke)
        return Request(full.swarm_id, full.name, full.public_key, full.key_store, channel)
    form: _Form = decode(payload, _Form, limit=_MAX_BYTES)
    return Request(form.swarm_id, form.name, form.public_key, form.key_store)


def _domain(swarm_id: str) -> bytes:
    return encode(["swarm_ledger/v1 enrolment", swarm_id])
