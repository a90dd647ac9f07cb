# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a roster folder holds, for people and machines."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from rich.markup import escape
from rich.table import Table

from swarm_ledger.cli.output import console
from swarm_ledger.identity import tuf
from swarm_ledger.identity.draft import Draft
from swarm_ledger.identity.roster import Member, Roster, drone_id
from swarm_ledger.identity.trust import Trust


def view(trust: Trust | None, draft: Draft | None) -> dict[str, Any]:
    """Return the newest version and the draft as JSON can hold them."""
    found: dict[str, Any] = {"swarm": None, "version": 0, "members": [], "draft": None}
    if trust is not None:
        root, newest = trust.roots.last, trust.newest
        found.update(
            swarm=newest.swarm_id,
            version=newest.version,
            versions=[one.roster.version for one in trust.versions],
            expires=_iso(trust.proven[-1].expires),
            root_version=root.version,
            operators=_names(tuf.keys_of(root, "root"), newest),
            threshold=root.roles["root"].threshold,
            members=[_member(member) for member in newest.members],
        )
    if draft is not None:
        found["draft"] = _draft(draft)
        found["swarm"] = draft.roster.swarm_id
    return found


def _draft(draft: Draft) -> dict[str, Any]:
    old = draft.trust.newest.members if draft.trust else ()
    was = {member.public_key: member for member in old}
    members = draft.roster.members
    now = {member.public_key: member for member in members}
    return {
        "version": draft.roster.version,
        "expires": _iso(draft.targets.signed.expires),
        "added": [_member(m) for m in members if m.public_key not in was],
        "revoked": [
            _member(m)
            for m in old
            if m.roles and (m.public_key not in now or not now[m.public_key].roles)
        ],
        "changed": [
            _member(m)
            for m in members
            if m.roles and m.public_key in was and was[m.public_key] != m
        ],
        "operators": _names(tuf.keys_of(draft.operators, "root"), draft.roster),
        "threshold": draft.operators.roles["root"].threshold,
        "root_version": draft.operators.version,
        "new_root": draft.root is not None,
        "signatures": [
            {
                "what": need.what,
                "signed": _names(need.signed, draft.roster),
                "needed": need.threshold,
                "met": need.met,
            }
            for need in draft.needs()
        ],
    }


def _member(member: Member) -> dict[str, Any]:
    return {
        "index": member.index,
        "name": member.name,
        "id": member.drone_id,
        "key": member.public_key.hex(),
        "key_store": member.key_store.label,
        "roles": sorted(role.value for role in member.roles),
        "from": _time(member.not_before),
        "until": _time(member.expires),
        "channel": _channel(member),
    }


def _channel(member: Member) -> dict[str, str] | None:
    if member.channel is None:
        return None
    public = member.channel
    return {
        "curve": public.curve.hex(),
        "hpke": public.hpke.hex(),
        "fingerprint": public.fingerprint,
    }


def _names(keys: frozenset[bytes], roster: Roster) -> list[str]:
    """Return names, or the drone id of a key that the roster does not list."""
    found = ((roster.with_key(key), key) for key in keys)
    return sorted(member.name if member else drone_id(key) for member, key in found)


def _time(seconds: int) -> str | None:
    return _iso(datetime.fromtimestamp(seconds, tz=timezone.utc)) if seconds else None


def _iso(when: datetime) -> str:
    return f"{when:%Y-%m-%dT%H:%M:%SZ}"


def print_folder(found: dict[str, Any]) -> None:
    """Print what view() returned."""
    if found["version"]:
        console.print(
            f"Swarm {found['swarm']}, version {found['version']}, until {found['expires']}; "
            f"{found['threshold']} of {', '.join(found['operators'])} sign "
            f"(root version {found['root_version']})"
        )
        table = Table("place", "name", "id", "roles", "key in", "channel", "valid")
        for member in found["members"]:
            table.add_row(
                str(member["index"]),
                member["name"],
                member["id"],
                ", ".join(member["roles"]) or "[red]revoked[/]",
                _store(member),
                _fingerprint(member),
                _span(member),
            )
        console.print(table)
    if found["draft"] is not None:
        _print_draft(found["draft"])


def _print_draft(draft: dict[str, Any]) -> None:
    console.print(f"[yellow]Draft of version {draft['version']}[/], until {draft['expires']}")
    for what in ("added", "revoked", "changed"):
        for member in draft[what]:
            console.print(
                f"  {what} {escape(member['name'])} ({', '.join(member['roles'])}), "
                f"id {member['id']}, key in {_store(member)}, channel {_fingerprint(member)} "
                f"{_span(member)}".rstrip()
            )
    if draft["new_root"]:
        console.print(
            f"  operators from now on: {draft['threshold']} of {', '.join(draft['operators'])}"
        )
    for need in draft["signatures"]:
        mark = "[green]enough[/]" if need["met"] else "[yellow]not enough[/]"
        signed = ", ".join(need["signed"]) or "nobody"
        console.print(f"  {need['what']}: signed by {signed}; {need['needed']} needed, {mark}")


def _store(member: dict[str, Any]) -> str:
    label = member["key_store"]
    return f"[yellow]{label}[/]" if label == "software" else str(label)


def _fingerprint(member: dict[str, Any]) -> str:
    return str(member["channel"]["fingerprint"]) if member["channel"] else "none"


def _span(member: dict[str, Any]) -> str:
    ends = [f"{word} {member[word]}" for word in ("from", "until") if member[word]]
    return " ".join(ends)
