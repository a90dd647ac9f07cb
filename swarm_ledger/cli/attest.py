# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`swarm-ledger roster challenge` and `attest`, `key answer`: a TPM proves that it has a key."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from swarm_ledger.cli.output import Json, console
from swarm_ledger.cli.roster import Directory, tell
from swarm_ledger.errors import Misuse
from swarm_ledger.identity import attesting
from swarm_ledger.identity import draft as drafts
from swarm_ledger.identity.attestation import Attested, read_authorities
from swarm_ledger.identity.roster import Member, Roster
from swarm_ledger.identity.trust import load_trust, read_file, write_files
from swarm_ledger.identity.tuf import ROOT
from swarm_ledger.signers import Tpm2Signer, open_signer
from swarm_ledger.sim.mission import utc_now

_RANDOM_BYTES = 64

Name = Annotated[str, typer.Argument(help="The member's name, or drone id.")]
Out = Annotated[Path | None, typer.Option(help="A file to write; stdout otherwise.")]


def challenge(directory: Directory, name: Name, out: Out = None) -> None:
    """Make a secret that only the TPM of a member's request can open, to see that it is one.

    No TPM is needed here. A copy stays with the request; `roster attest` takes the answer.
    """
    roster, member = _listed(directory, name)
    random = os.urandom(_RANDOM_BYTES)
    line = attesting.challenge(directory / drafts.REQUESTS, roster.swarm_id, member, random=random)
    _put(line, out)


def attest(
    directory: Directory,
    name: Name,
    answer: Annotated[Path, typer.Argument(help="The file that `key answer` wrote.")],
    ek_ca: Annotated[
        list[Path] | None,
        typer.Option(help="PEM file of the TPM maker's CA, which must vouch for the TPM."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check a TPM's answer, and draft into the roster what it shows of a member's key."""
    roster, member = _listed(directory, name)
    authorities = [one for path in ek_ca or () for one in read_authorities(read_file(path))]
    level = attesting.check_answer(
        directory / drafts.REQUESTS,
        roster.swarm_id,
        member,
        read_file(answer),
        authorities=authorities,
        now=utc_now(),
    )
    drafts.amend(directory, lambda members: _marked(members, member, level))
    tell(directory, as_json)
    if level is not Attested.GENUINE and not as_json:
        console.print(
            "[yellow]Nobody vouches for this TPM[/]: give its maker's CA with --ek-ca, or it may "
            "as well be a program."
        )


def _marked(members: list[Member], who: Member, level: Attested) -> list[Member]:
    return [
        replace(member, attested=level) if member.public_key == who.public_key else member
        for member in members
    ]


def answer(
    uri: Annotated[str, typer.Argument(help="The key in its TPM: tpm2:...")],
    challenge: Annotated[Path, typer.Argument(help="The file that `roster challenge` wrote.")],
    out: Out = None,
) -> None:
    """Answer an operator's challenge, where the key is: only its own TPM can."""
    line = read_file(challenge)
    asked = attesting.open_challenge(line)
    signer = open_signer(uri)
    if not isinstance(signer, Tpm2Signer):
        raise Misuse(
            f"{escape(uri.partition('?')[0])} is no key in a TPM, and no other answers.",
            remedy="Give the URI that the request was made with.",
        )
    _put(attesting.answer(line, signer.activate(asked.blob, asked.secret)), out)


def _listed(directory: Path, name: str) -> tuple[Roster, Member]:
    """Return the roster as drafted, or the newest, and a member of it; Misuse if there is none."""
    draft = drafts.load_draft(directory)
    if draft is None and not (directory / ROOT).exists():
        raise Misuse(f"{directory} holds no roster.", remedy="Begin one: roster init.")
    roster = draft.roster if draft else load_trust(directory).newest
    return roster, roster.named(name)


def _put(line: bytes, out: Path | None) -> None:
    if out is None:
        sys.stdout.write(line.decode())
    else:
        write_files(out.parent, {out.name: line})
