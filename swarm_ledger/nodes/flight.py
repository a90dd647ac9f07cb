# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Which roster is in force, for nodes beside the drone's own: they have no ledger at hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.identity.roster import Roster
from swarm_ledger.identity.trust import Trust, load_trust
from swarm_ledger.runtime.fleet import Fleet
from swarm_ledger.runtime.identity import Identity, Keys

_T = TypeVar("_T")


class _Reread(Generic[_T]):
    """Something read from files, and read again when their folder has changed.

    complain: told why it can't be; what was read before stays.
    """

    def __init__(
        self,
        read: Callable[[], _T],
        folder: Callable[[_T], Path],
        complain: Callable[[str], object],
    ) -> None:
        self._read, self._folder, self._complain = read, folder, complain
        self.value = read()
        self._seen = self._state()

    def look(self) -> _T:
        """Return it as it is now."""
        state = self._state()
        if state != self._seen:
            self._seen = state
            try:
                self.value = self._read()
            except (Misuse, NotVerified) as error:
                self._complain(error.explain())
        return self.value

    def _state(self) -> object:
        try:
            return sorted(
                (entry.name, entry.stat().st_mtime_ns, entry.stat().st_size)
                for entry in self._folder(self.value).iterdir()
            )
        except OSError:
            return None


class Ashore:
    """A receiver that has a roster folder and nothing else: the newest version there counts."""

    def __init__(self, folder: Path, complain: Callable[[str], object]) -> None:
        self._trust: _Reread[Trust] = _Reread(
            lambda: load_trust(folder), lambda _: folder, complain
        )

    def roster(self, now_s: int) -> Roster | None:
        """Return the roster in force."""
        return self._trust.look().newest


class Aboard:
    """A node on a drone: that roster is in force under which the drone has its newest session.

    A drone begins a session under a roster once its ledger says that it is in force.
    begins: whether to begin the sessions ourselves, under the newest roster: only where no drone
    node runs, or its sessions and ours would replace one another.
    """

    def __init__(
        self, path: Path, drone: str, complain: Callable[[str], object], *, begins: bool = False
    ) -> None:
        def folder(fleet: Fleet) -> Path:
            return fleet.folder / fleet.file.roster

        self._fleet: _Reread[Fleet] = _Reread(lambda: Fleet.load(path), folder, complain)
        self._begins = begins
        self._keys: Keys = self._fleet.value.keys(drone)
        self.folder = self._fleet.value.folder / self._fleet.value.drone(drone).folder

    def identity(self, now_s: int) -> Identity | None:
        """Return the drone's newest session (now_s: POSIX seconds), None if it has none yet."""
        trust = self._fleet.look().trust
        if self._begins:
            return self._keys.begin(trust.newest, now_s)
        kept = (self._keys.kept(version.roster) for version in reversed(trust.versions))
        return next((identity for identity in kept if identity is not None), None)

    def roster(self, now_s: int) -> Roster | None:
        """Return the roster in force, None before the drone has begun."""
        identity = self.identity(now_s)
        return identity.roster if identity else None
