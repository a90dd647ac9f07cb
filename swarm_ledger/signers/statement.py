# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a key store says about a root key, for those who are asked to believe in it."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta

from swarm_ledger.encoding import Record

MAX_CERTIFICATE_BYTES = 3072
"""Of an EK certificate; they have one to two kilobytes."""

_Text = Annotated[str, Meta(max_length=64)]


class TokenReport(Record, frozen=True, tag=1):
    """What a PKCS#11 token reports of itself and the key. Nothing proves it: anybody can say so.

    The last five are CKA_SENSITIVE and so on; None where the token doesn't know them.
    """

    label: _Text
    manufacturer: _Text
    model: _Text
    serial: _Text
    sensitive: bool | None
    always_sensitive: bool | None
    extractable: bool | None
    never_extractable: bool | None
    local: bool | None


class TpmStatement(Record, frozen=True, tag=2):
    """A TPM's statement (TPM 2.0 Library): its attestation key (AK) certifies the root key.

    key, ak, ek: TPMT_PUBLIC of the root key, the AK and the endorsement key. attest: TPMS_ATTEST
    of TPM2_Certify. signature: the AK's, r and s. certificate: of the EK, X.509 in DER, or empty.
    """

    key: Annotated[bytes, Meta(max_length=256)]
    ak: Annotated[bytes, Meta(max_length=256)]
    ek: Annotated[bytes, Meta(max_length=512)]
    attest: Annotated[bytes, Meta(max_length=256)]
    signature: Annotated[bytes, Meta(min_length=64, max_length=64)]
    certificate: Annotated[bytes, Meta(max_length=MAX_CERTIFICATE_BYTES)] = b""


Statement: TypeAlias = TokenReport | TpmStatement
