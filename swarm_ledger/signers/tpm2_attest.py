# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""How a TPM shows that a key is its own: its attestation key certifies it, and proves to be there.

Endorsement key (EK) and attestation key (AK) are primary keys of the endorsement hierarchy, made
from fixed templates: a TPM makes the same ones each time, so that nothing has to be kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from swarm_ledger.errors import Misuse
from swarm_ledger.signers import p256
from swarm_ledger.signers.statement import MAX_CERTIFICATE_BYTES, TpmStatement
from swarm_ledger.signers.tpm2_api import api, ecc_template, ecdsa_scheme

if TYPE_CHECKING:
    import tpm2_pytss

_EK_CERTIFICATE = 0x01C00002
"""NV index of the RSA 2048 EK's certificate (TCG EK Credential Profile 2.5, 2.2.1.4)."""

_EK_POLICY = bytes.fromhex("837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa")
"""PolicySecret of the endorsement hierarchy (the same, B.3.3: template L-1)."""

_NV_CHUNK = 512


def certify(tpm: tpm2_pytss.ESAPI, key: Any, context: bytes) -> TpmStatement:
    """Have the AK certify a loaded key. context: at most 32 bytes, which it signs as well."""
    password = api().ESYS_TR.PASSWORD
    with _endorsement_key(tpm) as (_, ek):
        certificate = _certificate(tpm)
    with _attestation_key(tpm) as (ak, ak_public):
        attest, signed = tpm.certify(
            key, ak, context, ecdsa_scheme(), session1=password, session2=password
        )
        public, _, _ = tpm.read_public(key)
    pair = signed.signature.ecdsa
    r, s = (int.from_bytes(bytes(part), "big") for part in (pair.signatureR, pair.signatureS))
    return TpmStatement(
        public.publicArea.marshal(),
        ak_public,
        ek,
        bytes(attest),
        p256.low_s(r, s),
        certificate,
    )


def activate(tpm: tpm2_pytss.ESAPI, blob: bytes, secret: bytes) -> bytes:
    """Return the credential that was made for this TPM's AK and EK.

    blob: TPM2B_ID_OBJECT's content; secret: TPM2B_ENCRYPTED_SECRET's. Misuse if it was for others.
    """
    errors: Any = api().TSS2_Exception
    try:
        return _activated(tpm, blob, secret)
    except errors as error:
        if int(error.error) >> 16:  # not the TPM says so: it can't be reached
            raise
        raise Misuse(
            f"this TPM does not open the challenge ({error}).",
            remedy="Only that opens it which the request was made with.",
        ) from error


def _activated(tpm: tpm2_pytss.ESAPI, blob: bytes, secret: bytes) -> bytes:
    lib = api()
    none, password = lib.ESYS_TR.NONE, lib.ESYS_TR.PASSWORD
    plain = lib.TPMT_SYM_DEF(algorithm=lib.TPM2_ALG.NULL)
    with _attestation_key(tpm) as (ak, _), _endorsement_key(tpm) as (ek, _):
        session = tpm.start_auth_session(
            none, none, lib.TPM2_SE.POLICY, plain, lib.TPM2_ALG.SHA256
        )
        try:
            owner = lib.ESYS_TR.RH_ENDORSEMENT
            tpm.policy_secret(owner, session, b"", b"", b"", 0, session1=password)
            found = tpm.activate_credential(
                ak,
                ek,
                lib.TPM2B_ID_OBJECT(blob),
                lib.TPM2B_ENCRYPTED_SECRET(secret),
                session1=password,
                session2=session,
            )
        finally:
            tpm.flush_context(session)
    return bytes(found)


@contextmanager
def _attestation_key(tpm: tpm2_pytss.ESAPI) -> Iterator[tuple[Any, bytes]]:
    """Make the AK: restricted, so that it signs only what the TPM itself states."""
    lib, kinds = api(), api().TPMA_OBJECT
    wanted = kinds.FIXEDTPM | kinds.FIXEDPARENT | kinds.SENSITIVEDATAORIGIN | kinds.USERWITHAUTH
    template = ecc_template(
        wanted | kinds.SIGN_ENCRYPT | kinds.RESTRICTED | kinds.NODA,
        lib.TPMT_ECC_SCHEME(
            scheme=lib.TPM2_ALG.ECDSA,
            details=lib.TPMU_ASYM_SCHEME(ecdsa=lib.TPMS_SCHEME_HASH(hashAlg=lib.TPM2_ALG.SHA256)),
        ),
    )
    with _primary(tpm, template) as made:
        yield made


@contextmanager
def _endorsement_key(tpm: tpm2_pytss.ESAPI) -> Iterator[tuple[Any, bytes]]:
    lib, kinds = api(), api().TPMA_OBJECT
    template = lib.TPMT_PUBLIC(
        type=lib.TPM2_ALG.RSA,
        nameAlg=lib.TPM2_ALG.SHA256,
        objectAttributes=(
            kinds.FIXEDTPM
            | kinds.FIXEDPARENT
            | kinds.SENSITIVEDATAORIGIN
            | kinds.ADMINWITHPOLICY
            | kinds.RESTRICTED
            | kinds.DECRYPT
        ),
        authPolicy=_EK_POLICY,
        parameters=lib.TPMU_PUBLIC_PARMS(
            rsaDetail=lib.TPMS_RSA_PARMS(
                symmetric=lib.TPMT_SYM_DEF_OBJECT(
                    algorithm=lib.TPM2_ALG.AES,
                    keyBits=lib.TPMU_SYM_KEY_BITS(aes=128),
                    mode=lib.TPMU_SYM_MODE(aes=lib.TPM2_ALG.CFB),
                ),
                scheme=lib.TPMT_RSA_SCHEME(scheme=lib.TPM2_ALG.NULL),
                keyBits=2048,
                exponent=0,
            )
        ),
        unique=lib.TPMU_PUBLIC_ID(rsa=bytes(256)),
    )
    with _primary(tpm, template) as made:
        yield made


@contextmanager
def _primary(tpm: tpm2_pytss.ESAPI, template: Any) -> Iterator[tuple[Any, bytes]]:
    lib = api()
    handle, public, *_ = tpm.create_primary(
        lib.TPM2B_SENSITIVE_CREATE(),
        lib.TPM2B_PUBLIC(publicArea=template),
        primary_handle=lib.ESYS_TR.RH_ENDORSEMENT,
    )
    try:
        yield handle, public.publicArea.marshal()
    finally:
        tpm.flush_context(handle)


def _certificate(tpm: tpm2_pytss.ESAPI) -> bytes:
    """Return the certificate of the EK, b"" where the TPM has none, or one that is too large."""
    errors: Any = api().TSS2_Exception
    try:
        index = tpm.tr_from_tpmpublic(_EK_CERTIFICATE)
        public, _ = tpm.nv_read_public(index)
        size = int(public.nvPublic.dataSize)
        if size > MAX_CERTIFICATE_BYTES:
            return b""
        found = b""
        while len(found) < size:
            step = min(_NV_CHUNK, size - len(found))
            found += bytes(tpm.nv_read(index, step, len(found), auth_handle=index))
    except errors:
        return b""
    return _without_padding(found)


def _without_padding(found: bytes) -> bytes:
    """Cut off what follows a DER sequence with a length in two bytes."""
    if found[:2] != b"\x30\x82":
        return b""
    return found[: 4 + int.from_bytes(found[2:4], "big")]
