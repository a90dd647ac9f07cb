# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`swarm-ledger roster`: who belongs to a swarm, as operators draft it, sign it, hand it on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from swarm_ledger.audit.ledger import open_ledger
from swarm_ledger.cli import FAILED
from swarm_ledger.cli.lazy import lazily
from swarm_ledger.cli.output import Json, console, print_json
from swarm_ledger.cli.roster_begin import KeyOption, quickstart, request
from swarm_ledger.cli.roster_view import print_folder, view
from swarm_ledger.encoding import MAX_ENTRY_BYTES
from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.identity import draft as drafts
from swarm_ledger.identity import edits
from swarm_ledger.identity.draft import Draft
from swarm_ledger.identity.enrolment import Request, open_request
from swarm_ledger.identity.roster import FLYING, OPERATORS, Member, Role, Roster
from swarm_ledger.identity.trust import Trust, load_trust, read_file, write_files
from swarm_ledger.identity.tuf import ROOT, ROSTER, TARGETS
from swarm_ledger.runtime.membership import roster_request
from swarm_ledger.runtime.snapshot import members_in
from swarm_ledger.signers import open_signer
from swarm_ledger.sim.mission import utc_now

app = typer.Typer(
    help="Say who belongs to a swarm, and change it in flight.",
    no_args_is_help=True,
    cls=lazily({"challenge": "attest:challenge", "attest": "attest:attest"}),
)

Directory = Annotated[Path, typer.Argument(help="The roster folder.")]
Days = Annotated[
    int, typer.Option(min=1, max=36_500, help="How long it is to be valid, from now on.")
]
Requests = Annotated[list[Path], typer.Argument(help="Files that `roster request` wrote.")]
RoleOption = Annotated[
    list[Role] | None, typer.Option("--role", help="Validator and voter otherwise.")
]
Threshold = Annotated[
    int, typer.Option(min=0, help="How many operators must sign; 0: as many as now.")
]


app.command()(quickstart)
app.command()(request)


@app.command()
def init(
    directory: Directory,
    requests: Requests,
    swarm: Annotated[str, typer.Option(help="The swarm's id: a-z, 0-9, _ and -.")],
    operator: Annotated[list[Path], typer.Option(help="An operator's request; one for each.")],
    threshold: Annotated[int, typer.Option(min=1, help="How many operators must sign.")] = 1,
    days: Days = 365,
    as_json: Json = False,
) -> None:
    """Draft a swarm's first roster: its drones, and the operators who sign rosters from now on."""
    asked = [_opened(path, swarm) for path in requests]
    asking = [_opened(path, swarm) for path in operator]
    members: list[Member] = []
    for roles, group in ((FLYING, asked), (OPERATORS, asking)):
        for _, one in group:
            members = edits.enrol(None, members, one, roles)
    drafts.begin(directory, swarm, members, threshold=threshold, expires=_in(days))
    _keep(directory, [*asked, *asking])
    tell(directory, as_json)


@app.command()
def add(
    directory: Directory,
    requests: Requests,
    role: RoleOption = None,
    start: Annotated[
        datetime | None, typer.Option("--from", help="UTC; its word counts from then on.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(help="UTC; its word counts until then.")
    ] = None,
    threshold: Threshold = 0,
    days: Days = 365,
    as_json: Json = False,
) -> None:
    """Draft members in, by their requests; operators come in with the next root."""
    asked = [_opened(path, _swarm(directory)) for path in requests]
    span = {"not_before": _seconds(start), "expires": _seconds(until)}

    def edit(old: Roster, members: list[Member]) -> list[Member]:
        for _, one in asked:
            members = edits.enrol(old, members, one, frozenset(role or FLYING), **span)
        return members

    drafts.change(directory, edit, expires=_in(days), threshold=threshold)
    _keep(directory, asked)
    tell(directory, as_json)


@app.command()
def revoke(
    directory: Directory,
    names: Annotated[list[str], typer.Argument(help="Names, or drone ids.")],
    threshold: Threshold = 0,
    days: Days = 365,
    as_json: Json = False,
) -> None:
    """Draft members out: from the block that holds the next version on, nobody hears them."""
    drafts.change(
        directory,
        lambda _, members: edits.revoke(members, names),
        expires=_in(days),
        threshold=threshold,
    )
    tell(directory, as_json)


@app.command()
def appoint(
    directory: Directory,
    names: Annotated[list[str], typer.Argument(help="Names, or drone ids.")],
    role: RoleOption = None,
    days: Days = 365,
    as_json: Json = False,
) -> None:
    """Draft other roles for drones: into the committee that orders, or out of it to vote only."""
    roles = frozenset(role or FLYING)
    drafts.change(
        directory, lambda _, members: edits.appoint(members, names, roles), expires=_in(days)
    )
    tell(directory, as_json)


@app.command()
def rotate(
    directory: Directory,
    name: Annotated[str, typer.Argument(help="The member's name, or drone id.")],
    made: Annotated[Path, typer.Argument(metavar="REQUEST", help="The new key's request.")],
    days: Days = 365,
    as_json: Json = False,
) -> None:
    """Draft a new root key for a member: it keeps its name; the old key is revoked."""
    asked = _opened(made, _swarm(directory))
    drafts.change(
        directory,
        lambda old, members: edits.rotate(old, members, name, asked[1]),
        expires=_in(days),
    )
    _keep(directory, [asked])
    tell(directory, as_json)


@app.command()
def channel(
    directory: Directory,
    requests: Requests,
    days: Days = 365,
    as_json: Json = False,
) -> None:
    """Draft members' channel keys anew, by their requests; who brings none has none then.

    Links are encrypted if all validators have such keys: give them all at once to begin, or end.
    """
    asked = [_opened(path, _swarm(directory)) for path in requests]
    drafts.change(
        directory,
        lambda _, members: edits.channel(members, [one for _, one in asked]),
        expires=_in(days),
    )
    _keep(directory, asked)
    tell(directory, as_json)


@app.command()
def renew(
    directory: Directory,
    operators: Annotated[
        bool, typer.Option("--operators", help="Renew the operators' root as well.")
    ] = False,
    threshold: Threshold = 0,
    days: Days = 365,
    as_json: Json = False,
) -> None:
    """Draft a version with the same members: it lasts longer, and ends all sessions."""
    expires = _in(days)
    same = drafts.change(
        directory,
        lambda _, members: members,
        expires=expires,
        threshold=threshold,
        renew=operators,
    )
    tell(directory, as_json)
    if same.operators.expires < expires and not as_json:
        console.print(
            f"[yellow]The operators' root expires before, on {same.operators.expires}:[/] "
            "give --operators to renew it too."
        )


@app.command()
def sign(directory: Directory, key: KeyOption, as_json: Json = False) -> None:
    """Sign the draft as one operator; once enough have, it is the newest version."""
    drafts.sign(directory, open_signer(key))
    tell(directory, as_json)


@app.command()
def discard(directory: Directory) -> None:
    """Throw the draft away, with the signatures that it has."""
    drafts.discard(directory)


@app.command()
def show(directory: Directory, as_json: Json = False) -> None:
    """Show the newest version, who may sign, and what a draft would change."""
    tell(directory, as_json)


@app.command()
def verify(
    directory: Directory,
    ledger: Annotated[
        Path | None, typer.Option(help="A drone's folder: has its ledger a later version?")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check all signatures, and that nothing has expired; exit 1 says what does not hold."""
    try:
        trust = load_trust(directory, now=utc_now())
        _check_sizes(trust)
        if ledger is not None:
            _not_behind(trust, ledger)
    except NotVerified as error:
        if as_json:
            print_json({"verified": False, "error": error.explain(), "where": error.where})
            raise typer.Exit(FAILED) from error
        raise
    if as_json:
        print_json({"verified": True, **view(trust, None)})
        return
    newest = trust.newest
    console.print(
        f"[green]verified[/]: version {newest.version} of {escape(newest.swarm_id)}, "
        f"root version {trust.roots.last.version}, until {trust.proven[-1].expires}"
    )


@app.command()
def submit(
    directory: Directory,
    to: Annotated[
        list[Path], typer.Argument(help="Roster folders of drones in flight; one is enough.")
    ],
) -> None:
    """Copy what is new to a drone's roster folder: it finds it, and has it ordered.

    The files may as well be copied by hand: roots first, <version>.targets.json last.
    """
    trust = load_trust(directory, now=utc_now())
    _check_sizes(trust)
    for folder in to:
        load_trust(folder).check_learnt(trust)
        files = {
            path.name: read_file(path)
            for kind in (ROOT, ROSTER, TARGETS)
            for path in sorted(directory.glob(f"*.{kind}"))
            if not (folder / path.name).exists()
        }
        write_files(folder, files)
        console.print(f"{escape(str(folder))}: {', '.join(files) or 'nothing is new'}")


def _check_sizes(trust: Trust) -> None:
    for version in trust.versions:
        size = len(roster_request(version))
        if size > MAX_ENTRY_BYTES:
            raise NotVerified(
                f"version {version.roster.version} takes {size} bytes with its roots.",
                where=ROSTER,
                remedy=f"An entry of the ledger has at most {MAX_ENTRY_BYTES}.",
            )


def _not_behind(trust: Trust, folder: Path) -> None:
    with open_ledger(folder) as store:
        now = members_in(store, trust).now.roster
    if now.version > trust.newest.version:
        raise NotVerified(
            f"{folder} has version {now.version}, this folder {trust.newest.version}.",
            where=ROSTER,
            remedy="Get the newest files from whoever signed them.",
        )


def _opened(path: Path, swarm: str) -> tuple[bytes, Request]:
    text = read_file(path)
    try:
        return text, open_request(text, swarm)
    except NotVerified as error:
        raise NotVerified(str(error), where=str(path)) from error


def _keep(directory: Path, asked: Sequence[tuple[bytes, Request]]) -> None:
    for text, one in asked:
        drafts.keep_request(directory, text, one)


def _swarm(directory: Path) -> str:
    return load_trust(directory).newest.swarm_id


def _in(days: int) -> datetime:
    return (utc_now() + timedelta(days=days)).replace(microsecond=0)


def _seconds(when: datetime | None) -> int:
    return int(when.replace(tzinfo=timezone.utc).timestamp()) if when else 0


def tell(directory: Path, as_json: bool) -> None:
    """Print what a roster folder holds."""
    draft: Draft | None = drafts.load_draft(directory)
    trust = load_trust(directory) if (directory / ROOT).exists() else None
    if trust is None and draft is None:
        raise Misuse(f"{directory} holds no roster.", remedy="Begin one: roster init.")
    if as_json:
        print_json(view(trust, draft))
    else:
        print_folder(view(trust, draft))
