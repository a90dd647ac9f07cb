# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The roster's signatures: TUF metadata, root and targets signed by k of m operators.

Files in a roster directory: root.json (the trust anchor), targets.json, roster.json (its target).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import Key, Signature, SSlibKey
from securesystemslib.signer import Signer as TufSigner
from tuf.api.exceptions import DownloadError, RepositoryError
from tuf.api.metadata import Metadata, Root, TargetFile, Targets

from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.identity.roster import Roster, parse_roster
from swarm_ledger.signers import Signer

ROSTER = "roster.json"
_MAX_METADATA_BYTES = 1 << 20


class _OperatorKey(TufSigner):
    """One of our signers, as TUF wants it."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer
        self._key = SSlibKey.from_dict(
            signer.public_key.hex()[:40],
            {
                "keytype": "ed25519",
                "scheme": "ed25519",
                "keyval": {"public": signer.public_key.hex()},
            },
        )

    @property
    def public_key(self) -> Key:
        return self._key

    @classmethod
    def from_priv_key_uri(
        cls, priv_key_uri: str, public_key: Key, secrets_handler: object = None
    ) -> TufSigner:
        raise NotImplementedError("operators' keys are opened by swarm_ledger.signers")

    def sign(self, payload: bytes) -> Signature:
        return Signature(self._key.keyid, self._signer.sign(payload).hex())


def write_trust(
    directory: Path,
    roster: bytes,
    operators: Sequence[Signer],
    *,
    threshold: int,
    expires: datetime,
) -> None:
    """Sign a roster and write the three files.

    threshold: how many operators' signatures a roster needs. Misuse for a threshold that the
    operators can't meet, or a directory that can't be written.
    """
    if not 1 <= threshold <= len(operators):
        raise Misuse(f"{len(operators)} operators can't meet a threshold of {threshold}.")
    version = parse_roster(roster).version
    signers = [_OperatorKey(operator) for operator in operators]
    root = Root(version=1, expires=expires, consistent_snapshot=False)
    for role in ("root", "targets"):
        for signer in signers:
            root.add_key(signer.public_key, role)
        root.roles[role].threshold = threshold
    targets = Targets(version=version, expires=expires)
    targets.targets[ROSTER] = TargetFile.from_data(ROSTER, roster, ["sha256"])
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, signed in (("root.json", Metadata(root)), ("targets.json", Metadata(targets))):
            for signer in signers:
                signed.sign(signer, append=True)
            (directory / name).write_bytes(signed.to_bytes())
        (directory / ROSTER).write_bytes(roster)
    except OSError as error:
        raise Misuse(f"cannot write the roster to {directory}: {error.strerror}.") from error


def load_roster(directory: Path, *, now: datetime | None = None) -> Roster:
    """Read and verify a roster directory.

    now: where given, metadata that has expired by then is refused; an investigator who replays
    an old flight leaves it out. Raises NotVerified, or Misuse where files are missing.
    """
    root_bytes, targets_bytes, roster_bytes = (
        _read(directory / name) for name in ("root.json", "targets.json", ROSTER)
    )
    try:
        root = Metadata[Root].from_bytes(root_bytes)
        targets = Metadata[Targets].from_bytes(targets_bytes)
        if not (isinstance(root.signed, Root) and isinstance(targets.signed, Targets)):
            raise NotVerified("metadata of another type.", where=str(directory))
        root.signed.verify_delegate("root", root.signed_bytes, root.signatures)
        root.signed.verify_delegate("targets", targets.signed_bytes, targets.signatures)
        targets.signed.targets[ROSTER].verify_length_and_hashes(roster_bytes)
    except (RepositoryError, DownloadError, UnverifiedSignatureError) as error:
        raise NotVerified(f"{error}.", where=str(directory)) from error
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise NotVerified(
            f"not TUF metadata of a roster: {error}.", where=str(directory)
        ) from error
    for name, signed in (("root.json", root.signed), ("targets.json", targets.signed)):
        if now is not None and signed.is_expired(now.astimezone(timezone.utc)):
            raise NotVerified(f"expired on {signed.expires}.", where=str(directory / name))
    roster = parse_roster(roster_bytes)
    if roster.version != targets.signed.version:
        raise NotVerified("its version is not that of targets.json.", where=ROSTER)
    return roster


def _read(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Misuse(
            f"cannot read {path}: {error.strerror}.",
            remedy="A roster directory holds root.json, targets.json and roster.json.",
        ) from error
    if len(data) > _MAX_METADATA_BYTES:
        raise NotVerified(f"larger than {_MAX_METADATA_BYTES} bytes.", where=str(path))
    return data
