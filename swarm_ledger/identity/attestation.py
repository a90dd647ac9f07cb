# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What was shown of where a root key is, from a token's word to a TPM with a maker's certificate.

An operator needs no TPM for it: what a TPM signed is checked, and what it is to decrypt made, in
software. A restricted key of a TPM signs only what that TPM states. So the word of the attestation
key (AK) on the root key is true if the AK is in a TPM. A secret shows that, given out only
where AK and endorsement key (EK) are together; and the EK's certificate, that they are in a TPM.
"""

from __future__ import annotations

from datetime import datetime
from enum import Enum

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from swarm_ledger.errors import NotVerified, PeerFault
from swarm_ledger.identity import p256, tpm2
from swarm_ledger.signers import KeyStore, TpmStatement
from swarm_ledger.signers.p256 import compressed, point

_STAYS = tpm2.FIXED_TPM | tpm2.FIXED_PARENT | tpm2.SENSITIVE_DATA_ORIGIN


class Attested(Enum):
    """How a root key's place was shown, as rosters say it; each one says more than the one before.

    REPORTED: a PKCS#11 token said so. CERTIFIED: some AK certified the key; whose, nobody knows.
    ACTIVATED: the AK is in the same TPM as the EK; that this is one, nobody vouches for.
    GENUINE: a certificate authority that an operator named vouches for the EK.
    """

    NO = ""
    REPORTED = "pkcs11-reported"
    CERTIFIED = "tpm2-certified"
    ACTIVATED = "tpm2-activated"
    GENUINE = "tpm2-genuine"

    @property
    def key_store(self) -> KeyStore | None:
        """The store that it is about, None for NO."""
        if self is Attested.NO:
            return None
        return KeyStore.PKCS11 if self is Attested.REPORTED else KeyStore.TPM2

    @property
    def said(self) -> str:
        """What it means, for people."""
        return {
            Attested.NO: "",
            Attested.REPORTED: "reported by the token",
            Attested.CERTIFIED: "certified by an unproven TPM",
            Attested.ACTIVATED: "in its TPM, an unproven one",
            Attested.GENUINE: "in a TPM with its maker's certificate",
        }[self]


def check_statement(statement: TpmStatement, public_key: bytes, context: bytes) -> None:
    """Raise PeerFault("bad_statement") unless its AK certified that root key in that context.

    public_key: the compressed point. The key must have been made in its TPM, bound to it; the AK
    too, and restricted. Only of an EK with the AK's TPM behind it this says anything.
    """
    key, ak, ek = (tpm2.parse_public(raw) for raw in (statement.key, statement.ak, statement.ek))
    _check(key.kind == "ecc" and _compressed(key) == public_key, "it is about another key")
    _check(key.attributes & _STAYS == _STAYS, "the key was not made in its TPM, or may leave it")
    _check(
        bool(key.attributes & tpm2.SIGN) and not key.attributes & tpm2.RESTRICTED,
        "the key is not one for signing",
    )
    wanted = _STAYS | tpm2.SIGN | tpm2.RESTRICTED
    _check(ak.kind == "ecc", "the attestation key is not of P-256")
    _check(
        ak.attributes & (wanted | tpm2.DECRYPT) == wanted,
        "the attestation key signs more than its TPM states",
    )
    wanted = _STAYS | tpm2.DECRYPT | tpm2.RESTRICTED
    _check(
        ek.kind == "rsa" and ek.attributes & (wanted | tpm2.SIGN) == wanted,
        "the endorsement key is none",
    )
    _check(
        p256.verify(_compressed(ak), statement.attest, statement.signature),
        "the attestation key did not sign it",
    )
    found = tpm2.parse_certify(statement.attest)
    _check(found.name == key.name, "it certifies another key")
    _check(found.context == context, "it was made for another swarm or name")
    if statement.certificate:
        certified = _certificate(statement.certificate).public_key()
        _check(
            isinstance(certified, RSAPublicKey)
            and certified.public_numbers().n == ek.modulus
            and certified.public_numbers().e == ek.exponent,
            "the certificate is another endorsement key's",
        )


def check_certificate(
    statement: TpmStatement, authorities: list[x509.Certificate], now: datetime
) -> None:
    """Raise NotVerified unless one of the authorities issued the EK's certificate, valid now.

    authorities: each believed as it is, also one that another one issued; none of a chain is
    looked up.
    """
    if not statement.certificate:
        raise NotVerified(
            "its TPM has no certificate for its endorsement key.",
            where="EK certificate",
            remedy="Leave --ek-ca out: the roster then says that the TPM is not proven to be one.",
        )
    found = _certificate(statement.certificate)
    if not _valid(found, now):
        raise NotVerified("it is not valid at this time.", where="EK certificate")
    for authority in authorities:
        try:
            found.verify_directly_issued_by(authority)
            limits = authority.extensions.get_extension_for_class(x509.BasicConstraints)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            continue
        except x509.ExtensionNotFound:
            continue
        if limits.value.ca and _valid(authority, now):
            return
    raise NotVerified("none of the given authorities issued it.", where="EK certificate")


def issuer(statement: TpmStatement) -> str | None:
    """Return who issued the EK's certificate, as it says itself; None where there is none."""
    if not statement.certificate:
        return None
    return _certificate(statement.certificate).issuer.rfc4514_string()


def read_authorities(pem: bytes) -> list[x509.Certificate]:
    """Return the certificates in a PEM file; NotVerified if there is none, or a bad one."""
    try:
        return x509.load_pem_x509_certificates(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise NotVerified(f"no certificates in PEM: {error}.", where="authorities") from error


def _certificate(der: bytes) -> x509.Certificate:
    try:
        found = x509.load_der_x509_certificate(der)
        found.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise PeerFault("bad_statement", f"no certificate of an EK: {error}.") from error
    return found


def _valid(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def _compressed(public: tpm2.Public) -> bytes:
    return compressed(point(b"\x04" + public.x + public.y))


def _check(fine: bool, what: str) -> None:
    if not fine:
        raise PeerFault("bad_statement", f"the TPM's statement does not hold: {what}.")
