# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""tpm2-pytss as we use it: imported when needed, connected for one task, its errors in words."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from swarm_ledger.errors import Misuse

if TYPE_CHECKING:
    import tpm2_pytss

_INSTALL = "apt install libtss2-dev; pip install 'swarm_ledger[tpm2]' (tpm2-pytss)."
_LOCK = threading.RLock()

# TPM 2.0 Library, part 2, 6.6: what TPM2_Sign, Load and others may answer.
_SAID = {
    0x921: ("is locked, as wrong passwords were tried", "Wait, or clear it: "
            "tpm2_dictionarylockout -c."),
    0x08E: ("refuses the password", "Correct auth=: after some wrong ones, TPMs lock."),
    0x0A2: ("refuses the password", "Correct auth=."),
    0x09D: ("is not in the state that the key needs: other PCRs", "Boot what was booted when "
            "the key was made, and give the same pcrs=."),
    0x128: ("is not in the state that the key needs: other PCRs", "Try again."),
    0x09F: ("did not make that key file", "A key file is of use to its own TPM only."),
    0x08B: ("has no key at that handle", "Make one: swarm-ledger key new URI."),
    0x14C: ("has another key at that handle", "A key is never overwritten: take another handle."),
    0x902: ("has no room left", "Flush what others left: tpm2_flushcontext -t."),
    0x100: ("was not started up", "Run tpm2_startup -c, or restart swtpm."),
}  # fmt: skip


def api() -> Any:
    """Return tpm2-pytss; Misuse where it is not installed."""
    # What fails is told by us, in words; the library's own lines would come between.
    os.environ.setdefault("TSS2_LOG", "all+NONE")
    try:
        import tpm2_pytss  # noqa: PLC0415  - optional
    except (ImportError, OSError) as error:
        raise Misuse(f"TPM keys need tpm2-pytss ({error}).", remedy=_INSTALL) from error
    return tpm2_pytss


@contextmanager
def connected(tcti: str) -> Iterator[tpm2_pytss.ESAPI]:
    """Connect to the TPM for one task, and turn its errors into Misuse."""
    errors: Any = api().TSS2_Exception
    with _LOCK:
        reached = False
        try:
            with api().ESAPI(tcti) as tpm:
                reached = True
                yield tpm
        except errors as error:
            raise _explained(tcti, error, reached=reached) from error


def _explained(tcti: str, error: Any, *, reached: bool) -> Misuse:
    code = int(error.error)
    if not reached or code >> 16:  # a layer of software says so, not the TPM
        return Misuse(
            f"the TPM at {tcti} can't be reached ({error}).",
            remedy="Is it there, is swtpm running, are you in the group tss? Name it with tcti=.",
        )
    said, remedy = _SAID.get(code, (f"failed: {error}", ""))
    return Misuse(f"the TPM at {tcti} {said}.", remedy=remedy)


def ecdsa_scheme() -> Any:
    """Return the scheme that all our keys sign with: ECDSA with SHA-256."""
    lib = api()
    hashed = lib.TPMS_SCHEME_HASH(hashAlg=lib.TPM2_ALG.SHA256)
    return lib.TPMT_SIG_SCHEME(
        scheme=lib.TPM2_ALG.ECDSA, details=lib.TPMU_SIG_SCHEME(ecdsa=hashed)
    )


def ecc_template(attributes: Any, scheme: Any, policy: bytes = b"") -> Any:
    """Return TPMT_PUBLIC of a key of P-256 that is to be made."""
    lib = api()
    null = lib.TPM2_ALG.NULL
    return lib.TPMT_PUBLIC(
        type=lib.TPM2_ALG.ECC,
        nameAlg=lib.TPM2_ALG.SHA256,
        objectAttributes=attributes,
        authPolicy=policy,
        parameters=lib.TPMU_PUBLIC_PARMS(
            eccDetail=lib.TPMS_ECC_PARMS(
                symmetric=lib.TPMT_SYM_DEF_OBJECT(algorithm=null),
                scheme=scheme,
                curveID=lib.TPM2_ECC.NIST_P256,
                kdf=lib.TPMT_KDF_SCHEME(scheme=null),
            ),
        ),
    )
