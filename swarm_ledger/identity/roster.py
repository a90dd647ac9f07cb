# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The roster: who belongs to the swarm, with which key and in which roles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from swarm_ledger.encoding import digest
from swarm_ledger.errors import Misuse
from swarm_ledger.identity.attestation import Attested
from swarm_ledger.identity.channel import ChannelPublic
from swarm_ledger.identity.cose import kid
from swarm_ledger.signers import Algorithm, KeyStore, algorithm_of
from swarm_ledger.signers.p256 import point

MAX_MEMBERS = 128
MIN_VALIDATORS = 4
MAX_ROSTER_BYTES = 1 << 17
_RESERVED = ("none", "validators")
_OWN_CHANNEL = "Make each request in its drone's folder, or give it a --channel of its own."


class Role(Enum):
    """What a member may do."""

    VALIDATOR = "validator"
    VOTER = "voter"
    OBSERVER = "observer"
    OPERATOR = "operator"


VALIDATORS, VOTERS = frozenset({Role.VALIDATOR}), frozenset({Role.VOTER})
OPERATORS = frozenset({Role.OPERATOR})
FLYING = VALIDATORS | VOTERS
"""A drone has both of these roles, or in a swarm with a committee only to vote."""


@dataclass(frozen=True)
class Member:
    """One member. index: its place in the roster, by which messages refer to it.

    public_key: of its root key, raw; its length tells the algorithm: 32 bytes for Ed25519, for
    P-256 the compressed point in 33. Without a role it is revoked: it keeps its place, and can do
    nothing. not_before, expires: when its word counts, POSIX seconds, 0 for no such limit.
    hardware_only: its votes count only if the root key signed them, never by a session key.
    attested: what was shown to operators of where its root key is. channel: the keys of its links,
    None where they are not encrypted.
    """

    index: int
    name: str
    public_key: bytes
    key_store: KeyStore
    roles: frozenset[Role]
    not_before: int = 0
    expires: int = 0
    hardware_only: bool = False
    attested: Attested = Attested.NO
    channel: ChannelPublic | None = None

    def valid_at(self, now_s: int) -> bool:
        """Whether its word counts at that time (POSIX seconds)."""
        return self.not_before <= now_s and (not self.expires or now_s < self.expires)

    @cached_property
    def drone_id(self) -> str:
        """Derived from the root key, 32 hex digits; the name is only a label."""
        return drone_id(self.public_key)

    @cached_property
    def id(self) -> bytes:
        """The same, as its 16 bytes: what the ledger's rules and reputations know it by."""
        return bytes.fromhex(self.drone_id)


def drone_id(public_key: bytes) -> str:
    """Return the identifier of whoever has that root key (raw, public), 32 hex digits."""
    return digest(public_key)[:16].hex()


_Time = Annotated[int, Meta(ge=0, lt=2**40)]
_Point = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")] | UnsetType


class _MemberForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    name: Annotated[str, Meta(pattern=r"\A[A-Za-z]([A-Za-z0-9]|_(?!_)){0,31}\Z")]
    key: Annotated[str, Meta(pattern=r"\A([0-9a-f]{64}|0[23][0-9a-f]{64})\Z")]
    key_store: Annotated[str, Meta(pattern=r"\A(software|pkcs11|tpm2)\Z")]
    roles: Annotated[list[Role], Meta(max_length=4)]
    not_before: _Time = 0
    expires: _Time = 0
    hardware_only: bool = False
    attested: Attested = Attested.NO
    curve: _Point = UNSET
    hpke: _Point = UNSET


class _RosterForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    swarm: Annotated[str, Meta(pattern=r"\A[a-z0-9_-]{1,32}\Z")]
    version: Annotated[int, Meta(ge=1, lt=2**32)]
    members: Annotated[list[_MemberForm], Meta(max_length=MAX_MEMBERS)]


@dataclass(frozen=True)
class Roster:
    """A validated roster. version: its epoch, in the domain of each signature.

    raw: the bytes of roster.json, whose digest the ledger starts with.
    """

    swarm_id: str
    version: int
    members: tuple[Member, ...]
    raw: bytes

    @cached_property
    def validators(self) -> tuple[int, ...]:
        """Member indices of the validators, in the order in which they lead."""
        return self._with(Role.VALIDATOR)

    @cached_property
    def voters(self) -> tuple[int, ...]:
        """Member indices of those whose observations count."""
        return self._with(Role.VOTER)

    @cached_property
    def flying(self) -> tuple[int, ...]:
        """Member indices of all who have a session: validators, and voters beside them."""
        return tuple(sorted({*self.validators, *self.voters}))

    @cached_property
    def committee(self) -> frozenset[int] | None:
        """The validators, where others vote beside them and are served by them; else None."""
        few = len(self.validators) < len(self.flying)
        return frozenset(self.validators) if few else None

    @cached_property
    def has_channels(self) -> bool:
        """Whether all validators have channel keys, so that links are encrypted; else none has."""
        return self.members[self.validators[0]].channel is not None

    @property
    def origin(self) -> str:
        """The log's name in checkpoints (C2SP tlog-checkpoint)."""
        return f"swarm_ledger/{self.swarm_id}"

    @cached_property
    def by_kid(self) -> dict[bytes, Member]:
        """Members by the key identifier of their root key."""
        return {kid(member.public_key): member for member in self.members}

    @cached_property
    def by_id(self) -> dict[bytes, Member]:
        """Members by their drone ids, 16 bytes."""
        return {member.id: member for member in self.members}

    @cached_property
    def ids(self) -> dict[int, bytes]:
        """Drone ids by member index, for what asks with each block."""
        return {member.index: member.id for member in self.members}

    def named(self, name: str) -> Member:
        """Return the member of that name; Misuse if there is none."""
        found = self.listed(name)
        if found is None:
            names = ", ".join(member.name for member in self.members)
            raise Misuse(f"the roster has no member {name!r}; it has {names}.")
        return found

    def listed(self, label: str) -> Member | None:
        """Return the member with that name or drone id, rather one that is not revoked."""
        found = [member for member in self.members if label in (member.name, member.drone_id)]
        return max(found, key=lambda member: bool(member.roles), default=None)

    def with_key(self, public_key: bytes) -> Member | None:
        """Return the member with that root key."""
        member = self.by_kid.get(kid(public_key))
        return member if member is not None and member.public_key == public_key else None

    def _with(self, role: Role) -> tuple[int, ...]:
        return tuple(member.index for member in self.members if role in member.roles)


def parse_roster(raw: bytes) -> Roster:
    """Parse roster.json; Misuse that says which rule is broken, and where."""
    if len(raw) > MAX_ROSTER_BYTES:
        raise Misuse(f"a roster has at most {MAX_ROSTER_BYTES} bytes, not {len(raw)}.")
    try:
        form = msgspec.json.decode(raw, type=_RosterForm)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Misuse(f"not a valid roster: {error}.") from error
    members = tuple(
        Member(
            index=index,
            name=item.name,
            public_key=bytes.fromhex(item.key),
            key_store=KeyStore[item.key_store.upper()],
            roles=frozenset(item.roles),
            not_before=item.not_before,
            expires=item.expires,
            hardware_only=item.hardware_only,
            attested=item.attested,
            channel=_channel(item),
        )
        for index, item in enumerate(form.members)
    )
    roster = Roster(form.swarm, form.version, members, raw)
    _check(roster)
    return roster


def _channel(item: _MemberForm) -> ChannelPublic | None:
    if item.curve is UNSET and item.hpke is UNSET:
        return None
    if item.curve is UNSET or item.hpke is UNSET:
        raise Misuse(f"in the roster, {item.name} has one of the keys curve and hpke, not both.")
    try:
        return ChannelPublic(bytes.fromhex(item.curve), bytes.fromhex(item.hpke))
    except Misuse as error:
        raise Misuse(f"in the roster, {item.name} has a bad key: {error.what}") from error


def render_roster(swarm_id: str, version: int, members: Sequence[Member]) -> bytes:
    """Return the bytes of roster.json, indented for people; parse_roster() reads it back."""
    form = _RosterForm(
        swarm_id,
        version,
        [
            _MemberForm(
                member.name,
                member.public_key.hex(),
                member.key_store.label,
                sorted(member.roles, key=lambda role: role.value),
                member.not_before,
                member.expires,
                member.hardware_only,
                member.attested,
                member.channel.curve.hex() if member.channel else UNSET,
                member.channel.hpke.hex() if member.channel else UNSET,
            )
            for member in members
        ],
    )
    return msgspec.json.format(msgspec.json.encode(form), indent=2) + b"\n"


def check_succession(old: Roster, new: Roster) -> None:
    """Raise Misuse that says which rule a next version breaks.

    A member keeps its place and name as long as it keeps its key, so that an index means the same
    key in all versions that list it. Whoever leaves is revoked: it keeps its place without roles,
    and only the version after that may give the place to another key. So a drone with a new key
    gets a new place; its old one stays behind, revoked, under the same name. Channel keys name
    nobody: a member may get, change and lose them.
    """
    if new.swarm_id != old.swarm_id:
        raise Misuse(f"a roster of {new.swarm_id} can't follow one of {old.swarm_id}.")
    if new.version <= old.version:
        raise Misuse(f"roster version {new.version} can't follow version {old.version}.")
    if len(new.members) < len(old.members):
        raise Misuse(
            f"the roster lists {len(new.members)} members, fewer than the {len(old.members)} "
            "before it.",
            remedy="Let those who leave stand in it without roles.",
        )
    places = {member.public_key: member.index for member in new.members}
    for member in old.members:
        there = new.members[member.index]
        place = places.get(member.public_key)
        if place is not None and place != member.index:
            raise Misuse(f"{member.name} moved from place {member.index} to {place}.")
        if place is None and member.roles:
            raise Misuse(
                f"{there.name} takes the place of {member.name}, who was not revoked before.",
                remedy="Give it a place of its own, or wait for the version after the revocation.",
            )
        if place is not None and there.name != member.name:
            raise Misuse(f"{member.name} is called {there.name} now; a key keeps its name.")


def _check(roster: Roster) -> None:
    for what, values in (
        ("name", [member.name for member in roster.members if member.roles]),
        ("key", [member.public_key.hex() for member in roster.members]),
        ("channel key", _channel_keys(roster)),
    ):
        twice = {value for value in values if values.count(value) > 1}
        if twice:
            remedy = _OWN_CHANNEL if what == "channel key" else ""
            raise Misuse(f"in the roster, the {what} {min(twice)} stands twice.", remedy=remedy)
    if len(roster.by_kid) != len(roster.members):
        raise Misuse("in the roster, two keys have the same 8-byte identifier.")
    for member in roster.members:
        _check_member(member)
    _check_quorums(roster)
    _check_channels(roster)


def _channel_keys(roster: Roster) -> list[str]:
    active = (member.channel for member in roster.members if member.roles)
    return [key.hex() for channel in active if channel for key in (channel.curve, channel.hpke)]


def _check_quorums(roster: Roster) -> None:
    if len(roster.voters) < len(roster.validators):
        raise Misuse(
            f"the roster has {len(roster.voters)} voters and {len(roster.validators)} validators.",
            remedy="Let at least as many vote: else the liars that PBFT tolerates could outvote.",
        )
    if len(roster.validators) < MIN_VALIDATORS:
        raise Misuse(
            f"the roster has {len(roster.validators)} validators.",
            remedy=f"PBFT needs at least {MIN_VALIDATORS} to survive one that lies.",
        )


def _check_channels(roster: Roster) -> None:
    """Links are encrypted, or they are not: nothing in between, where one would think they are."""
    validators = [roster.members[index] for index in roster.validators]
    without = [member.name for member in validators if member.channel is None]
    if without and len(without) < len(validators):
        raise Misuse(
            f"in the roster, {', '.join(without)} have no channel keys, the other validators do.",
            remedy="All validators have channel keys, or none: roster channel adds them.",
        )


def _check_member(member: Member) -> None:
    if algorithm_of(member.public_key) is Algorithm.ES256:
        point(member.public_key)
    if Role.OPERATOR in member.roles and len(member.roles) > 1:
        raise Misuse(f"in the roster, {member.name} is an operator and may be nothing else.")
    if member.expires and member.expires <= member.not_before:
        raise Misuse(f"in the roster, {member.name} expires before it begins.")
    if member.hardware_only and member.key_store is KeyStore.SOFTWARE:
        raise Misuse(
            f"in the roster, {member.name} is hardware_only, and its key is a software key.",
            remedy="Enrol a key in a token or a TPM, or leave hardware_only out.",
        )
    if member.attested.key_store not in (None, member.key_store):
        raise Misuse(
            f"in the roster, {member.name} is attested {member.attested.value}, and its key "
            f"is in {member.key_store.label}."
        )
    if member.name in _RESERVED:
        raise Misuse(f"in the roster, nobody may be named {member.name}: policies use it.")
