# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The next roster version on its way: drafted by one operator, signed by one after another.

A draft is a folder `draft` in the roster directory, with the files that it is to become, unsigned
or not signed by enough yet. Once enough have signed it becomes a version, and the folder goes.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tuf.api.metadata import Metadata, Root, Targets

from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.identity import tuf
from swarm_ledger.identity.enrolment import REQUEST_SUFFIX, Request, open_request
from swarm_ledger.identity.roster import (
    Member,
    Role,
    Roster,
    check_succession,
    drone_id,
    parse_roster,
    render_roster,
)
from swarm_ledger.identity.trust import Trust, load_trust, read_file, write_files
from swarm_ledger.identity.tuf import ROOT, ROSTER, TARGETS
from swarm_ledger.signers import Signer

DRAFT = "draft"
REQUESTS = "requests"

Edit = Callable[[Roster, list[Member]], list[Member]]
"""From the newest version, and the members as drafted so far, to the members as they shall be."""


@dataclass(frozen=True)
class Need:
    """Signatures that a draft needs. by: public keys of those who may; signed: who did."""

    what: str
    by: frozenset[bytes]
    signed: frozenset[bytes]
    threshold: int

    @property
    def met(self) -> bool:
        """Whether enough have signed."""
        return len(self.signed) >= self.threshold


@dataclass(frozen=True)
class Draft:
    """A version to be. trust: what it follows, None for a swarm's first; root: new operators."""

    roster: Roster
    targets: Metadata[Targets]
    root: Metadata[Root] | None
    trust: Trust | None

    @property
    def operators(self) -> Root:
        """The root under which the roster is to be signed."""
        if self.root is not None:
            return self.root.signed
        if self.trust is None:
            raise NotVerified("a first draft has a root.", where=DRAFT)
        return self.trust.roots.last

    def needs(self) -> list[Need]:
        """Return whose signatures it needs, and has."""
        needs = []
        if self.root is not None:
            if self.trust is not None:
                needs.append(_need("new operators, by the old", self.root, self.trust.roots.last))
            needs.append(_need("new operators, by themselves", self.root, self.root.signed))
        return [*needs, _need("roster", self.targets, self.operators)]

    def files(self) -> dict[str, bytes]:
        """Return the files of the draft folder."""
        files = {ROOT: self.root.to_bytes()} if self.root else {}
        return {**files, ROSTER: self.roster.raw, TARGETS: self.targets.to_bytes()}


def _need(what: str, metadata: Metadata[tuf.SignedT], root: Root) -> Need:
    role = metadata.signed.type
    signed = tuf.signed_by(metadata, root, role)
    return Need(what, tuf.keys_of(root, role), signed, root.roles[role].threshold)


def begin(
    directory: Path,
    swarm_id: str,
    members: list[Member],
    *,
    threshold: int,
    expires: datetime,
) -> Draft:
    """Draft a swarm's first roster; those who are operators in it sign rosters.

    threshold: how many of them. Misuse for a roster that breaks a rule, or a folder that has one.
    """
    if (directory / ROOT).exists():
        raise Misuse(f"{directory} holds a roster already.", remedy="Take another folder.")
    roster = parse_roster(render_roster(swarm_id, 1, members))
    root = tuf.draft_root(_operators(roster), threshold=threshold, expires=expires)
    draft = Draft(roster, tuf.draft_targets(roster.raw, expires=expires), root, None)
    write_files(directory / DRAFT, draft.files())
    return draft


def change(
    directory: Path, edit: Edit, *, expires: datetime, threshold: int = 0, renew: bool = False
) -> Draft:
    """Draft the next version, or change its draft; signatures that it had are void then.

    Where the operators change, or how many must sign (threshold, 0 for as many as now), the next
    root is drafted with it; renew: also where they do not. Misuse for what breaks a rule.
    """
    trust, before = load_trust(directory), load_draft(directory)
    old = trust.newest
    members = edit(old, list(before.roster.members if before else old.members))
    roster = parse_roster(render_roster(old.swarm_id, old.version + 1, members))
    check_succession(old, roster)
    _check_keys_are_new(trust, roster)
    last = before.root.signed if before and before.root else trust.roots.last
    gone = _operators(old) - _operators(roster)
    keys = tuf.keys_of(trust.roots.last, "root") - gone | (_operators(roster) - _operators(old))
    needed = threshold or last.roles["root"].threshold
    root = None
    present = trust.roots.last
    same = (tuf.keys_of(present, "root"), present.roles["root"].threshold) == (keys, needed)
    if renew or not same or (before and before.root):
        version = present.version + 1
        root = tuf.draft_root(keys, threshold=needed, expires=expires, version=version)
    draft = Draft(roster, tuf.draft_targets(roster.raw, expires=expires), root, trust)
    discard(directory)
    write_files(directory / DRAFT, draft.files())
    return draft


def _check_keys_are_new(trust: Trust, roster: Roster) -> None:
    now = {member.public_key for member in trust.newest.members}
    for version in trust.versions:
        for old in version.roster.members:
            if roster.with_key(old.public_key) and old.public_key not in now:
                raise Misuse(
                    f"version {version.roster.version} had that key, as {old.name}.",
                    remedy="A key that was revoked never comes back: make a new one.",
                )


def _operators(roster: Roster) -> frozenset[bytes]:
    return frozenset(m.public_key for m in roster.members if Role.OPERATOR in m.roles)


def discard(directory: Path) -> None:
    """Remove the draft, if there is one."""
    shutil.rmtree(directory / DRAFT, ignore_errors=True)


def load_draft(directory: Path) -> Draft | None:
    """Read the draft of a roster directory, None if there is none.

    Raises NotVerified where its parts don't fit one another, or what it is to follow.
    """
    folder = directory / DRAFT
    if not folder.exists():
        return None
    raw = read_file(folder / ROSTER)
    targets = tuf.parse(Targets, read_file(folder / TARGETS), f"{DRAFT}/{TARGETS}")
    root: Metadata[Root] | None = None
    if (folder / ROOT).exists():
        root = tuf.parse(Root, read_file(folder / ROOT), f"{DRAFT}/{ROOT}")
    trust = load_trust(directory) if (directory / ROOT).exists() else None
    try:
        roster = parse_roster(raw)
        if trust is not None:
            check_succession(trust.newest, roster)
    except Misuse as error:
        raise NotVerified(error.what, where=DRAFT) from error
    due = trust.roots.last.version + 1 if trust else 1
    if (root is None and trust is None) or (root is not None and root.signed.version != due):
        raise NotVerified(f"it must come with root version {due}, or none.", where=DRAFT)
    if tuf.draft_targets(raw, expires=targets.signed.expires).signed_bytes != targets.signed_bytes:
        raise NotVerified("its metadata is not that of its roster.", where=DRAFT)
    return Draft(roster, targets, root, trust)


def sign(directory: Path, signer: Signer) -> Draft:
    """Sign the draft as one operator; once enough have, it becomes a version.

    Misuse where there is none, the key is no operator's, or somebody who is new in it has not
    asked to be (see keep_request); NotVerified where it does not fit together.
    """
    draft = load_draft(directory)
    if draft is None:
        raise Misuse(f"{directory} has no draft.", remedy="Make one: add, revoke, rotate, renew.")
    if not any(signer.public_key in need.by for need in draft.needs()):
        raise Misuse(
            "this key is no operator's, neither before nor after the change.",
            remedy="Sign with an operator's key: roster show lists them.",
        )
    for member in unproven(draft):
        _check_request(directory, draft.roster, member)
    if draft.root and any(signer.public_key in need.by for need in draft.needs()[:-1]):
        tuf.sign(draft.root, [signer])
    if signer.public_key in tuf.keys_of(draft.operators, "targets"):
        tuf.sign(draft.targets, [signer])
    if all(need.met for need in draft.needs()):
        _publish(directory, draft)
    else:
        write_files(directory / DRAFT, draft.files())
    return draft


def _publish(directory: Path, draft: Draft) -> None:
    trust, files = draft.trust, draft.files()
    pair = files[TARGETS], files[ROSTER]
    if trust is None:
        Trust(files[ROOT], [pair])
        write_files(directory, files)
    else:
        pairs = [(one.targets, one.roster.raw) for one in trust.versions]
        roots = (*trust.roots.later, *([files[ROOT]] if draft.root else []))
        Trust(trust.roots.first, [*pairs, pair], roots)
        numbers = {ROSTER: draft.roster.version, TARGETS: draft.roster.version}
        numbers[ROOT] = trust.roots.last.version + 1
        write_files(directory, {f"{numbers[name]}.{name}": data for name, data in files.items()})
    discard(directory)


def unproven(draft: Draft) -> list[Member]:
    """Return the members with keys that the version before does not list, of either kind."""
    old = (
        {member.public_key: member for member in draft.trust.newest.members} if draft.trust else {}
    )
    return [
        member
        for member in draft.roster.members
        if member.public_key not in old
        or (member.channel and member.channel != old[member.public_key].channel)
    ]


def keep_request(directory: Path, text: bytes, request: Request) -> None:
    """Keep a request with the roster, so that each operator can check it before signing."""
    write_files(directory / REQUESTS, {_file(request.public_key): text})


def _file(public_key: bytes) -> str:
    return drone_id(public_key) + REQUEST_SUFFIX


def _check_request(directory: Path, roster: Roster, member: Member) -> None:
    path = directory / REQUESTS / _file(member.public_key)
    if not path.exists():
        raise Misuse(
            f"{member.name} did not prove that it holds its key.",
            remedy=f"Get its request (roster request), as {path}.",
        )
    request = open_request(read_file(path), roster.swarm_id)
    asked = request.name, request.public_key, request.key_store
    channel = request.channel if member.channel else None  # or it was left out
    if (*asked, channel) != (member.name, member.public_key, member.key_store, member.channel):
        raise NotVerified(f"it is not for {member.name} as drafted.", where=str(path))
