# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`swarm-ledger rule`: operators lay rules down, and whoever is on board asks for leases."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from swarm_ledger.cli.output import console
from swarm_ledger.cli.roster_begin import KeyOption
from swarm_ledger.encoding import encode
from swarm_ledger.envelope import Kind, seal
from swarm_ledger.errors import Misuse, PeerFault
from swarm_ledger.identity.roster import Role, Roster
from swarm_ledger.identity.trust import load_trust, read_file
from swarm_ledger.rules.limits import MAX_LISTED, MAX_NUMBER, MAX_QUEUE, MAX_TERM_MS
from swarm_ledger.rules.rule import (
    Accept,
    Answer,
    Instruction,
    Lease,
    Rule,
    Trigger,
    Withdrawal,
    parse_instruction,
)
from swarm_ledger.runtime.clerk import RULES, SEALED, read_wanted, unsealed, write_wanted
from swarm_ledger.signers import open_signer
from swarm_ledger.signers.secret import write_private

_MAX_SECONDS = MAX_TERM_MS // 1000

app = typer.Typer(
    help="Lay down rules on the ledger: leases of shared resources, actions by decision.",
    no_args_is_help=True,
)

RosterArgument = Annotated[Path, typer.Argument(help="The roster folder; its newest counts.")]
NameArgument = Annotated[str, typer.Argument(help="The rule's name: a-z, 0-9 and _.")]
VersionOption = Annotated[
    int, typer.Option("--version", min=1, max=2**32 - 1, help="Higher than any before.")
]
PresentOption = Annotated[
    int, typer.Option("--version", min=1, max=2**32 - 1, help="The one that is in force.")
]
MembersOption = Annotated[
    list[str] | None, typer.Option("--member", help="Name or drone id; everybody if left out.")
]
OutOption = Annotated[Path | None, typer.Option(help="The file; NAME.VERSION.rule otherwise.")]
DroneFolder = Annotated[Path, typer.Argument(help="The drone's folder.")]


@app.command()
def lease(
    roster: RosterArgument,
    name: NameArgument,
    key: KeyOption,
    term: Annotated[
        int, typer.Option(min=1, max=_MAX_SECONDS, help="Seconds that a lease lasts at most.")
    ],
    queue: Annotated[
        int, typer.Option(min=0, max=MAX_QUEUE, help="How many may wait for it.")
    ] = MAX_QUEUE,
    member: MembersOption = None,
    asks_operator: Annotated[
        bool, typer.Option("--operator", help="An operator accepts each request: rule answer.")
    ] = False,
    version: VersionOption = 1,
    out: OutOption = None,
) -> None:
    """Seal a rule: one drone at a time may hold what the rule is named after."""
    now = load_trust(roster).newest
    accept = Accept.OPERATOR if asks_operator else Accept.LEDGER
    body = Lease(term * 1000, queue, accept, _ids(now, member))
    _seal(Rule(name, version, body), now, key, out or Path(f"{name}.{version}{SEALED}"))


@app.command()
def trigger(
    roster: RosterArgument,
    name: NameArgument,
    key: KeyOption,
    subject: Annotated[str, typer.Option(help="The question's subject, exactly.")],
    label: Annotated[str, typer.Option(help="The answer that is decided.")],
    action: Annotated[str, typer.Option(help="What is to be done then: a-z, 0-9 and _.")],
    parameters: Annotated[str, typer.Option(help="For whoever does it; printable ASCII.")] = "",
    member: MembersOption = None,
    once: Annotated[bool, typer.Option("--once", help="By the first decision only.")] = False,
    start: Annotated[
        datetime | None, typer.Option("--from", help="UTC; decisions count from then on.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(help="UTC; decisions count until then.")
    ] = None,
    version: VersionOption = 1,
    out: OutOption = None,
) -> None:
    """Seal a rule: an action is due when a question settles on an answer."""
    now = load_trust(roster).newest
    body = Trigger(
        subject,
        label,
        action,
        parameters,
        _ids(now, member),
        once,
        _ms(start) if start else 0,
        _ms(until) if until else MAX_NUMBER,
    )
    _seal(Rule(name, version, body), now, key, out or Path(f"{name}.{version}{SEALED}"))


@app.command()
def withdraw(
    roster: RosterArgument,
    name: NameArgument,
    key: KeyOption,
    version: PresentOption,
    out: OutOption = None,
) -> None:
    """Seal that a rule is in force no more; what it granted runs out."""
    file = out or Path(f"{name}.{version}.withdrawn{SEALED}")
    _seal(Withdrawal(name, version), load_trust(roster).newest, key, file)


@app.command()
def answer(
    roster: RosterArgument,
    name: NameArgument,
    member: Annotated[str, typer.Argument(help="Who asked: name or drone id.")],
    number: Annotated[int, typer.Argument(min=1, help="The request's: ledger rules shows it.")],
    key: KeyOption,
    version: PresentOption = 1,
    refuse: Annotated[bool, typer.Option("--refuse", help="Refuse it, not accept it.")] = False,
    out: OutOption = None,
) -> None:
    """Seal that a request for a lease is accepted, where the rule leaves that to operators."""
    now = load_trust(roster).newest
    (member_id,) = _ids(now, [member])
    said = Answer(name, version, member_id, number, not refuse)
    _seal(said, now, key, out or Path(f"{name}.{version}.{number}{SEALED}"))


@app.command()
def submit(
    file: Annotated[Path, typer.Argument(help="A sealed rule.")],
    to: Annotated[list[Path], typer.Argument(help="Folders of drones; one is enough.")],
) -> None:
    """Copy a sealed rule to a drone's folder: the drone finds it, and has it ordered."""
    raw = read_file(file)
    try:
        unsealed(raw)
    except PeerFault as fault:
        raise Misuse(f"{file} is no sealed rule: {fault.what}") from fault
    for folder in to:
        if not folder.is_dir():
            raise Misuse(f"there is no folder {folder}.", remedy="Name a drone's folder.")
        place = folder / RULES
        place.mkdir(exist_ok=True)
        name = file.name if file.name.endswith(SEALED) else file.name + SEALED
        write_private(place / name, raw, over=True)
        console.print(escape(f"{place / name}"))


@app.command()
def want(
    folder: DroneFolder,
    name: NameArgument,
    term: Annotated[
        int, typer.Option(min=1, max=_MAX_SECONDS, help="Seconds to hold it at a time.")
    ],
) -> None:
    """Have a drone ask for a lease, and hold it, until `rule release`."""
    wanted = _wanted(folder)
    _check(Rule(name, 1, Lease(term * 1000, 0)))
    write_wanted(folder, {**wanted, name: term * 1000})
    console.print(f"{escape(str(folder))} wants {', '.join(sorted({*wanted, name}))}")


@app.command()
def release(folder: DroneFolder, name: NameArgument) -> None:
    """Have a drone give a lease back, or wait for it no more."""
    wanted = _wanted(folder)
    if name not in wanted:
        raise Misuse(
            f"{folder} does not want {name}.", remedy=f"It wants {', '.join(wanted) or 'nothing'}."
        )
    del wanted[name]
    write_wanted(folder, wanted)
    console.print(f"{escape(str(folder))} wants {', '.join(sorted(wanted)) or 'nothing'}")


def _wanted(folder: Path) -> dict[str, int]:
    if not folder.is_dir():
        raise Misuse(f"there is no folder {folder}.", remedy="Name a drone's folder.")
    return read_wanted(folder)


def _ids(roster: Roster, labels: list[str] | None) -> tuple[bytes, ...]:
    members = {roster.named(label).id for label in labels or ()}
    if len(members) > MAX_LISTED:
        raise Misuse(f"a rule names {MAX_LISTED} members at most.")
    return tuple(sorted(members))


def _ms(when: datetime) -> int:
    return int(when.replace(tzinfo=timezone.utc).timestamp() * 1000)


def _check(said: Instruction) -> bytes:
    payload = encode(said)
    try:
        parse_instruction(payload)
    except PeerFault as fault:
        raise Misuse(f"that is no rule: {fault.what}") from fault
    return payload


def _seal(said: Instruction, roster: Roster, key: str, file: Path) -> None:
    payload = _check(said)
    signer = open_signer(key)
    member = roster.with_key(signer.public_key)
    if member is None or Role.OPERATOR not in member.roles:
        raise Misuse(
            f"the key {key} is no operator's in roster version {roster.version}.",
            remedy="Only operators lay down rules.",
        )
    try:
        write_private(file, seal(Kind.RULE, payload, signer, roster), over=False)
    except FileExistsError as error:
        raise Misuse(
            f"{file} is there already.", remedy="Name another file with --out."
        ) from error
    console.print(escape(f"{file}: sealed by {member.name} for {roster.swarm_id}"))
