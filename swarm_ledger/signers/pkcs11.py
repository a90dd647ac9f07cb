# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A key in a PKCS#11 token: smart card, USB key, HSM, or SoftHSM where there is no hardware.

Each signature has a session of its own: a token that was pulled out and put back works again, and
nothing is held that other processes may need.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from swarm_ledger.encoding import digest
from swarm_ledger.errors import Misuse
from swarm_ledger.signers import p256
from swarm_ledger.signers.pkcs11_token import Access, api
from swarm_ledger.signers.signer import Algorithm, KeyStore
from swarm_ledger.signers.statement import TokenReport

if TYPE_CHECKING:
    import pkcs11

# CKA_EC_PARAMS: an object identifier, or a name (PKCS#11 3.0, 2.3.3); GnuPG had one of its own.
_ED25519 = bytes.fromhex("06032b6570")
_ED25519_TOO = (_ED25519, b"\x13\x0cedwards25519", bytes.fromhex("06092b06010401da470f01"))
_P256 = bytes.fromhex("06082a8648ce3d030107")

_SHOWN = ("EXTRACTABLE", "SENSITIVE", "ALWAYS_SENSITIVE", "NEVER_EXTRACTABLE", "LOCAL")


class Pkcs11Signer:
    """A key in a token, opened by URI (RFC 7512). Misuse if there is no such token or key.

    folder: what relative paths in the URI are relative to.
    """

    key_store = KeyStore.PKCS11

    def __init__(self, uri: str, folder: Path = Path()) -> None:
        self._access = Access(uri, folder)
        with self._access.session() as session:
            private = _private(session, self._access)
            self.algorithm, self.public_key = _public(session, private)
            self.attributes = _attributes(private)

    def statement(self, context: bytes) -> TokenReport:
        """Return what the token reports of itself and this key. context: of no use to a token."""
        with self._access.session() as session:
            token = session.token
            here = (token.label, token.manufacturer_id, token.model, token.serial)
            private = _attributes(_private(session, self._access))
        texts = (one.decode(errors="replace") if isinstance(one, bytes) else one for one in here)
        label, manufacturer, model, serial = (text.strip()[:64] for text in texts)
        return TokenReport(
            label,
            manufacturer,
            model,
            serial,
            private.get("sensitive"),
            private.get("always_sensitive"),
            private.get("extractable"),
            private.get("never_extractable"),
            private.get("local"),
        )

    def sign(self, message: bytes) -> bytes:
        """Return the token's signature; Misuse if it can't be had."""
        kinds = api().Mechanism
        with self._access.session() as session:
            private: Any = _private(session, self._access)
            if self.algorithm is Algorithm.EDDSA:
                return bytes(private.sign(message, mechanism=kinds.EDDSA))
            raw = bytes(private.sign(digest(message), mechanism=kinds.ECDSA))
        half = len(raw) // 2
        return p256.low_s(int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big"))


def new_pkcs11_key(uri: str, algorithm: Algorithm, folder: Path = Path()) -> None:
    """Make a key in its token, which it can't leave; Misuse if there is such a key already."""
    access = Access(uri, folder)
    if access.uri.object is None:
        raise Misuse("a new key needs a label.", remedy="Add object=LABEL to the URI, or --label.")
    names, types, kinds = api().Attribute, api().KeyType, api().Mechanism
    edwards = algorithm is Algorithm.EDDSA
    number = access.uri.id or digest(access.uri.object.encode())[:8]
    with access.session(write=True) as session:
        if _found(session, access.uri.object) or _found(session, number=number):
            raise Misuse(
                "the token has a private key of that label or id already.",
                remedy="A key is never overwritten: take another label or id.",
            )
        curve = session.create_domain_parameters(
            types.EC_EDWARDS if edwards else types.EC,
            {names.EC_PARAMS: _ED25519 if edwards else _P256},
            local=True,
        )
        curve.generate_keypair(
            store=True,
            label=access.uri.object,
            id=number,
            mechanism=kinds.EC_EDWARDS_KEY_PAIR_GEN if edwards else kinds.EC_KEY_PAIR_GEN,
            capabilities=api().MechanismFlag.SIGN | api().MechanismFlag.VERIFY,
            private_template={
                names.EXTRACTABLE: False,
                names.SENSITIVE: True,
                names.PRIVATE: True,
            },
        )


def _private(session: pkcs11.Session, access: Access) -> pkcs11.Object:
    found = _found(session, access.uri.object, access.uri.id)
    if not found:
        locked = "" if access.logs_in else " It may need a PIN: add ?pin-source=env:NAME."
        raise Misuse(
            f"the token has no private key with {access.uri.key}.",
            remedy=f"Make one with `swarm-ledger key new URI`.{locked}",
        )
    if len(found) > 1:
        ids = ", ".join(_percent(bytes(one[api().Attribute.ID])) for one in found)
        raise Misuse(
            f"the token has {len(found)} private keys with {access.uri.key}.",
            remedy=f"Add id= to the URI: {ids}.",
        )
    return found[0]


def _found(
    session: pkcs11.Session, label: str | None = None, number: bytes | None = None
) -> list[pkcs11.Object]:
    """Return the private keys of that label, of that CKA_ID, or of both."""
    names = api().Attribute
    wanted: dict[Any, Any] = {names.CLASS: api().ObjectClass.PRIVATE_KEY}
    if label is not None:
        wanted[names.LABEL] = label
    if number is not None:
        wanted[names.ID] = number
    return list(session.get_objects(wanted))


def _public(session: pkcs11.Session, private: pkcs11.Object) -> tuple[Algorithm, bytes]:
    """Return the public half: its object has the same CKA_ID, or the label where there is none."""
    names = api().Attribute
    number = private[names.ID]
    mark = {names.ID: number} if number else {names.LABEL: private[names.LABEL]}
    found = list(session.get_objects({names.CLASS: api().ObjectClass.PUBLIC_KEY, **mark}))
    if len(found) != 1:
        raise Misuse(
            f"the token has {len(found)} public keys for this private key; it must have one.",
            remedy="Make a key with an id of its own: swarm-ledger key new URI.",
        )
    try:
        params, point = bytes(found[0][names.EC_PARAMS]), bytes(found[0][names.EC_POINT])
    except api().AttributeTypeInvalid:  # a key of RSA, and others, has none
        params = point = b""
    return _read_point(params, point)


def _attributes(private: pkcs11.Object) -> dict[str, bool]:
    """Return what the token says about a private key, as far as it does."""
    found = {}
    for name in _SHOWN:
        try:
            found[name.lower()] = bool(private[api().Attribute[name]])
        except api().PKCS11Error:
            continue  # an old token need not know that attribute
    return found


def _read_point(params: bytes, point: bytes) -> tuple[Algorithm, bytes]:
    """Read CKA_EC_PARAMS and CKA_EC_POINT: a DER octet string, or in some tokens its content."""
    if point[:1] == b"\x04" and point[1:2] == bytes([len(point) - 2]):
        point = point[2:]
    if params in _ED25519_TOO and len(point) == 32:
        return Algorithm.EDDSA, point
    if params == _P256:
        return Algorithm.ES256, p256.compressed(p256.point(point))
    raise Misuse("the token's key is neither of Ed25519 nor of P-256.")


def _percent(number: bytes) -> str:
    return "".join(f"%{byte:02X}" for byte in number)
