# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`swarm-ledger bench memory`: whether memory grows with the number of votes."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import msgspec
import typer

from swarm_ledger.cli.output import Json, console, print_json
from swarm_ledger.sim.soak import soak


def memory(
    votes: Annotated[int, typer.Option(min=1, help="How many in all.")] = 100_000,
    every: Annotated[int, typer.Option(min=1, help="After how many it is told.")] = 10_000,
    as_json: Json = False,
) -> None:
    """Order many votes by four replicas in one process, and tell the memory after each step.

    Real signatures and ledgers on disk. It is the memory of all four, and of their clients.
    """
    found = []
    with TemporaryDirectory(prefix="swarm-ledger-memory-") as folder:
        for step in soak(Path(folder), votes, every):
            found.append(step)
            if not as_json:
                console.print(
                    f"{step.votes:>10,} votes: {step.rss_mb:.1f} MB, {step.objects:,} objects"
                )
    if as_json:
        print_json(msgspec.to_builtins(found))
