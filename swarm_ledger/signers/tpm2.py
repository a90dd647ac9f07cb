# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A P-256 key in a TPM 2.0: at a persistent handle, or in a file that only this TPM can use.

The file is a "TSS2 PRIVATE KEY" (PEM), as tpm2-openssl, tpm2-tools and tpm2-pytss read it: the
public part and the private one, which the TPM encrypted for itself. Each signature has a
connection of its own, so that nothing is held that other processes may need.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from swarm_ledger.encoding import digest
from swarm_ledger.errors import Misuse
from swarm_ledger.signers import p256
from swarm_ledger.signers.secret import read_secret
from swarm_ledger.signers.signer import Algorithm, KeyStore
from swarm_ledger.signers.software import write_new
from swarm_ledger.signers.statement import TpmStatement
from swarm_ledger.signers.tpm2_api import api, connected, ecc_template, ecdsa_scheme
from swarm_ledger.signers.tpm2_attest import activate, certify

if TYPE_CHECKING:
    import tpm2_pytss

SCHEME = "tpm2"
DEFAULT_TCTI = "device:/dev/tpmrm0"
_FORM = "Use tpm2:0x81000001 or tpm2:PATH, with ?tcti=...&auth=...&pcrs=sha256:0,7 behind it."
_QUERY = ("tcti", "auth", "pcrs")
_HANDLE = re.compile(r"0x81[0-9A-Fa-f]{6}")
_PCRS = re.compile(r"(sha1|sha256|sha384|sha512):([0-9]{1,2})(,[0-9]{1,2})*")


@dataclass(frozen=True)
class Tpm2Uri:
    """What a URI asks for. handle: persistent, or None for the file at path.

    tcti: how the TPM is reached. auth: where the key's password is. pcrs: registers that must be
    as they were when the key was made, such as "sha256:0,7".
    """

    handle: int | None
    path: Path
    tcti: str
    auth: str = ""
    pcrs: str = ""


def parse_tpm2_uri(uri: str, folder: Path = Path()) -> Tpm2Uri:
    """Parse tpm2:HANDLE or tpm2:PATH; values may be percent-encoded. Misuse for what is not one.

    Without tcti, $TPM2TOOLS_TCTI counts, as for tpm2-tools, and /dev/tpmrm0 where it is not set.
    """
    scheme, _, rest = uri.partition(":")
    place, asked, text = rest.partition("?")
    query: dict[str, str] = {}
    for part in text.split("&") if asked else ():
        name, equals, value = part.partition("=")
        if name not in _QUERY or name in query or not equals or not value:
            raise Misuse(f"{part!r} can't stand in a TPM key's URI.", remedy=_FORM)
        query[name] = unquote(value)
    if scheme != SCHEME or not place or "\0" in unquote(place):
        raise Misuse(f"{uri!r} names no key in a TPM.", remedy=_FORM)
    if "pcrs" in query and not _PCRS.fullmatch(query["pcrs"]):
        raise Misuse(f"{query['pcrs']!r} are no PCRs.", remedy="Write pcrs=sha256:0,7.")
    handle = int(place, 16) if _HANDLE.fullmatch(place) else None
    if handle is None and place[:2].lower() == "0x":
        raise Misuse(
            f"{place} is no persistent handle.", remedy="Those are 0x81000000 to 0x81ffffff."
        )
    tcti = query.pop("tcti", "") or os.environ.get("TPM2TOOLS_TCTI", DEFAULT_TCTI)
    return Tpm2Uri(handle, folder / unquote(place), tcti, **query)


class Tpm2Signer:
    """A key in a TPM, opened by URI. Misuse if the TPM can't be reached, or has no such key.

    folder: what relative paths in the URI are relative to.
    """

    algorithm = Algorithm.ES256
    key_store = KeyStore.TPM2

    def __init__(self, uri: str, folder: Path = Path()) -> None:
        self._uri = parse_tpm2_uri(uri, folder)
        self._password = _password(self._uri, folder)
        with connected(self._uri.tcti) as tpm, self._loaded(tpm) as key:
            public, _, _ = tpm.read_public(key)
            self.public_key, self.attributes = _read_public(public.publicArea)

    def sign(self, message: bytes) -> bytes:
        """Return the TPM's signature; Misuse if it can't be had."""
        with (
            connected(self._uri.tcti) as tpm,
            self._loaded(tpm) as key,
            _authorised(tpm, self._uri, self._password) as session,
        ):
            given = tpm.sign(key, digest(message), ecdsa_scheme(), session1=session)
        pair = given.signature.ecdsa
        r, s = (int.from_bytes(bytes(part), "big") for part in (pair.signatureR, pair.signatureS))
        return p256.low_s(r, s)

    def statement(self, context: bytes) -> TpmStatement:
        """Have the TPM certify this key; Misuse if it can't.

        context: at most 32 bytes that it signs as well.
        """
        with connected(self._uri.tcti) as tpm, self._loaded(tpm) as key:
            return certify(tpm, key, context)

    def activate(self, blob: bytes, secret: bytes) -> bytes:
        """Return the credential that was made for this key's TPM; Misuse if it was for another."""
        with connected(self._uri.tcti) as tpm:
            return activate(tpm, blob, secret)

    @contextmanager
    def _loaded(self, tpm: tpm2_pytss.ESAPI) -> Iterator[Any]:
        if self._uri.handle is not None:
            key = tpm.tr_from_tpmpublic(self._uri.handle)
            tpm.tr_set_auth(key, self._password or None)
            yield key
            return
        with _load(tpm, self._uri.path, self._password) as key:
            yield key


def new_tpm2_key(uri: str, folder: Path = Path()) -> None:
    """Make a key that its TPM never gives away; Misuse if there is one at that place already.

    With pcrs, it can be used only as long as these registers have the values that they have now.
    """
    asked = parse_tpm2_uri(uri, folder)
    password = _password(asked, folder)
    if asked.handle is None and asked.path.exists():
        raise Misuse(f"{asked.path} exists already, and a key is never overwritten.")
    with connected(asked.tcti) as tpm:
        made = _tsskey().create(tpm, _template(tpm, asked, password), password=password or None)
        if asked.handle is None:
            write_new(asked.path, made.to_pem())
            return
        with made.load(tpm, password or None) as key:
            tpm.evict_control(api().ESYS_TR.RH_OWNER, key, asked.handle)


def identify(tcti: str) -> str:
    """Return the manufacturer of the TPM that answers there, as it calls itself.

    Misuse if none does, or tpm2-pytss is missing.
    """
    lib = api()
    with connected(tcti) as tpm:
        wanted = (lib.TPM2_CAP.TPM_PROPERTIES, lib.TPM2_PT.MANUFACTURER, 1)
        _, answer = tpm.get_capability(*wanted)  # what is read from it needs it alive
        found = answer.data.tpmProperties[0].value
    return int(found).to_bytes(4, "big").rstrip(b"\0 ").decode("ascii", "replace")


def _tsskey() -> Any:
    api()
    from tpm2_pytss.tsskey import TSSPrivKey  # noqa: PLC0415  - optional

    return TSSPrivKey


@contextmanager
def _load(tpm: tpm2_pytss.ESAPI, path: Path, password: str) -> Iterator[Any]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Misuse(f"cannot read the key file {path}: {error.strerror}.") from error
    try:
        key = _tsskey().from_pem(data)
    except Exception as error:  # whatever parsers of ASN.1 and of C structures say of bad bytes
        raise Misuse(
            f"{path} is not a TPM's key file (TSS2 PRIVATE KEY).", remedy=_FORM
        ) from error
    if not (password or key.empty_auth):
        raise Misuse(f"the key in {path} has a password.", remedy="Add ?auth=env:NAME.")
    with key.load(tpm, password or None) as handle:
        yield handle


def _password(uri: Tpm2Uri, folder: Path) -> str:
    return read_secret(uri.auth, folder) if uri.auth else ""


@contextmanager
def _authorised(tpm: tpm2_pytss.ESAPI, uri: Tpm2Uri, password: str) -> Iterator[Any]:
    """Open the session that authorises a use: with the password, or under the policy of PCRs."""
    if not uri.pcrs:
        yield api().ESYS_TR.PASSWORD
        return
    with _policy(tpm, uri, password, api().TPM2_SE.POLICY) as session:
        yield session


@contextmanager
def _policy(tpm: tpm2_pytss.ESAPI, uri: Tpm2Uri, password: str, kind: Any) -> Iterator[Any]:
    none = api().ESYS_TR.NONE
    plain = api().TPMT_SYM_DEF(algorithm=api().TPM2_ALG.NULL)
    session = tpm.start_auth_session(none, none, kind, plain, api().TPM2_ALG.SHA256)
    try:
        tpm.policy_pcr(session, b"", api().TPML_PCR_SELECTION.parse(uri.pcrs))
        if password:
            tpm.policy_auth_value(session)
        yield session
    finally:
        tpm.flush_context(session)


def _template(tpm: tpm2_pytss.ESAPI, uri: Tpm2Uri, password: str) -> Any:
    """Return what a new key shall be: bound to this TPM, for signing alone."""
    lib, kinds = api(), api().TPMA_OBJECT
    wanted = kinds.FIXEDTPM | kinds.FIXEDPARENT | kinds.SENSITIVEDATAORIGIN | kinds.SIGN_ENCRYPT
    policy = b""
    if uri.pcrs:
        with _policy(tpm, uri, password, lib.TPM2_SE.TRIAL) as session:
            policy = bytes(tpm.policy_get_digest(session))
    else:
        wanted |= kinds.USERWITHAUTH
    if not password:
        wanted |= kinds.NODA
    scheme = lib.TPMT_ECC_SCHEME(scheme=lib.TPM2_ALG.NULL)
    return ecc_template(wanted, scheme, policy)


def _read_public(public: Any) -> tuple[bytes, dict[str, bool]]:
    """Return the compressed point, and what binds the private key to its TPM."""
    lib, kinds = api(), api().TPMA_OBJECT
    if public.type != lib.TPM2_ALG.ECC or (
        public.parameters.eccDetail.curveID != lib.TPM2_ECC.NIST_P256
    ):
        raise Misuse("the TPM's key is not of P-256.")
    if not public.objectAttributes & kinds.SIGN_ENCRYPT or (
        public.objectAttributes & kinds.RESTRICTED
    ):
        raise Misuse("the TPM's key is not made for signing what others send.")
    x, y = (
        bytes(part).rjust(p256.SIZE, b"\0") for part in (public.unique.ecc.x, public.unique.ecc.y)
    )
    found = public.objectAttributes
    return p256.compressed(p256.point(b"\x04" + x + y)), {
        "fixed_tpm": bool(found & kinds.FIXEDTPM),
        "fixed_parent": bool(found & kinds.FIXEDPARENT),
        "local": bool(found & kinds.SENSITIVEDATAORIGIN),
        "user_with_auth": bool(found & kinds.USERWITHAUTH),
    }
