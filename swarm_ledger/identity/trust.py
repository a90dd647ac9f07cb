# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The roster's signatures: TUF metadata, root and targets signed by k of m operators.

Files in a roster directory: root.json (the trust anchor), targets.json, roster.json (its target);
for each later version of the roster <version>.targets.json and <version>.roster.json.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TypeVar

from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import Key, Signature, SSlibKey
from securesystemslib.signer import Signer as TufSigner
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, TargetFile, Targets

from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.identity.roster import Roster, check_succession, parse_roster
from swarm_ledger.signers import Algorithm, Signer, p256

ROOT, TARGETS, ROSTER = "root.json", "targets.json", "roster.json"
_LATER = re.compile(r"([1-9][0-9]{0,9})\.targets\.json")
_MAX_METADATA_BYTES = 1 << 20
_MAX_BRACKETS = 256
"""In targets.json, one for each signature and ten more: how deep JSON may be nested depends on the
caller's stack, and drones must agree on what they take."""


class _OperatorKey(TufSigner):
    """One of our signers, as TUF wants it."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer
        self._key = SSlibKey.from_dict(signer.public_key.hex()[:40], _tuf_key(signer))

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


def _tuf_key(signer: Signer) -> dict[str, Any]:
    """Return a public key as TUF 1.0 writes it: hex, or PEM for ECDSA."""
    if signer.algorithm is Algorithm.ES256:
        public = p256.pem(signer.public_key)
        return {
            "keytype": "ecdsa",
            "scheme": "ecdsa-sha2-nistp256",
            "keyval": {"public": public},
        }
    public = signer.public_key.hex()
    return {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": public}}


@dataclass(frozen=True)
class Version:
    """A roster with the metadata by which operators signed it, as they stand in the files."""

    targets: bytes
    roster: Roster


class Trust:
    """The operators' root, and the roster versions known to be signed by them.

    root: TUF root metadata, the trust anchor, believed as it is. versions: ascending; the first
    is the one that the ledger starts with, the others may be ordered later. Raises NotVerified.
    """

    def __init__(self, root: bytes, versions: Sequence[tuple[bytes, bytes]]) -> None:
        self._root = _parse(Root, root, ROOT)
        _verify(self._root.signed, "root", self._root, ROOT)
        self.versions = tuple(
            Version(targets, self.verify(targets, roster)) for targets, roster in versions
        )
        if not self.versions:
            raise NotVerified("there is no roster.", where=ROSTER)
        for one, following in zip(self.versions, self.versions[1:], strict=False):
            try:
                check_succession(one.roster, following.roster)
            except Misuse as error:
                where = f"roster version {following.roster.version}"
                raise NotVerified(error.what, where=where) from error

    @property
    def genesis(self) -> Roster:
        """The roster that the ledger starts with."""
        return self.versions[0].roster

    @property
    def newest(self) -> Roster:
        """The newest roster that is known, whether it was ordered yet or not."""
        return self.versions[-1].roster

    def after(self, version: int) -> Version | None:
        """Return the first known version after that one."""
        return next((one for one in self.versions if one.roster.version > version), None)

    def verify(self, targets: bytes, roster: bytes, *, now: datetime | None = None) -> Roster:
        """Return a roster that enough operators signed, and whose version its metadata states.

        now: where given, metadata that has expired by then is refused. Raises NotVerified.
        """
        if targets.count(b"[") + targets.count(b"{") > _MAX_BRACKETS:
            raise NotVerified("nested more deeply than any that was signed.", where=TARGETS)
        metadata = _parse(Targets, targets, TARGETS)
        _verify(self._root.signed, "targets", metadata, TARGETS)
        for name, signed in ((ROOT, self._root.signed), (TARGETS, metadata.signed)):
            if now is not None and signed.is_expired(now.astimezone(timezone.utc)):
                raise NotVerified(f"expired on {signed.expires}.", where=name)
        try:
            metadata.signed.targets[ROSTER].verify_length_and_hashes(roster)
            parsed = parse_roster(roster)
        except (RepositoryError, KeyError) as error:
            raise NotVerified(f"not the one that was signed ({error}).", where=ROSTER) from error
        except Misuse as error:
            raise NotVerified(error.what, where=ROSTER) from error
        if parsed.version != metadata.signed.version:
            raise NotVerified("its version is not that of targets.json.", where=ROSTER)
        return parsed


_SignedT = TypeVar("_SignedT", Root, Targets)


def _parse(form: type[_SignedT], raw: bytes, where: str) -> Metadata[_SignedT]:
    try:
        metadata = Metadata[_SignedT].from_bytes(raw)
    except (RepositoryError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise NotVerified(f"not TUF metadata: {error}.", where=where) from error
    if not isinstance(metadata.signed, form):
        raise NotVerified("metadata of another type.", where=where)
    return metadata


def _verify(root: Root, role: str, metadata: Metadata[_SignedT], where: str) -> None:
    try:
        root.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
    except (RepositoryError, UnverifiedSignatureError, ValueError) as error:
        raise NotVerified(f"{error}.", where=where) from error


def sign_root(operators: Sequence[Signer], *, threshold: int, expires: datetime) -> bytes:
    """Return root metadata; Misuse for a threshold that the operators can't meet.

    threshold: how many operators' signatures a roster needs.
    """
    if not 1 <= threshold <= len(operators):
        raise Misuse(f"{len(operators)} operators can't meet a threshold of {threshold}.")
    root = Root(version=1, expires=expires, consistent_snapshot=False)
    signers = [_OperatorKey(operator) for operator in operators]
    for role in ("root", "targets"):
        for signer in signers:
            root.add_key(signer.public_key, role)
        root.roles[role].threshold = threshold
    return _signed(Metadata(root), signers)


def sign_roster(roster: bytes, operators: Sequence[Signer], *, expires: datetime) -> bytes:
    """Return the targets metadata by which operators vouch for a roster.

    Misuse if it is not a valid roster.
    """
    targets = Targets(version=parse_roster(roster).version, expires=expires)
    targets.targets[ROSTER] = TargetFile.from_data(ROSTER, roster, ["sha256"])
    return _signed(Metadata(targets), [_OperatorKey(operator) for operator in operators])


def _signed(metadata: Metadata[_SignedT], signers: Sequence[_OperatorKey]) -> bytes:
    for signer in signers:
        metadata.sign(signer, append=True)
    return metadata.to_bytes()


def write_trust(
    directory: Path,
    roster: bytes,
    operators: Sequence[Signer],
    *,
    threshold: int,
    expires: datetime,
) -> None:
    """Sign a swarm's first roster and write the three files.

    threshold: how many operators' signatures a roster needs. Misuse for a threshold that the
    operators can't meet, or a directory that can't be written.
    """
    root = sign_root(operators, threshold=threshold, expires=expires)
    targets = sign_roster(roster, operators, expires=expires)
    _write(directory, {ROOT: root, TARGETS: targets, ROSTER: roster})


def write_version(
    directory: Path, roster: bytes, operators: Sequence[Signer], *, expires: datetime
) -> None:
    """Sign a next version of a roster and write its two files next to the first ones.

    Misuse if it can't follow the newest one there, or if these operators are not enough.
    """
    trust = load_trust(directory)
    parsed = parse_roster(roster)
    check_succession(trust.newest, parsed)
    targets = sign_roster(roster, operators, expires=expires)
    try:
        trust.verify(targets, roster)
    except NotVerified as error:
        raise Misuse(f"{len(operators)} operators did not sign enough: {error.what}") from error
    version = parsed.version
    _write(directory, {f"{version}.{TARGETS}": targets, f"{version}.{ROSTER}": roster})


def _write(directory: Path, files: Mapping[str, bytes]) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            (directory / name).write_bytes(data)
    except OSError as error:
        raise Misuse(f"cannot write the roster to {directory}: {error.strerror}.") from error


def load_trust(directory: Path, *, now: datetime | None = None) -> Trust:
    """Read and verify a roster directory with all versions in it.

    now: where given, a newest version whose metadata has expired by then is refused; an
    investigator who replays an old flight leaves it out. Raises NotVerified, or Misuse where
    files are missing.
    """
    root, targets, roster = (_read(directory / name) for name in (ROOT, TARGETS, ROSTER))
    found = (_LATER.fullmatch(path.name) for path in directory.iterdir())
    later = sorted(int(match[1]) for match in found if match)
    pairs = [
        (_read(directory / f"{version}.{TARGETS}"), _read(directory / f"{version}.{ROSTER}"))
        for version in later
    ]
    try:
        trust = Trust(root, [(targets, roster), *pairs])
        newest = trust.versions[-1]
        trust.verify(newest.targets, newest.roster.raw, now=now)
    except NotVerified as error:
        raise NotVerified(str(error), where=str(directory)) from error
    return trust


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
