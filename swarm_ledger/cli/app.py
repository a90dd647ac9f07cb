# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The commands, put together."""

from __future__ import annotations

from typing import Annotated

import typer

import swarm_ledger
from swarm_ledger.cli import (
    analyse,
    attest,
    bench,
    doctor,
    drill,
    key,
    ledger,
    ledger_compare,
    ledger_export,
    ledger_reputation,
    ledger_rules,
    ledger_serve,
    light,
    perception,
    relay,
    relay_prove,
    roster,
    rule,
    sim,
    simulate,
    twins,
    verify,
)

app = typer.Typer(
    name="swarm-ledger",
    help="Secure communication and collective voting for drone swarms.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("sim")(sim.sim)
app.command("simulate")(simulate.simulate)
app.command("drill")(drill.drill)
app.command("twins")(twins.twins)
app.command("verify")(verify.verify)
app.command("light")(light.light)
app.command("doctor")(doctor.doctor)
key.app.command("answer")(attest.answer)
roster.app.command("challenge")(attest.challenge)
roster.app.command("attest")(attest.attest)
ledger.app.command("compare")(ledger_compare.compare)
ledger.app.command("export")(ledger_export.export)
ledger.app.command("reputation")(ledger_reputation.reputation)
ledger.app.command("rules")(ledger_rules.rules)
ledger.app.command("serve")(ledger_serve.serve)
relay.app.command("prove")(relay_prove.prove)
relay.app.command("check")(relay_prove.check)
app.add_typer(analyse.app, name="analyse")
app.add_typer(bench.app, name="bench")
app.add_typer(key.app, name="key")
app.add_typer(ledger.app, name="ledger")
app.add_typer(roster.app, name="roster")
app.add_typer(rule.app, name="rule")
app.add_typer(perception.app, name="perception")
app.add_typer(relay.app, name="relay")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(swarm_ledger.__version__)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Secure communication and collective voting for drone swarms."""
