# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A small swarm whose keys follow from names: the people and messages of the tests."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from swarm_ledger.encoding import encode
from swarm_ledger.envelope import Kind, Opener, seal
from swarm_ledger.errors import Misuse
from swarm_ledger.identity.channel import ChannelKeys
from swarm_ledger.identity.cose import kid
from swarm_ledger.identity.roster import (
    FLYING,
    VOTERS,
    Member,
    Role,
    Roster,
    parse_roster,
    render_roster,
)
from swarm_ledger.identity.trust import Trust, Version
from swarm_ledger.identity.tuf import sign_root, sign_roster
from swarm_ledger.perception import CUP, TWO_FACES, Perceived
from swarm_ledger.runtime.identity import Identity, take_up
from swarm_ledger.runtime.voter import Look
from swarm_ledger.signers import KeyStore, SoftwareSigner
from swarm_ledger.voting.observation import Observation
from swarm_ledger.voting.question import Question, question_id
from swarm_ledger.voting.rules import Majority

T0_MS = 1_893_456_000_000
T0_S = T0_MS // 1000
DAY_S = 86_400
END = datetime(2031, 1, 1, tzinfo=timezone.utc)
"""When the operators' signatures on rosters expire."""


def key(name: str) -> SoftwareSigner:
    """Return the key that belongs to a name."""
    return SoftwareSigner(hashlib.sha256(name.encode()).digest())


def perceived(label: str = CUP, sure: float = 0.9) -> Perceived:
    """Return a judgement made by hand."""
    other = TWO_FACES if label == CUP else CUP
    return Perceived(label, sure, {label: sure, other: (1 - sure) / 2, "unknown": (1 - sure) / 2})


def look(number: int = 0, label: str = CUP, stamp_ms: int = T0_MS) -> Look:
    """Return one look from a bearing of its own."""
    image = hashlib.sha256(b"image %d" % number).digest()
    return Look(perceived(label), stamp_ms, image, 0.5 + number, 3.0)


def put_version(directory: Path, version: Version) -> None:
    """Put a later roster's files next to the first one's."""
    number = version.roster.version
    (directory / f"{number}.targets.json").write_bytes(version.targets)
    (directory / f"{number}.roster.json").write_bytes(version.roster.raw)


class Crew:
    """n validators and voters, one observer, some operators, and what they sign.

    One operator's signature is enough for a roster: the first one's.

    A member's root key is that of "<swarm> <name>", its first session's of "<swarm> <name> 0".
    followers: how many of them, the last ones, vote only. secret: whether they have channel keys,
    and so can speak in secret.
    """

    def __init__(
        self,
        n: int = 4,
        swarm: str = "test",
        version: int = 1,
        *,
        secret: bool = False,
        operators: int = 1,
        followers: int = 0,
    ) -> None:
        self.swarm, self.version, self.secret = swarm, version, secret
        self.names = [f"drone_{i}" for i in range(1, n + 1)]
        roles = dict.fromkeys(self.names, FLYING)
        roles.update(dict.fromkeys(self.names[n - followers :], VOTERS))
        roles["watcher"] = frozenset({Role.OBSERVER})
        asking = [f"operator_{i}" for i in range(1, operators + 1)]
        roles.update(dict.fromkeys(asking, frozenset({Role.OPERATOR})))
        members = [
            self.member(index, name, role) for index, (name, role) in enumerate(roles.items())
        ]
        self.raw_roster = render_roster(swarm, version, members)
        self.roster: Roster = parse_roster(self.raw_roster)
        signers = [self.root("operator_1")]
        root = sign_root(signers, threshold=1, expires=END)
        targets = sign_roster(self.raw_roster, signers, expires=END)
        self.anchor = root, (targets, self.raw_roster)
        self.trust = Trust(root, [(targets, self.raw_roster)])
        self.question = Question("What is it?", (CUP, TWO_FACES), Majority(), 8_000, bytes(16))
        self.question_id = question_id(encode(self.question))

    def member(self, index: int, name: str, roles: frozenset[Role]) -> Member:
        """Return who has that name, at a place; with channel keys where the crew has secrets."""
        channel = self.channel(name).public if self.secret and Role.OPERATOR not in roles else None
        public_key = self.root(name).public_key
        return Member(index, name, public_key, KeyStore.SOFTWARE, roles, channel=channel)

    def channel(self, name: str) -> ChannelKeys:
        """Return a member's channel keys."""
        return ChannelKeys(hashlib.sha256(f"{self.swarm} {name} channel".encode()).digest())

    def root(self, name: str) -> SoftwareSigner:
        """Return a member's root key."""
        return key(f"{self.swarm} {name}")

    def session(self, name: str, number: int = 0, version: int = 1) -> SoftwareSigner:
        """Return a member's session key; under a later roster version it has another."""
        return key(f"{self.swarm} {name} {number}" + f" v{version}" * (version > 1))

    def identity(
        self,
        name: str,
        number: int = 0,
        *,
        start_s: int = T0_S,
        seconds: int = DAY_S,
        roster: Roster | None = None,
    ) -> Identity:
        """Take up a member's session; under a later roster it has other keys."""
        return take_up(
            roster or self.roster,
            self.root(name),
            self.session(name, number, 1 if roster is None else roster.version),
            not_before=start_s - 60,
            expires=start_s + seconds,
        )

    def keys(self, name: str, number: int = 0, first: int = 0) -> CrewKeys:
        """Return a member's keys, whose sessions of all versions have that number."""
        return CrewKeys(self, name, number, first)

    def changed(
        self,
        old: Roster,
        *,
        add: Sequence[str] = (),
        roles: Mapping[str, frozenset[Role]] | None = None,
        revoke: Sequence[str] = (),
        give: dict[int, str] | None = None,
        by: Sequence[str] = ("operator_1",),
        version: int = 0,
    ) -> Version:
        """Return a next roster, signed. roles: who has others; give: places that go to somebody
        else; by: who signs.
        """
        members = [
            replace(member, roles=frozenset()) if member.name in revoke else member
            for member in old.members
        ]
        for index, member in enumerate(members):
            members[index] = replace(member, roles=(roles or {}).get(member.name, member.roles))
        places = {**(give or {}), **{len(members) + i: name for i, name in enumerate(add)}}
        for index, name in sorted(places.items()):
            members[index : index + 1] = [self.member(index, name, FLYING)]
        raw = render_roster(old.swarm_id, version or old.version + 1, members)
        operators = [self.root(name) for name in by]
        return Version(sign_roster(raw, operators, expires=END), parse_roster(raw))

    def knowing(self, *later: Version) -> Trust:
        """Return what a drone trusts that was given later rosters as well."""
        root, first = self.anchor
        return Trust(root, [first, *((one.targets, one.roster.raw) for one in later)])

    def opener(self, names: Sequence[str] | None = None) -> Opener:
        """Return an opener that was shown these members' first sessions, or all drones'."""
        opener = Opener(self.roster)
        for name in self.names if names is None else names:
            opener.add_session(self.identity(name).delegation)
        return opener

    def asked(self, question: Question | None = None) -> bytes:
        """Return the operator's sealed question."""
        payload = encode(question or self.question)
        return seal(Kind.QUESTION, payload, self.root("operator_1"), self.roster)

    def observation(self, label: int = 0, stamp_ms: int = T0_MS) -> Observation:
        """Return an answer to the question."""
        return Observation(self.question_id, label, 900_000, stamp_ms, bytes(32), 500, 3_000)

    def vote(self, name: str, label: int = 0, *, session: int = 0) -> bytes:
        """Return a member's sealed vote."""
        payload = encode(self.observation(label))
        return seal(Kind.VOTE, payload, self.session(name, session), self.roster)

    def say(self, name: str, message: object, *, session: int = 0) -> bytes:
        """Return a member's sealed consensus message."""
        return seal(Kind.CONSENSUS, encode(message), self.session(name, session), self.roster)


class CrewKeys:
    """The keys of one member. first: the first of its sessions that this disk knows of.

    signs: whether its root key delegates at once; votes: whether it seals a hardware_only
    member's votes at once; trouble: why it doesn't.
    """

    def __init__(self, crew: Crew, name: str, number: int, first: int) -> None:
        self.crew, self.name, self.number, self.first, self.lost = crew, name, number, first, 0
        self.signs = self.votes = True
        self.trouble: Misuse | None = None

    @property
    def root_key(self) -> bytes:
        return self.crew.root(self.name).public_key

    def begin(self, roster: Roster, now_s: int) -> Identity | None:
        member = roster.with_key(self.root_key)
        if member is None or member.index not in roster.flying:
            return None
        return self.crew.identity(self.name, self.number, roster=roster)

    def renew(self, held: Identity, now_s: int) -> Identity | None:
        return None

    def ready(self, roster: Roster, now_s: int) -> bool:
        return self.signs

    def vote(
        self, held: Identity, payload: bytes, now_s: int, kind: Kind = Kind.VOTE
    ) -> bytes | None:
        return held.seal_vote(payload, kind) if self.votes or held.root is None else None

    def kept(self, roster: Roster) -> Identity | None:
        return self.begin(roster, T0_S)

    def holds(self, roster: Roster, session_kid: bytes) -> bool:
        return any(
            kid(self.crew.session(self.name, number, roster.version).public_key) == session_kid
            for number in range(self.first, self.number + 1)
        )

    def lose(self) -> None:
        """A member's keys follow from its name, so that none are in a file."""
