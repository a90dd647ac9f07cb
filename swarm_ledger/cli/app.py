# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The commands, put together."""

from __future__ import annotations

from typing import Annotated

import typer

import swarm_ledger
from swarm_ledger.cli.lazy import lazily

COMMANDS = {
    "sim": "sim:sim",
    "simulate": "simulate:simulate",
    "drill": "drill:drill",
    "twins": "twins:twins",
    "sweep": "sweep:sweep",
    "verify": "verify:verify",
    "audit": "audit:audit",
    "reindex": "audit:reindex",
    "replay": "replay:replay",
    "light": "light:light",
    "ask": "ask:ask",
    "doctor": "doctor:doctor",
    "analyse": "analyse:app",
    "bench": "bench:app",
    "key": "key:app",
    "ledger": "ledger:app",
    "roster": "roster:app",
    "rule": "rule:app",
    "perception": "perception:app",
    "relay": "relay:app",
}

app = typer.Typer(
    name="swarm-ledger",
    help="Secure communication and collective voting for drone swarms.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    cls=lazily(COMMANDS),
    context_settings={"help_option_names": ["-h", "--help"]},
)


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
