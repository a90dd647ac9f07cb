# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""TUF metadata as we use it: root and targets, signed by operators (TUF specification 1.0)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from securesystemslib.signer import Key, Signature, SSlibKey
from securesystemslib.signer import Signer as TufSigner
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, TargetFile, Targets

from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.identity.roster import parse_roster
from swarm_ledger.identity.signature import verify
from swarm_ledger.signers import Algorithm, Signer, algorithm_of, p256

ROOT, TARGETS, ROSTER = "root.json", "targets.json", "roster.json"

_MAX_BRACKETS = 256
"""One for each signature, two for each key, and a dozen more: how deep JSON may be nested depends
on the caller's stack, and drones must agree on what they take."""

SignedT = TypeVar("SignedT", Root, Targets)


_ED25519 = ("ed25519", "ed25519")
_ECDSA = ("ecdsa", "ecdsa-sha2-nistp256")


def _key(public_key: bytes) -> Key:
    """Return a raw public key as TUF 1.0 writes it: in hex, or PEM for ECDSA."""
    es256 = algorithm_of(public_key) is Algorithm.ES256
    keytype, scheme = _ECDSA if es256 else _ED25519
    public = p256.pem(public_key) if es256 else public_key.hex()
    form = {"keytype": keytype, "scheme": scheme, "keyval": {"public": public}}
    return SSlibKey.from_dict(public_key.hex()[:40], form)


class _OperatorKey(TufSigner):
    """One of our signers, as TUF wants it."""

    def __init__(self, signer: Signer) -> None:
        self._signer, self._key = signer, _key(signer.public_key)

    @property
    def public_key(self) -> Key:
        return self._key

    @classmethod
    def from_priv_key_uri(
        cls, priv_key_uri: str, public_key: Key, secrets_handler: object = None
    ) -> TufSigner:
        raise NotImplementedError("operators' keys are opened by swarm_ledger.signers")

    def sign(self, payload: bytes) -> Signature:
        signature = self._signer.sign(payload)
        if self._signer.algorithm is Algorithm.ES256:
            signature = p256.to_der(signature)
        return Signature(self._key.keyid, signature.hex())


_MAX_BRACKETS = 256
"""Three for each operator in a root, one for each signature, and a few more: how deep JSON may be
nested depends on the caller's stack, and drones must agree on what they take."""


def parse(form: type[SignedT], raw: bytes, where: str) -> Metadata[SignedT]:
    """Parse metadata, its signatures not checked yet; NotVerified for anything else."""
    if raw.count(b"[") + raw.count(b"{") > _MAX_BRACKETS:
        raise NotVerified("nested more deeply than any that was signed.", where=where)
    try:
        metadata = Metadata[SignedT].from_bytes(raw)
    except (RepositoryError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise NotVerified(f"not TUF metadata: {error}.", where=where) from error
    if not isinstance(metadata.signed, form):
        raise NotVerified("metadata of another type.", where=where)
    return metadata


def keys_of(root: Root, role: str) -> frozenset[bytes]:
    """Return the raw public keys that a root gives a role; of other kinds they don't count."""
    found = (root.keys.get(keyid) for keyid in root.roles[role].keyids)
    return frozenset(raw for raw in map(_raw, found) if raw)


def _raw(key: Key | None) -> bytes:
    try:
        public = str(key.keyval["public"]) if key else ""
        if key and (key.keytype, key.scheme) == _ED25519:
            return bytes.fromhex(public)
        if key and (key.keytype, key.scheme) == _ECDSA:
            return p256.from_pem(public)
    except (KeyError, ValueError, Misuse):
        return b""
    return b""


def _verify(key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether a signature holds by the house's own verifier; ECDSA's is in the one DER form."""
    if algorithm_of(key) is Algorithm.ES256:
        raw = p256.from_der(signature)
        return p256.to_der(raw) == signature and verify(key, message, raw)
    return verify(key, message, signature)


def signed_by(metadata: Metadata[SignedT], root: Root, role: str) -> frozenset[bytes]:
    """Return whose signatures hold, of those who have that role: public keys.

    A key that stands there under two identifiers is one, and by the verifier of the house a
    signature has one form.
    """
    signers: set[bytes] = set()
    for keyid in root.roles[role].keyids:
        key, signature = _raw(root.keys.get(keyid)), metadata.signatures.get(keyid)
        try:
            if key and signature is not None:
                signature_bytes = bytes.fromhex(signature.signature)
                if _verify(key, metadata.signed_bytes, signature_bytes):
                    signers.add(key)
        except (RepositoryError, TypeError, ValueError, Misuse):
            continue
    return frozenset(signers)


def check(metadata: Metadata[SignedT], root: Root, role: str, where: str) -> None:
    """Raise NotVerified unless a root's threshold of that role signed (TUF 5.3.4, 5.6.3)."""
    count, needed = len(signed_by(metadata, root, role)), root.roles[role].threshold
    if count < needed:
        who = f"version {root.version} of the operators' root"
        raise NotVerified(f"{count} signed it, {needed} are needed by {who}.", where=where)


def draft_root(
    operators: Iterable[bytes], *, threshold: int, expires: datetime, version: int = 1
) -> Metadata[Root]:
    """Return unsigned root metadata; Misuse for a threshold that the operators can't meet.

    operators: raw public keys. threshold: how many of them must sign a roster, or a root.
    """
    keys = sorted(set(operators))
    if not 1 <= threshold <= len(keys):
        raise Misuse(f"{len(keys)} operators can't meet a threshold of {threshold}.")
    root = Root(version=version, expires=expires, consistent_snapshot=False)
    for role in ("root", "targets"):
        for key in keys:
            root.add_key(_key(key), role)
        root.roles[role].threshold = threshold
    return Metadata(root)


def draft_targets(roster: bytes, *, expires: datetime) -> Metadata[Targets]:
    """Return unsigned targets metadata of a roster; Misuse if it is not a valid one."""
    targets = Targets(version=parse_roster(roster).version, expires=expires)
    targets.targets[ROSTER] = TargetFile.from_data(ROSTER, roster, ["sha256"])
    return Metadata(targets)


def sign(metadata: Metadata[SignedT], operators: Sequence[Signer]) -> bytes:
    """Return the metadata with these operators' signatures added to those that it has."""
    for operator in operators:
        metadata.sign(_OperatorKey(operator), append=True)
    return metadata.to_bytes()


def sign_root(
    operators: Sequence[Signer], *, threshold: int, expires: datetime, version: int = 1
) -> bytes:
    """Return root metadata signed by all of its operators; Misuse as draft_root()."""
    keys = [operator.public_key for operator in operators]
    return sign(draft_root(keys, threshold=threshold, expires=expires, version=version), operators)


def sign_roster(roster: bytes, operators: Sequence[Signer], *, expires: datetime) -> bytes:
    """Return the targets metadata by which operators vouch for a roster; Misuse as draft_."""
    return sign(draft_targets(roster, expires=expires), operators)
