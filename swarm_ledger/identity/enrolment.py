# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Asking to be enrolled: a drone shows that it holds the key that it wants to be known by.

Without that proof an operator could be made to enrol somebody else's key under a name, or a slip
of the pen. A request is one line of text, as it travels by mail and USB stick.
"""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

from msgspec import Meta

from swarm_ledger.encoding import Record, decode, digest, encode
from swarm_ledger.errors import Misuse, NotVerified, PeerFault
from swarm_ledger.identity import cose
from swarm_ledger.identity.attestation import Attested, check_statement
from swarm_ledger.identity.channel import ChannelPublic
from swarm_ledger.signers import KeyStore, Signer, Statement, TokenReport, TpmStatement

REQUEST_SUFFIX = ".request"
_PREFIX = b"swarm_ledger/request/v1 "
_MAX_BYTES = 8192


class Request(Record, frozen=True):
    """Who asks, with which key. name: a label; key_store: where it says that the key is.

    hardware_only: its votes shall count only if that key itself signed them. statement: what the
    key's store says about it. curve, hpke: the keys of its links, both empty if it brings none.
    """

    swarm_id: Annotated[str, Meta(min_length=1, max_length=32)]
    name: Annotated[str, Meta(min_length=1, max_length=32)]
    public_key: Annotated[bytes, Meta(min_length=32, max_length=33)]
    key_store: KeyStore
    hardware_only: bool = False
    statement: TokenReport | TpmStatement | None = None
    curve: Annotated[bytes, Meta(max_length=32)] = b""
    hpke: Annotated[bytes, Meta(max_length=32)] = b""

    def __post_init__(self) -> None:
        """Misuse for keys of links that are none."""
        if self.curve or self.hpke:
            ChannelPublic(self.curve, self.hpke)

    @property
    def channel(self) -> ChannelPublic | None:
        """The keys of its links, for which the root key vouches."""
        return ChannelPublic(self.curve, self.hpke) if self.curve or self.hpke else None


def make_request(
    signer: Signer,
    swarm_id: str,
    name: str,
    channel: ChannelPublic | None = None,
    *,
    hardware_only: bool = False,
    statement: Statement | None = None,
) -> bytes:
    """Return the line by which the holder of a root key asks a swarm's operators to enrol it.

    channel: the keys of its links. statement: of the key's store, with statement_context() in it.
    Misuse for a software key that is to be hardware_only.
    """
    if hardware_only and signer.key_store is KeyStore.SOFTWARE:
        raise Misuse(
            "a software key can't be hardware_only.",
            remedy="Make a key in a token or a TPM: swarm-ledger key new.",
        )
    request = Request(
        swarm_id,
        name,
        signer.public_key,
        signer.key_store,
        hardware_only,
        statement,
        channel.curve if channel else b"",
        channel.hpke if channel else b"",
    )
    signed = cose.sign1(signer, encode(request), _domain(swarm_id))
    return _PREFIX + base64.b64encode(signed) + b"\n"


def open_request(text: bytes, swarm_id: str) -> Request:
    """Return what a line asks for, if the key in it signed it for that swarm; or NotVerified.

    NotVerified, too, where the statement in it is of another key, name or kind of store.
    """
    if not text.startswith(_PREFIX) or len(text) > _MAX_BYTES:
        raise NotVerified("not a request to be enrolled.", where="request")
    try:
        signed = base64.b64decode(text[len(_PREFIX) :].rstrip(b"\r\n"), validate=True)
        message = cose.parse1(signed, limit=_MAX_BYTES)
        request: Request = decode(message.payload, Request, limit=_MAX_BYTES)
        if request.swarm_id != swarm_id:
            raise PeerFault("wrong_swarm", f"it is for the swarm {request.swarm_id!r}.")
        cose.verify1(message, request.public_key, _domain(swarm_id))
        attested(request)
    except (PeerFault, binascii.Error) as error:
        raise NotVerified(f"{error}", where="request") from error
    except Misuse as error:
        raise NotVerified(error.what, where="request") from error
    return request


def request_file(public_key: bytes) -> str:
    """Return the name under which a request is kept with a roster."""
    return digest(public_key)[:16].hex() + REQUEST_SUFFIX


def statement_context(swarm_id: str, name: str) -> bytes:
    """Return the 32 bytes that bind a TPM's statement to one swarm and name."""
    return digest(encode(["swarm_ledger/v1 statement", swarm_id, name]))


def attested(request: Request) -> Attested:
    """Return what a request's statement shows; PeerFault("bad_statement") if it doesn't fit."""
    statement = request.statement
    if statement is None:
        return Attested.NO
    kind = KeyStore.PKCS11 if isinstance(statement, TokenReport) else KeyStore.TPM2
    if request.key_store is not kind:
        store = request.key_store.label
        raise PeerFault("bad_statement", f"a {kind.label} statement about a {store} key.")
    if isinstance(statement, TokenReport):
        return Attested.REPORTED
    check_statement(
        statement, request.public_key, statement_context(request.swarm_id, request.name)
    )
    return Attested.CERTIFIED


def _domain(swarm_id: str) -> bytes:
    return encode(["swarm_ledger/v1 enrolment", swarm_id])
