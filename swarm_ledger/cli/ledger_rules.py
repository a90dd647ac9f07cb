# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`swarm-ledger ledger rules`: which rules are in force, and who holds what until when."""

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
from swarm_ledger.cli.output import Json, console, date, print_json
from swarm_ledger.envelope import Kind
from swarm_ledger.ledger.store import Store
from swarm_ledger.rules.rule import Lease, Trigger, parse_action
from swarm_ledger.rules.state import Standing
from swarm_ledger.runtime.chronicle import action_fields, member_name
from swarm_ledger.runtime.fleet import wall_clock_ms
from swarm_ledger.runtime.machine import Machine
from swarm_ledger.runtime.snapshot import machine_in

_ACTIONS = 16


def rules(folder: LedgerArgument, roster: RosterOption = None, as_json: Json = False) -> None:
    """Show the rules in force, who holds and waits for what, and the newest actions.

    As of the ledger's last block, whose time is shown; `ledger verify` checks it.
    """
    with open_existing(folder) as store:
        machine = machine_in(store, trust_for(folder, roster))
        standing = machine.rules.kept().standing
        shown = [_rule(store, machine, one) for one in standing]
        made = machine.rules.actions
        found = store.find(Kind.ACTION, skip=max(0, made - _ACTIONS), limit=_ACTIONS)
        actions = [
            {**action_fields(parse_action(one.data[1:]), machine), "entry": one.index}
            for one in found
        ]
    if as_json:
        print_json({"time_ms": machine.time_ms, "rules": shown, "actions": actions})
        return
    table = Table("rule", "version", "what", "holder", "until (UTC)", "grant", "waiting")
    for rule in shown:
        held = rule["held"] or {}
        table.add_row(
            rule["name"],
            str(rule["version"]),
            escape(rule["what"]),
            str(held.get("member", "")),
            date(held["until_ms"]) + over(held["until_ms"]) if held else "",
            f"{held['grant']}, entry {held['entry']}" if held else "",
            ", ".join(f"{wish['member']} ({wish['number']})" for wish in rule["waiting"]),
        )
    console.print(table)
    for action in actions:
        console.print(escape(f"{action['text']}, entry {action['entry']}"))
    console.print(f"As of {date(machine.time_ms)} UTC, the ledger's time")


def over(until_ms: int) -> str:
    """Return what to say of a lease that no block has ended yet, by the clock of who looks."""
    return " (over)" if wall_clock_ms() >= until_ms else ""


def _rule(store: Store, machine: Machine, one: Standing) -> dict[str, Any]:
    held = None
    if one.held is not None and machine.time_ms < one.held.until_ms:
        (found,) = store.find(Kind.GRANT, skip=one.held.grant - 1, limit=1)
        held = {
            "member": member_name(machine, one.held.member),
            "grant": one.held.grant,
            "entry": found.index,
            "since_ms": one.held.since_ms,
            "until_ms": one.held.until_ms,
        }
    return {
        "name": one.name,
        "version": one.version,
        "what": _what(one),
        "held": held,
        "waiting": [
            {
                "member": member_name(machine, wish.member),
                "number": wish.number,
                "term_ms": wish.term_ms,
                "accepted": wish.accepted,
            }
            for wish in one.waiting
        ],
        "fired": one.fired,
    }


def _what(one: Standing) -> str:
    body = one.body
    if isinstance(body, Lease):
        by = f", {body.accept.name.lower()} accepts"
        return f"lease, {body.term_ms / 1000:g} s, queue {body.queue}{by}"
    if isinstance(body, Trigger):
        times = "once" if body.once else "each time"
        return f"{body.action} {times} when {body.subject!r} is {body.label}"
    return "withdrawn"
