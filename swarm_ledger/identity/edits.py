# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What an operator may change in a roster, on its list of members: add, revoke, change keys."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from swarm_ledger.errors import Misuse
from swarm_ledger.identity.enrolment import Request, attested
from swarm_ledger.identity.roster import Member, Role, Roster, drone_id


def enrol(
    old: Roster | None,
    members: list[Member],
    request: Request,
    roles: Collection[Role],
    *,
    not_before: int = 0,
    expires: int = 0,
) -> list[Member]:
    """Return the members with one more, at a place that is free.

    old: the version before. Misuse for a key that is listed, or a name that somebody has.
    """
    known = next((m for m in members if m.public_key == request.public_key), None)
    if known is not None:
        state = "is a member" if known.roles else "was revoked"
        raise Misuse(
            f"the key of {request.name} {state} already, as {known.name}.",
            remedy="Enrol a key that was never in the roster.",
        )
    if any(member.name == request.name and member.roles for member in members):
        raise Misuse(
            f"there is a member {request.name} already.",
            remedy="Take another name; for a new key of the same drone, use roster rotate.",
        )
    place = _free(old, members)
    member = Member(
        place,
        request.name,
        request.public_key,
        request.key_store,
        frozenset(roles),
        not_before,
        expires,
        request.hardware_only,
        attested(request),
        request.channel if Role.OPERATOR not in roles else None,  # operators have no links
    )
    return [*members[:place], member, *members[place + 1 :]]


def _free(old: Roster | None, members: list[Member]) -> int:
    """Return the first place of somebody who was revoked in the version before, else a new one."""
    was = old.members if old else ()
    for before, member in zip(was, members, strict=False):
        if not before.roles and before.public_key == member.public_key and not member.roles:
            return member.index
    return len(members)


def revoke(members: list[Member], names: Iterable[str]) -> list[Member]:
    """Return the members with some revoked: they keep their places, and can do nothing."""
    found = list(members)
    for name in names:
        member = _active(found, name)
        found[member.index] = replace(member, roles=frozenset(), channel=None)
    return found


def appoint(members: list[Member], names: Iterable[str], roles: Collection[Role]) -> list[Member]:
    """Return the members with other roles for some: so drones come into a committee, or leave it.

    Misuse for an operator, or to make somebody one: operators are in the root, too.
    """
    found = list(members)
    for name in names:
        member = _active(found, name)
        if Role.OPERATOR in member.roles or Role.OPERATOR in roles:
            raise Misuse(
                f"{member.name} can't change between operator and drone.",
                remedy="Use roster revoke, and roster add with a request of its own.",
            )
        found[member.index] = replace(member, roles=frozenset(roles))
    return found


def rotate(old: Roster, members: list[Member], name: str, request: Request) -> list[Member]:
    """Return the members with a new key for one of them, which gets a place of its own.

    The old key keeps the old place, revoked: an index means one key in all versions that are
    answered for. Name, roles and validity go over; where the key is, and whether it alone signs
    votes, the request says.
    """
    member = _active(members, name)
    if request.name != member.name:
        raise Misuse(f"the request is for {request.name}, not for {member.name}.")
    left = revoke(members, [name])
    span = {"not_before": member.not_before, "expires": member.expires}
    return enrol(old, left, request, member.roles, **span)


def channel(members: list[Member], requests: Iterable[Request]) -> list[Member]:
    """Return the members with the channel keys that their requests bring, or without any.

    Misuse for a request of whoever is no member, or an operator: operators have no links.
    """
    found = list(members)
    for request in requests:
        member = _active(found, drone_id(request.public_key))
        if request.name != member.name:
            raise Misuse(f"the request is for {request.name}; that key is {member.name}'s.")
        if Role.OPERATOR in member.roles:
            raise Misuse(f"{member.name} is an operator, and operators have no links.")
        found[member.index] = replace(member, channel=request.channel)
    return found


def _active(members: list[Member], name: str) -> Member:
    for member in members:
        if member.roles and name in (member.name, member.drone_id):
            return member
    names = ", ".join(member.name for member in members if member.roles)
    raise Misuse(f"no member is called {name!r}; there are {names}.")
