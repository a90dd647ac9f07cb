# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`swarm-ledger ledger reputation`: what the swarm thinks of its members, and since when."""

from __future__ import annotations

from typing import Any

from rich.markup import escape
from rich.table import Table

from swarm_ledger.cli.ledger_files import (
    LedgerArgument,
    RosterOption,
    open_existing,
    trust_for,
)
from swarm_ledger.cli.output import Json, console, print_json
from swarm_ledger.envelope import Kind
from swarm_ledger.runtime.chronicle import standing_fields
from swarm_ledger.runtime.machine import Machine
from swarm_ledger.runtime.snapshot import machine_in
from swarm_ledger.voting.reputation import ONE, Reputation, parse_standing_change


def reputation(folder: LedgerArgument, roster: RosterOption = None, as_json: Json = False) -> None:
    """Show how often each voter was right lately, its standing, and the entries about it.

    As of the ledger's last block; `ledger verify` checks it. Whom the swarm proposes to exclude
    stays until operators sign a roster without it.
    """
    with open_existing(folder) as store:
        machine = machine_in(store, trust_for(folder, roster))
        learnt = machine.tally.learnt()
        changes = [
            {
                **standing_fields(parse_standing_change(found.data[1:]), machine),
                "entry": found.index,
            }
            for found in store.find(Kind.STANDING)
        ]
    voters = [_voter(machine, one) for one in (learnt.voters if learnt is not None else ())]
    if as_json:
        print_json({"learns": learnt is not None, "voters": voters, "changes": changes})
        return
    if learnt is None:
        console.print("This swarm keeps no reputations: all its questions go by majority.")
        return
    table = Table("member", "reliability", "right", "wrong", "standing", "why")
    for one in voters:
        table.add_row(
            escape(one["member"]),
            f"{one['reliability']:.3f}",
            f"{one['right']:g}",
            f"{one['wrong']:g}",
            one["standing"],
            one["reason"] or "",
        )
    console.print(table)
    for change in changes:
        console.print(escape(f"{change['text']}, entry {change['entry']}"))


def _voter(machine: Machine, one: Reputation) -> dict[str, Any]:
    return {
        "member": machine.members.now.roster.members[one.voter].name,
        "reliability": one.reliability_ppm / 1_000_000,
        "right": round(one.right / ONE, 2),
        "wrong": round(one.wrong / ONE, 2),
        "standing": one.standing.name.lower(),
        "reason": one.reason.name.lower() if one.reason else None,
    }
