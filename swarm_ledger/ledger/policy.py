# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Which logs and which sets of witnesses a verifier trusts (C2SP tlog-policy).

The file's octets are opaque: names are kept as text by mapping bytes that aren't UTF-8 to lone
surrogates and back, which loses nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

import msgspec

from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.ledger.checkpoint import Checkpoint, log_key, witness_key
from swarm_ledger.ledger.note import COSIGNATURE_V1, Note, NoteVerifier, key_ring

MAX_POLICY_SIZE = 1 << 21
MAX_DEFINITIONS = 8192
_FORBIDDEN = re.compile(rb"[^\t\n\x20-\x7e\x80-\xff]")
_NUMBER = re.compile(r"[1-9][0-9]{0,3}")


class Group(msgspec.Struct, frozen=True):
    """Is satisfied when at least threshold of its members (witnesses or groups) are."""

    threshold: int
    members: tuple[str, ...]


class CheckedNote(msgspec.Struct, frozen=True):
    """What a good checkpoint note says, and who of the policy signed it.

    logs: key ids in hex; witnesses: the policy's names for them, sorted.
    """

    checkpoint: Checkpoint
    logs: tuple[str, ...]
    witnesses: tuple[str, ...]


class Policy:
    """Known logs, known witnesses and the quorum; immutable once made.

    text: the policy file's bytes; logs: accepted logs; witnesses and groups: by policy name;
    quorum: the name of a witness or a group, or "none".
    """

    def __init__(
        self,
        text: bytes,
        logs: tuple[NoteVerifier, ...],
        witnesses: Mapping[str, NoteVerifier],
        groups: Mapping[str, Group],
        quorum: str,
    ) -> None:
        self.text = text
        self.logs = logs
        self.witnesses = dict(witnesses)
        self.groups = dict(groups)
        self.quorum = quorum
        self._ring = key_ring([*logs, *self.witnesses.values()])
        self._names = {verifier: name for name, verifier in self.witnesses.items()}

    @classmethod
    def parse(cls, text: bytes) -> Policy:
        """Read a policy file; raises Misuse with the line's number for anything wrong."""
        return _Reader(text).read()

    @classmethod
    def for_swarm(
        cls, origin: str, keys: Mapping[str, bytes | Sequence[bytes]], quorum: int
    ) -> Policy:
        """Return the policy of a swarm: validators' names to Ed25519 public keys, and a quorum.

        Any validator may sign as the log; quorum of them must have cosigned. One that had several
        keys cosigns once, with any of them: they are the witnesses name/1, name/2 and so on.
        """
        names = sorted(keys)
        owned = {n: [k] if isinstance(k, bytes) else list(k) for n, k in keys.items()}
        lines = [f"log {log_key(origin, key).vkey}" for name in names for key in owned[name]]
        for name in names:
            vkeys = [witness_key(origin, name, key).vkey for key in owned[name]]
            known = [name] if len(vkeys) == 1 else [f"{name}/{i + 1}" for i in range(len(vkeys))]
            lines += [f"witness {n} {vkey}" for n, vkey in zip(known, vkeys, strict=True)]
            lines += [f"group {name} any {' '.join(known)}"] * (len(vkeys) > 1)
        lines += [f"group validators {quorum} {' '.join(names)}", "quorum validators"]
        return cls.parse("".join(line + "\n" for line in lines).encode())

    def satisfied(self, witnesses: AbstractSet[str]) -> bool:
        """Tell whether witnesses, given by their policy names, make up the quorum."""
        held = {name for name in witnesses if name in self.witnesses}
        for name, group in self.groups.items():  # members are always defined before their group
            if sum(member in held for member in group.members) >= group.threshold:
                held.add(name)
        return self.quorum == "none" or self.quorum in held

    def check(self, note: bytes) -> Checkpoint:
        """Return the checkpoint of a note that this policy accepts; raises NotVerified."""
        return self.examine(note).checkpoint

    def examine(self, note: bytes, *, exact: bool = False) -> CheckedNote:
        """Return the checkpoint of a note that this policy accepts, and who signed it.

        exact: also refuse any line that the verdict doesn't need, such as an unknown key's or one
        cosignature more than the quorum, so that no byte of the note goes unchecked.
        Raises NotVerified.
        """
        parsed = Note.parse(note)
        checkpoint = Checkpoint.parse(parsed.text)
        signers = parsed.verify(self._ring)
        logs = [v for v in signers if v in self.logs and v.name == checkpoint.origin]
        if not logs:
            raise NotVerified(
                f"no log of the policy named {checkpoint.origin!r} has signed it",
                where="checkpoint",
            )
        witnesses = frozenset(self._names[v] for v in signers if v in self._names)
        if not self.satisfied(witnesses):
            raise NotVerified(
                f"{len(witnesses)} known cosignatures don't satisfy the quorum {self.quorum!r}",
                where="checkpoint",
            )
        if exact:
            self._refuse_redundant(parsed, logs, witnesses)
        return CheckedNote(
            checkpoint, tuple(v.key_id.hex() for v in logs), tuple(sorted(witnesses))
        )

    def _refuse_redundant(
        self, note: Note, logs: list[NoteVerifier], witnesses: frozenset[str]
    ) -> None:
        spare = sorted(w for w in witnesses if self.satisfied(witnesses - {w}))
        if len(logs) > 1 or len(note.signatures) != len(logs) + len(witnesses):
            raise NotVerified("it has signatures that nothing needs", where="checkpoint")
        if spare:
            raise NotVerified(f"the cosignature of {spare[0]} is not needed", where="checkpoint")


class _Reader:
    """Reads one policy file, line by line, remembering what earlier lines defined."""

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.number = 0
        self.logs: list[NoteVerifier] = []
        self.witnesses: dict[str, NoteVerifier] = {}
        self.groups: dict[str, Group] = {}
        self.members: set[str] = set()
        self.listed: set[tuple[str, bytes]] = set()
        self.quorum: str | None = None

    def fault(self, what: str) -> Misuse:
        return Misuse(f"Policy, line {self.number}: {what}.")

    def read(self) -> Policy:
        if len(self.text) > MAX_POLICY_SIZE:
            raise Misuse(f"A policy has at most {MAX_POLICY_SIZE} bytes; this has more.")
        lines = self.text.split(b"\n")
        for self.number, raw in enumerate(lines, start=1):
            if _FORBIDDEN.search(raw):
                raise self.fault("it has a control character")
            if self.number == len(lines):
                break
            fields = raw.decode("utf-8", "surrogateescape").strip(" \t")
            if fields and not fields.startswith("#"):
                self.line(re.split("[ \t]+", fields))
        if lines[-1]:
            raise self.fault("it doesn't end in a newline; the file may have been cut")
        if self.quorum is None:
            raise self.fault("the file ends without a quorum line")
        try:
            return Policy(self.text, tuple(self.logs), self.witnesses, self.groups, self.quorum)
        except Misuse as error:
            raise Misuse(f"Policy: {error.what}") from error

    def line(self, fields: list[str]) -> None:
        keyword, *arguments = fields
        if keyword == "log" and 1 <= len(arguments) <= 2:
            self.log(arguments[0])
        elif keyword == "witness" and 2 <= len(arguments) <= 3:
            self.witness(arguments[0], arguments[1])
        elif keyword == "group" and len(arguments) >= 3:
            self.group(arguments[0], arguments[1], tuple(arguments[2:]))
        elif keyword == "quorum" and len(arguments) == 1:
            self.set_quorum(arguments[0])
        else:
            raise self.fault(
                "it is none of 'log <vkey> [<url>]', 'witness <name> <vkey> [<url>]', "
                "'group <name> all|any|<k> <name>...', 'quorum <name>'"
            )
        if len(self.logs) + len(self.witnesses) + len(self.groups) > MAX_DEFINITIONS:
            raise self.fault(f"there are more than {MAX_DEFINITIONS} definitions")

    def key(self, text: str, keyword: str) -> NoteVerifier:
        try:
            text.encode("utf-8")
            verifier = NoteVerifier.from_vkey(text)
        except UnicodeEncodeError as error:
            raise self.fault("the key's name is not UTF-8") from error
        except Misuse as error:
            raise self.fault(error.what.rstrip(".")) from error
        if (keyword, verifier.public_key) in self.listed:
            raise self.fault("this public key was listed before")
        self.listed.add((keyword, verifier.public_key))
        return verifier

    def log(self, vkey: str) -> None:
        self.logs.append(self.key(vkey, "log"))

    def witness(self, name: str, vkey: str) -> None:
        self.define(name)
        verifier = self.key(vkey, "witness")
        if verifier.kind != COSIGNATURE_V1:
            raise self.fault(f"the key of witness {name} is not of type 0x04, for cosignatures")
        self.witnesses[name] = verifier

    def group(self, name: str, threshold: str, members: tuple[str, ...]) -> None:
        self.define(name)
        for member in members:
            self.known(member)
            if member in self.members:
                raise self.fault(f"{member} is already a member of a group")
            self.members.add(member)
        size = len(members)
        if threshold not in ("all", "any") and not _NUMBER.fullmatch(threshold):
            raise self.fault(f"{threshold[:24]!r} is neither 'all', 'any' nor a number")
        needed = {"all": size, "any": 1}.get(threshold) or int(threshold)
        if needed > size:
            raise self.fault(f"the group has {size} members, fewer than {needed}")
        self.groups[name] = Group(needed, members)

    def set_quorum(self, name: str) -> None:
        if self.quorum is not None:
            raise self.fault("there is a second quorum line")
        if name != "none":
            self.known(name)
        self.quorum = name

    def define(self, name: str) -> None:
        if name == "none" or name in self.witnesses or name in self.groups:
            raise self.fault(f"the name {name} is taken")

    def known(self, name: str) -> None:
        if name not in self.witnesses and name not in self.groups:
            raise self.fault(f"no witness or group named {name} is defined above")
