# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""How rules and wishes for leases reach a drone, and how others on board learn what it holds.

By files in the drone's folder. Operators' sealed instructions lie in a folder there, or where the
fleet file says; which leases are
wanted is in a file that the pilot writes; what is held, and what is to be done, in one that the
drone writes. Each file has one writer and is replaced at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from swarm_ledger.encoding import digest
from swarm_ledger.envelope import Kind
from swarm_ledger.errors import Misuse, PeerFault
from swarm_ledger.identity.cose import parse1
from swarm_ledger.rules.limits import MAX_RULES, Name, TermMs
from swarm_ledger.rules.rule import Instruction, parse_action, parse_instruction
from swarm_ledger.runtime.chronicle import Emit
from swarm_ledger.runtime.courier import read_some
from swarm_ledger.runtime.drone import Drone
from swarm_ledger.signers.secret import write_private

RULES = "rules"
"""The folder of sealed instructions, each in a file whose name ends in SEALED."""

SEALED = ".rule"
WANTED = "leases.wanted"
"""The pilot's: a JSON object of terms in milliseconds, by the name of the rule."""

HELD = "leases.held"
"""The drone's: a JSON object, see Status."""

_WANTED_BYTES = 8_192
_SEALED_BYTES = 2_560
_FILES = 256
_ACTIONS = 16
_LOOK_MS = 1_000
_AGAIN_MS = 5_000

_WAITING = ("no_rule", "no_request", "rules_full")
"""Why an instruction doesn't count that may have before, or may later on."""

_DONE = ("known", "stale_rule")
"""Why one doesn't that never will again."""

Wanted = Annotated[dict[Name, TermMs], Meta(max_length=MAX_RULES)]


class Lease(msgspec.Struct, frozen=True):
    """A lease that the drone holds. grant: its fencing token; until_ms: ledger time."""

    grant: int
    until_ms: int


class Due(msgspec.Struct, frozen=True):
    """An action that the drone is to carry out, once; see swarm_ledger.rules.rule.Action."""

    number: int
    rule: str
    action: str
    parameters: str
    decision: int
    time_ms: int


class Status(msgspec.Struct, frozen=True):
    """leases: by name; actions: the last ones for this drone, among the last of all, in order."""

    leases: dict[str, Lease]
    actions: list[Due]


def read_wanted(folder: Path) -> dict[str, int]:
    """Return which leases the pilot wants, and for how long; Misuse where the file is damaged."""
    path = folder / WANTED
    raw = read_some(path, _WANTED_BYTES)
    if raw is None:
        return {}
    try:
        wanted: dict[str, int] = msgspec.json.decode(raw, type=Wanted)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Misuse(
            f"{path} does not say which leases are wanted: {error}.",
            remedy='Write one JSON object of terms in milliseconds, such as {"pad": 60000}.',
        ) from error
    return wanted


def write_wanted(folder: Path, wanted: dict[str, int]) -> None:
    """Want these leases from now on, instead of any before; on disk when it returns."""
    try:
        write_private(folder / WANTED, msgspec.json.encode(wanted), over=True)
    except OSError as error:
        raise Misuse(f"cannot write {folder / WANTED}: {error.strerror}.") from error


class Clerk:
    """The drone's end. folder: its own; given: files of sealed instructions elsewhere."""

    def __init__(self, folder: Path, emit: Emit, given: Sequence[Path] = ()) -> None:
        self._folder, self._emit, self._given = folder, emit, given
        self._looked_ms = self._sent_ms = 0
        self._wanted: dict[str, int] = {}
        self._over: set[bytes] = set()
        self._complained: set[str] = set()
        self._said = b""
        self._actions: tuple[int, list[Due]] = (-1, [])

    def look(self, drone: Drone, now_ms: int) -> None:
        """Look now and then what lies there, and tell what is held."""
        if 0 <= now_ms - self._looked_ms < _LOOK_MS:
            return
        self._looked_ms = now_ms
        try:
            self._tell(drone)
        except OSError as error:
            self._complain(f"cannot write {self._folder / HELD}: {error.strerror}.")
        try:
            self._want(drone)
        except Misuse as error:
            self._complain(error.explain())
        if not 0 <= now_ms - self._sent_ms < _AGAIN_MS:
            self._sent_ms = now_ms
            self._hand_in(drone, now_ms)

    def _want(self, drone: Drone) -> None:
        wanted = read_wanted(self._folder)
        for name in self._wanted.keys() - wanted.keys():
            drone.claims.drop(name)
        for name, term_ms in wanted.items():
            if self._wanted.get(name) != term_ms:
                drone.claims.want(name, term_ms)
        self._wanted = wanted

    def _tell(self, drone: Drone) -> None:
        held = {
            name: Lease(one.grant, one.until_ms) for name, one in drone.claims.all_held().items()
        }
        said = msgspec.json.encode(Status(held, self._due(drone)))
        if said != self._said:
            write_private(self._folder / HELD, said, over=True)
            self._said = said

    def _due(self, drone: Drone) -> list[Due]:
        made = drone.machine.rules.actions
        if made != self._actions[0]:
            me = drone.member.id
            found = drone.keeper.store.find(
                Kind.ACTION, skip=max(0, made - _ACTIONS), limit=_ACTIONS
            )
            actions = (parse_action(one.data[1:]) for one in found)
            due = [
                Due(one.number, one.rule, one.action, one.parameters, one.decision, one.time_ms)
                for one in actions
                if not one.members or me in one.members
            ]
            self._actions = made, due
        return self._actions[1]

    def _hand_in(self, drone: Drone, now_ms: int) -> None:
        """Have what operators sealed ordered, again and again until the ledger holds it."""
        folder = self._folder / RULES
        try:
            found = sorted(islice(folder.glob("*" + SEALED), _FILES))
        except OSError as error:
            self._complain(f"cannot read {folder}: {error.strerror}.")
            return
        seen: set[bytes] = set()
        for path in (*self._given, *found):
            try:
                raw = read_some(path, _SEALED_BYTES)
                if raw is None:
                    if path in self._given:
                        self._complain(f"{path}, which the fleet file names, is not there.")
                    continue
                seen.add(digest(raw))
                if digest(raw) not in self._over and self._submit(drone, raw, now_ms):
                    self._over.add(digest(raw))
            except Misuse as error:
                self._complain(error.explain())
            except PeerFault as fault:
                self._over.add(digest(raw or b""))
                self._complain(f"{path}: {fault.reason}: {fault.what}")
        self._over &= seen

    def _submit(self, drone: Drone, raw: bytes, now_ms: int) -> bool:
        """Hand in an instruction; True if it is over. PeerFault if it can never count."""
        said = unsealed(raw)
        try:
            drone.machine.rules.judge_instruction(said)
        except PeerFault as fault:
            if fault.reason in _WAITING:
                return False
            if fault.reason in _DONE:
                return True
            raise
        drone.submit(raw, now_ms)
        return False

    def _complain(self, what: str) -> None:
        """Report a trouble once, and not for ever."""
        if what not in self._complained and len(self._complained) < _FILES:
            self._complained.add(what)
            fields: dict[str, Any] = {"what": what}
            self._emit("rule_refused", fields)


def unsealed(raw: bytes) -> Instruction:
    """Return what a sealed instruction says; PeerFault if it is none.

    Its signature is checked where it is handed in.
    """
    if raw[:1] != bytes([Kind.RULE]):
        raise PeerFault("malformed", "not a sealed rule.")
    return parse_instruction(parse1(raw[1:], limit=_SEALED_BYTES).payload)
