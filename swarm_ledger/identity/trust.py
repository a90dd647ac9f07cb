# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Whose word on rosters counts: TUF's chain of roots, and roster versions signed under it.

Files in a roster directory: root.json (the trust anchor), targets.json, roster.json (its target);
for each later version of the roster <version>.targets.json and <version>.roster.json; for each
later set of operators <version>.root.json.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Targets

from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.identity import tuf
from swarm_ledger.identity.roster import Roster, check_succession, parse_roster
from swarm_ledger.identity.tuf import ROOT, ROSTER, TARGETS, sign_root, sign_roster
from swarm_ledger.signers import Signer

_LATER = re.compile(r"([1-9][0-9]{0,9})\.(root|targets|roster)\.json")
_MAX_METADATA_BYTES = 1 << 20


class Roots:
    """Operators' roots, each signed by enough of the operators before it and of its own.

    first: the trust anchor, believed as it is; later: those that follow it, without a gap (TUF
    5.3). The last one rules. Raises NotVerified.
    """

    def __init__(self, first: bytes, later: Sequence[bytes] = ()) -> None:
        self.first, self.later = first, tuple(later)
        anchor = tuf.parse(Root, first, ROOT)
        tuf.check(anchor, anchor.signed, "root", ROOT)
        self._chain: list[Metadata[Root]] = [anchor]
        for raw in later:
            before = self._chain[-1].signed
            where = f"{before.version + 1}.{ROOT}"
            metadata = tuf.parse(Root, raw, where)
            if metadata.signed.version != before.version + 1:
                raise NotVerified(
                    f"root version {metadata.signed.version} can't follow {before.version}.",
                    where=where,
                )
            tuf.check(metadata, before, "root", where)
            tuf.check(metadata, metadata.signed, "root", where)
            self._chain.append(metadata)

    @property
    def last(self) -> Root:
        """The root that rules."""
        return self._chain[-1].signed

    @cached_property
    def said(self) -> tuple[bytes, ...]:
        """What each of them says, in TUF's canonical form: more signatures don't change it."""
        return tuple(metadata.signed_bytes for metadata in self._chain)

    def up_to(self, count: int) -> Roots:
        """Return the first root with that many of the later ones."""
        return Roots(self.first, self.later[:count])

    def follows(self, other: Roots) -> bool:
        """Whether this chain is the other one, or goes on from it."""
        return self.said[: len(other.said)] == other.said

    def verify(self, targets: bytes, roster: bytes) -> Proven:
        """Return a roster that enough operators of the last root signed. Raises NotVerified."""
        metadata = tuf.parse(Targets, targets, TARGETS)
        tuf.check(metadata, self.last, "targets", TARGETS)
        try:
            metadata.signed.targets[ROSTER].verify_length_and_hashes(roster)
            parsed = parse_roster(roster)
        except (RepositoryError, KeyError) as error:
            raise NotVerified(f"not the one that was signed ({error}).", where=ROSTER) from error
        except Misuse as error:
            raise NotVerified(error.what, where=ROSTER) from error
        if parsed.version != metadata.signed.version:
            raise NotVerified("its version is not that of targets.json.", where=ROSTER)
        return Proven(Version(targets, parsed, self.later), self, metadata.signed.expires)


@dataclass(frozen=True)
class Version:
    """A roster with the metadata by which operators signed it, as they stand in the files.

    roots: those after the first, up to the one under which it was signed.
    """

    targets: bytes
    roster: Roster
    roots: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class Proven:
    """A version that was verified. until: when its own metadata expires."""

    version: Version
    roots: Roots
    until: datetime

    @property
    def roster(self) -> Roster:
        """The roster."""
        return self.version.roster

    @property
    def expires(self) -> datetime:
        """When it is over: the roster's metadata or the root's, whichever is first."""
        return min(self.until, self.roots.last.expires)

    @property
    def expires_s(self) -> int:
        """The same in POSIX seconds."""
        return int(self.expires.timestamp())

    def check_current(self, now: datetime) -> None:
        """Raise NotVerified where it has expired by then."""
        for name, until in ((ROOT, self.roots.last.expires), (TARGETS, self.until)):
            if now.astimezone(timezone.utc) >= until:
                raise NotVerified(
                    f"expired on {until}.",
                    where=name,
                    remedy="Have operators sign a version that lasts longer: roster renew.",
                )


class Trust:
    """The operators' roots, and the roster versions known to be signed by them.

    root: TUF root metadata, the trust anchor, believed as it is. versions: targets and roster,
    ascending; the first is the one that the ledger starts with, the others may be ordered later.
    roots: later roots, ascending. Raises NotVerified.
    """

    def __init__(
        self, root: bytes, versions: Sequence[tuple[bytes, bytes]], roots: Sequence[bytes] = ()
    ) -> None:
        self.roots = Roots(root, roots)
        if not versions:
            raise NotVerified("there is no roster.", where=ROSTER)
        self.first = self.roots.up_to(0).verify(*versions[0])
        proven, ruling = [], len(roots)
        for pair in reversed(versions[1:]):
            found = self._proven(pair, ruling)
            proven.append(found)
            ruling = len(found.version.roots)
        self.proven = (self.first, *reversed(proven))
        self.versions = tuple(one.version for one in self.proven)
        for one, following in zip(self.versions, self.versions[1:], strict=False):
            try:
                check_succession(one.roster, following.roster)
            except Misuse as error:
                where = f"roster version {following.roster.version}"
                raise NotVerified(error.what, where=where) from error

    def _proven(self, pair: tuple[bytes, bytes], ruling: int) -> Proven:
        """Verify a version by the newest root that it can be verified by, up to that one.

        So whoever has it ordered brings along a change of operators that came with it.
        """
        for count in range(ruling, 0, -1):
            try:
                return self.roots.up_to(count).verify(*pair)
            except NotVerified:
                continue
        return self.roots.up_to(0).verify(*pair)

    @property
    def genesis(self) -> Roster:
        """The roster that the ledger starts with."""
        return self.first.roster

    @property
    def newest(self) -> Roster:
        """The newest roster that is known, whether it was ordered yet or not."""
        return self.proven[-1].roster

    def after(self, version: int) -> Version | None:
        """Return the first known version after that one."""
        return next((one for one in self.versions if one.roster.version > version), None)

    def verify(self, targets: bytes, roster: bytes, roots: Sequence[bytes] = ()) -> Proven:
        """Verify a version from the first root alone, by the roots that came with it.

        Raises NotVerified.
        """
        return Roots(self.roots.first, roots).verify(targets, roster)

    def check_learnt(self, new: Trust) -> None:
        """Raise NotVerified unless another folder's content goes on from this one.

        It may know more; it may not have lost or changed a version, or a root: a rollback.
        """
        if not new.roots.follows(self.roots):
            raise NotVerified("the roots of operators are not those known before.", where=ROOT)
        rosters = {version.roster.version: version.roster for version in new.versions}
        for known in self.versions:
            found = rosters.get(known.roster.version)
            if found != known.roster:
                what = "is gone" if found is None else "is another one than before"
                raise NotVerified(
                    f"roster version {known.roster.version} {what}.",
                    where=ROSTER,
                    remedy="Versions are never removed or replaced; bring the newest ones back.",
                )


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
    write_files(directory, {ROOT: root, ROSTER: roster, TARGETS: targets})


def write_files(directory: Path, files: dict[str, bytes]) -> None:
    """Write files in that order, each whole or not at all; Misuse where that can't be done.

    Give roots first and targets last: a reader looks for what goes with those that it finds.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            fresh = directory / f".{name}.new"
            fresh.write_bytes(data)
            os.replace(fresh, directory / name)
    except OSError as error:
        raise Misuse(f"cannot write the roster to {directory}: {error.strerror}.") from error


def load_trust(directory: Path, *, now: datetime | None = None) -> Trust:
    """Read and verify a roster directory with all versions in it.

    now: where given, a newest version whose metadata has expired by then is refused; an
    investigator who replays an old flight leaves it out. Raises NotVerified, or Misuse where
    files are missing.
    """
    root, targets, roster = (read_file(directory / name) for name in (ROOT, TARGETS, ROSTER))
    later = {kind: _numbers(directory, kind) for kind in ("targets", "root")}
    pairs = [
        (
            read_file(directory / f"{version}.{TARGETS}"),
            read_file(directory / f"{version}.{ROSTER}"),
        )
        for version in later["targets"]
    ]
    roots = [read_file(directory / f"{version}.{ROOT}") for version in later["root"]]
    try:
        trust = Trust(root, [(targets, roster), *pairs], roots)
        if now is not None:
            trust.proven[-1].check_current(now)
    except NotVerified as error:
        raise NotVerified(str(error), where=str(directory), remedy=error.remedy) from error
    return trust


def _numbers(directory: Path, kind: str) -> list[int]:
    found = (_LATER.fullmatch(path.name) for path in directory.iterdir())
    return sorted(int(match[1]) for match in found if match and match[2] == kind)


def read_file(path: Path) -> bytes:
    """Read one file of a roster directory; Misuse if it can't be, NotVerified if it is huge."""
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
