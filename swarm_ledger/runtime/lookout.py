# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""How a drone in flight gets to know rosters that operators signed since: it looks at its folder.

What it has verified once it remembers in a file of its own, so that neither an older folder nor
another one of the same age is taken for it after a restart (TUF 5.3.5, 5.6.4: rollback).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from swarm_ledger.encoding import Record, decode, digest, encode
from swarm_ledger.errors import Misuse, NotVerified, PeerFault
from swarm_ledger.identity.trust import Trust
from swarm_ledger.runtime.chronicle import Emit
from swarm_ledger.runtime.drone import Drone
from swarm_ledger.runtime.fleet import Fleet

SEEN = "roster.seen"
"""In a drone's folder: the newest roster and root that it verified."""

_LOOK_MS = 2_000
_SEEN_BYTES = 256
_BRING_BACK = (
    "Bring the newest roster files back; if the whole swarm starts anew, delete "
    f"the drones' {SEEN} files."
)

_Digest = Annotated[bytes, Meta(min_length=32, max_length=32)]
_Stat = tuple[str, int, int]


class _Seen(Record, frozen=True):
    """root, roster: digests of what the newest of each says. roots: how many follow the first."""

    roots: Annotated[int, Meta(ge=0)]
    root: _Digest
    version: Annotated[int, Meta(ge=1)]
    roster: _Digest


class Lookout:
    """Watches the roster folder and the fleet file of one drone, every two seconds.

    fleet: as loaded; it is replaced where the files have changed. Raises NotVerified where the
    folder is older than what this drone verified before.
    """

    def __init__(self, fleet: Fleet, name: str, emit: Emit) -> None:
        self.fleet, self._name, self._emit = fleet, name, emit
        self._path = fleet.home(name) / SEEN
        self._files, self._looked_ms = set(self._stats()), 0
        check_seen(self._path, fleet.trust)
        _remember(self._path, fleet.trust)

    def check_current(self, drone: Drone, now_ms: int) -> None:
        """Raise NotVerified where the newest roster has expired, unless our ledger has a later."""
        if drone.roster.version <= self.fleet.trust.newest.version:
            now = datetime.fromtimestamp(now_ms / 1000, tz=timezone.utc)
            self.fleet.trust.proven[-1].check_current(now)

    def look(self, drone: Drone, now_ms: int) -> bool:
        """Look now and then, and have a drone learn what is new; True where something was.

        What is wrong with the files is reported once, and looked at again when they change.
        """
        if 0 <= now_ms - self._looked_ms < _LOOK_MS:
            return False
        self._looked_ms = now_ms
        files = set(self._stats())
        if files == self._files:
            return False
        self._files = files
        try:
            fleet = self.fleet.again()
            drone.learn(fleet.trust, now_ms)
            _remember(self._path, fleet.trust)
        except (NotVerified, Misuse) as error:
            self._emit("roster_refused", {"what": error.explain()})
            return False
        version = fleet.trust.newest.version
        if version > self.fleet.trust.newest.version:
            self._emit("roster_found", {"version": version})
        self.fleet = fleet
        return True

    def _stats(self) -> Iterator[_Stat]:
        """Yield name, size and age of each file that matters: no file is opened for it."""
        directory = self.fleet.folder / self.fleet.file.roster
        with suppress(OSError):
            for path in (self.fleet.path, *directory.glob("*.json")):
                with suppress(FileNotFoundError):
                    found = path.stat()
                    yield path.name, found.st_size, found.st_mtime_ns


def check_seen(path: Path, trust: Trust) -> None:
    """Raise NotVerified where a roster folder lacks what the file says was verified before."""
    try:
        seen: _Seen = decode(path.read_bytes(), _Seen, limit=_SEEN_BYTES)
    except FileNotFoundError:
        return
    except OSError as error:
        raise Misuse(f"cannot read {path}: {error.strerror}.") from error
    except PeerFault as error:
        raise NotVerified("it is damaged.", where=str(path), remedy=_BRING_BACK) from error
    said = trust.roots.said
    if seen.roots >= len(said) or digest(said[seen.roots]) != seen.root:
        raise NotVerified(
            "the operators' root that was verified before is gone.",
            where="roster",
            remedy=_BRING_BACK,
        )
    known = {one.roster.version: digest(one.roster.raw) for one in trust.versions}
    if known.get(seen.version) != seen.roster:
        raise NotVerified(
            f"version {seen.version}, which was verified before, is gone or another one.",
            where="roster",
            remedy=_BRING_BACK,
        )


def _remember(path: Path, trust: Trust) -> None:
    said, newest = trust.roots.said, trust.newest
    seen = _Seen(len(said) - 1, digest(said[-1]), newest.version, digest(newest.raw))
    data = encode(seen)
    try:
        if not path.exists() or path.read_bytes() != data:
            fresh = path.with_name(path.name + ".new")
            fresh.write_bytes(data)
            fresh.replace(path)
    except OSError as error:
        raise Misuse(f"cannot write {path}: {error.strerror}.") from error
