# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`swarm-ledger verify`: one proof file, against a policy and, better, a roster."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from swarm_ledger.cli import FAILED
from swarm_ledger.cli.output import Json, console, print_json
from swarm_ledger.envelope import Kind, Opener
from swarm_ledger.errors import Misuse, NotVerified, PeerFault
from swarm_ledger.identity.trust import load_trust
from swarm_ledger.ledger.policy import Policy
from swarm_ledger.light_client import VerifiedEntry, verify_proof
from swarm_ledger.light_client.policies import sessions_of_policy
from swarm_ledger.runtime.epochs import ELSEWHERE
from swarm_ledger.voting.decision import parse_settled

_ON_TRUST = "policy taken on trust; give --roster to check that it is the swarm's"


def verify(
    proof: Annotated[Path, typer.Argument(help="A .tlog-proof file.")],
    policy: Annotated[Path, typer.Option(help="The policy file: which keys to trust.")],
    roster: Annotated[
        Path | None, typer.Option(help="The roster folder; the policy must follow from it.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Verify a proof offline: that a quorum of the swarm vouches for this ledger entry."""
    checked = False
    try:
        trusted, opener = _trusted(policy, roster)
        checked = roster is not None
        verified = verify_proof(trusted, read(proof))
        meaning = explain(verified, opener)
    except NotVerified as error:
        if as_json:
            failure = {"verified": False, "policy_checked": checked}
            print_json({**failure, "error": error.what, "where": error.where})
            raise typer.Exit(FAILED) from error
        raise
    result: dict[str, Any] = {
        "verified": True,
        "policy_checked": checked,
        "origin": verified.checkpoint.origin,
        "index": verified.index,
        "size": verified.size,
        "root": verified.checkpoint.root.hex(),
        "signers": list(verified.signers),
        **meaning,
    }
    if as_json:
        print_json(result)
        return
    colour = "green" if checked else "yellow"
    console.print(f"[{colour}]verified[/]: {escape(meaning.get('text', meaning['kind']))}")
    console.print(
        f"entry {verified.index} of {verified.size} in {escape(verified.checkpoint.origin)}, "
        f"cosigned by {escape(', '.join(verified.signers))}"
    )
    if checked:
        console.print("policy checked: it follows from the roster")
    else:
        console.print(f"[yellow]{_ON_TRUST}[/]")


def _trusted(path: Path, roster: Path | None) -> tuple[Policy, Opener | None]:
    """Read a policy and, given a roster, check that it is the one that follows from it.

    With what opens messages under that roster.
    """
    text = read(path)
    policy = Policy.parse(text)
    if roster is None:
        return policy, None
    known = load_trust(roster)
    try:
        return policy, sessions_of_policy(text, known)
    except NotVerified as error:
        raise NotVerified(
            f"{path} is not the policy of the swarm in {roster}: {error.what}", where="policy"
        ) from error


def read(path: Path) -> bytes:
    """Read a file that the user named."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise Misuse(f"cannot read {path}: {error.strerror}.") from error


def explain(verified: VerifiedEntry, opener: Opener | None = None) -> dict[str, Any]:
    """Return what a verified entry says, as far as we can read it.

    opener: what opens votes, where the roster is known. Raises NotVerified for a decision that
    can't be read, and for a vote that counts for nothing, as its signer may not vote so.
    """
    try:
        kind = Kind(verified.entry[0])
        if kind is Kind.VOTE and opener is not None:
            return _vote(verified.entry, opener)
        if kind is not Kind.DECISION:
            return {"kind": kind.name.lower()}
        settled = parse_settled(verified.entry[1:])
    except (ValueError, PeerFault) as error:
        raise NotVerified(f"the entry can't be read ({error}).", where="entry") from error
    return {
        "kind": "decision",
        "decision": settled.answer or settled.decision.outcome.name.lower(),
        "votes": settled.votes,
        "height": settled.decision.height,
        "text": settled.text,
    }


def _vote(entry: bytes, opener: Opener) -> dict[str, Any]:
    """Return whose vote it is, and which key signed it; None of another epoch or session."""
    try:
        opened = opener.open(entry)
    except PeerFault as fault:
        if fault.reason not in ELSEWHERE:
            raise
        return {"kind": "vote", "author": None, "signed_by": None}
    by = "session" if opened.session else "root"
    text = f"vote of {opened.author.name}, signed by its {by} key"
    return {"kind": "vote", "author": opened.author.name, "signed_by": by, "text": text}
