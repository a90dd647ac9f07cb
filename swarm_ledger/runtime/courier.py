# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""How anchors get from a relay to the ledger: by two files in the drone's folder.

The relay writes the one that it wants ordered, the drone has it ordered and writes what its
ledger holds. Each file has one writer and is replaced at once, so that either may end at any time.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Any

from swarm_ledger.encoding import decode, encode
from swarm_ledger.envelope import Kind
from swarm_ledger.errors import Misuse, PeerFault
from swarm_ledger.identity.cose import parse1
from swarm_ledger.relay.anchor import MAX_ANCHOR_BYTES, Anchor, Told, parse_anchor
from swarm_ledger.runtime.chronicle import Emit
from swarm_ledger.runtime.drone import Drone
from swarm_ledger.signers.secret import write_private

WANTED = "relay.anchor"
"""The relay's: the sealed anchor that it wants ordered, or had ordered last."""

HELD = "relay.anchored"
"""The drone's: the last anchor of its own that its ledger holds."""

LOCK = "relay.lock"

_PASSING = ("too_soon", "unknown_key", "stale_epoch")
"""It has to wait, for the ledger or for the relay to seal it under the next roster."""

_SEALED_BYTES = MAX_ANCHOR_BYTES + 256
_LOOK_MS = 1_000
_AGAIN_MS = 5_000


class Outbox:
    """The relay's end. Misuse where another relay of this drone anchors already."""

    def __init__(self, folder: Path) -> None:
        self._wanted, self._held = folder / WANTED, folder / HELD
        try:
            self._lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise Misuse(f"cannot use {folder / LOCK}: {error.strerror}.") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise Misuse(
                f"another relay anchors from {folder}.",
                remedy="Let one relay of a drone anchor, and give the others anchor_ms 0.",
            ) from error

    def close(self) -> None:
        """Let another relay anchor."""
        os.close(self._lock)

    def told(self) -> Told | None:
        """Return what the drone said last; None if it said nothing, or nothing that is whole."""
        try:
            return _parse_told(_read(self._held))
        except PeerFault:
            return None

    def pending(self) -> Anchor | None:
        """Return what an earlier relay wanted ordered last, None if there is nothing whole."""
        raw = _read(self._wanted)
        try:
            return _unsealed(raw) if raw else None
        except PeerFault:
            return None

    def put(self, sealed: bytes) -> None:
        """Want an anchor ordered, instead of any before; on disk when it returns."""
        try:
            write_private(self._wanted, sealed, over=True)
        except OSError as error:
            raise Misuse(f"cannot write {self._wanted}: {error.strerror}.") from error


class Courier:
    """The drone's end: has the relay's anchor ordered, again and again until the ledger holds it.

    folder: the drone's own.
    """

    def __init__(self, folder: Path, emit: Emit) -> None:
        self._wanted, self._held, self._emit = folder / WANTED, folder / HELD, emit
        self._looked_ms = self._sent_ms = 0
        self._raw = self._said = b""
        self._refused = ""

    def look(self, drone: Drone, now_ms: int) -> None:
        """Look now and then what is wanted, and tell what is held."""
        if 0 <= now_ms - self._looked_ms < _LOOK_MS:
            return
        self._looked_ms = now_ms
        try:
            told = drone.machine.chains.told(drone.member)
            self._tell(encode(told))
            self._carry(drone, told, now_ms)
        except (Misuse, OSError) as error:
            self._complain(str(error))

    def _tell(self, said: bytes) -> None:
        if said != self._said and said != _read(self._held):
            write_private(self._held, said, over=True)
        self._said = said

    def _carry(self, drone: Drone, told: Told, now_ms: int) -> None:
        raw = _read(self._wanted)
        if raw != self._raw:
            self._raw, self._sent_ms = raw, 0
        if not raw or 0 <= now_ms - self._sent_ms < _AGAIN_MS:
            return
        self._sent_ms = now_ms
        try:
            if raw[:1] != bytes([Kind.ANCHOR]):
                raise PeerFault("malformed", "not an anchor.")
            if _unsealed(raw).root == told.root:
                return
            drone.submit(raw, now_ms)
            self._refused = ""
        except PeerFault as fault:
            if fault.reason not in _PASSING:
                self._complain(f"{fault.reason}: {fault.what}")

    def _complain(self, what: str) -> None:
        """Report a trouble once."""
        if what != self._refused:
            self._refused = what
            fields: dict[str, Any] = {"what": what}
            self._emit("anchor_refused", fields)


def _unsealed(raw: bytes) -> Anchor:
    """Return what a sealed anchor says; its signature is checked where it is handed in."""
    return parse_anchor(parse1(raw[1:], limit=_SEALED_BYTES).payload)


def _parse_told(raw: bytes) -> Told:
    told: Told = decode(raw, Told, limit=128)
    return told


def read_some(path: Path, limit: int) -> bytes | None:
    """Return a file's bytes, up to one more than may be; None if it isn't there."""
    try:
        with path.open("rb") as file:
            return file.read(limit + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Misuse(f"cannot read {path}: {error.strerror}.") from error


def _read(path: Path) -> bytes:
    return read_some(path, _SEALED_BYTES) or b""
