# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Whom an audit trusts: a root that an investigator names, and the rosters that lead on from it.

A recorder attaches the roster folder to the bag. From a root that was got elsewhere, all of that
proves itself; a root that is only in the bag proves that the bag agrees with itself, no more.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from swarm_ledger.bags.attached import FOLDER
from swarm_ledger.bags.form import Attachment
from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.identity.trust import Trust, load_trust, read_file
from swarm_ledger.identity.tuf import ROOT, ROSTER, TARGETS

_NAME = re.compile(r"(?:([1-9][0-9]{0,9})\.)?(root|targets|roster)\.json")


@dataclass(frozen=True)
class Anchorage:
    """What is trusted, and on whose word. own: the root came with the bag, on trust.

    fault: why the rosters in the bag are not those that are trusted, "" where they are, or where
    there are none.
    """

    trust: Trust
    own: bool = False
    fault: str = ""


def choose(attachments: Sequence[Attachment], roster: Path | None, root: Path | None) -> Anchorage:
    """Return whom to trust. roster, root: named by whoever asks; one of them at most.

    Raises Misuse where nothing is named and the bag brings nothing along, or what is named can't
    be read; NotVerified where the bag's rosters don't follow from the root that was named.
    """
    files = _files(attachments)
    if roster is not None and root is not None:
        raise Misuse("both a roster and a root are named.", remedy="Name one of them.")
    if roster is not None:
        trust = load_trust(roster)
        return Anchorage(trust, fault=_difference(files, trust))
    if ROOT not in files and TARGETS not in files:
        raise Misuse(
            "the bag has no roster in it.", remedy="Name the swarm's roster folder: --roster."
        )
    anchor = read_file(root) if root is not None else files.get(ROOT, b"")
    return Anchorage(_trust(files, anchor), own=root is None)


def _files(attachments: Sequence[Attachment]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for one in attachments:
        name = one.name.removeprefix(FOLDER)
        if name != one.name and _NAME.fullmatch(name):
            found[name] = one.data  # the last one: a recorder may have learnt of later versions
    return found


def _trust(files: dict[str, bytes], root: bytes) -> Trust:
    def later(kind: str) -> list[str]:
        numbered = [match for name in files if (match := _NAME.fullmatch(name)) and match[1]]
        chosen = [match for match in numbered if match[2] == kind]
        return [match[0] for match in sorted(chosen, key=lambda match: int(match[1]))]

    try:
        pairs = [(files[TARGETS], files[ROSTER])]
        pairs += [
            (files[name], files[name.replace("targets", "roster")]) for name in later("targets")
        ]
        return Trust(root, pairs, [files[name] for name in later("root")])
    except KeyError as error:
        raise NotVerified(
            f"{error.args[0]} is missing among its rosters", where="attachment"
        ) from error


def _difference(files: dict[str, bytes], trust: Trust) -> str:
    """Return why what is attached isn't what is trusted; it may be older, or newer."""
    if not files:
        return ""
    try:
        attached = _trust(files, files.get(ROOT, b""))
    except NotVerified as error:
        return str(error)
    if attached.roots.said[0] != trust.roots.said[0]:
        return "its root is another one than the one that is trusted"
    known = {version.roster.version: version.roster.raw for version in trust.versions}
    for version in attached.versions:
        if known.get(version.roster.version, version.roster.raw) != version.roster.raw:
            return f"its roster version {version.roster.version} is another one"
    return ""
