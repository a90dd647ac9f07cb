# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`swarm-ledger ledger serve`: a ledger for strangers, read-only, as tiles over HTTP."""

from __future__ import annotations

import signal
import sys
from typing import Annotated

import typer
from rich.markup import escape

from swarm_ledger.audit.tile_server import TileServer
from swarm_ledger.cli.ledger_files import LedgerArgument, open_existing
from swarm_ledger.cli.output import Json, console, print_json
from swarm_ledger.ledger.checkpoint import Checkpoint
from swarm_ledger.ledger.note import Note
from swarm_ledger.ledger.tile_files import check_whole
from swarm_ledger.sim.stop import Stop


def serve(
    ledger: LedgerArgument,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 for any that is free.")] = 8080,
    host: Annotated[
        str, typer.Option(help="Where to listen: 0.0.0.0 lets other machines ask.")
    ] = "127.0.0.1",
    as_json: Json = False,
) -> None:
    """Serve a ledger as tlog-tiles until Ctrl-C or SIGTERM; a drone may go on writing it."""
    with open_existing(ledger) as store:
        check_whole(store, "tiles")
        latest = store.latest_checkpoint()
    stated = Checkpoint.parse(Note.parse(latest.note).text) if latest else None
    interrupted, ended = Stop(signal.SIGINT), Stop(signal.SIGTERM)
    with interrupted, ended:
        server = TileServer(ledger, host, port)
        if as_json:
            size, origin = (stated.size, stated.origin) if stated else (0, None)
            print_json({"url": server.url, "origin": origin, "size": size})
        else:
            what = f"{stated.size} entries of {stated.origin}" if stated else "no checkpoint yet"
            console.print(f"serving {escape(server.url)}: {escape(what)}")
        sys.stdout.flush()
        server.run(lambda: interrupted.asked or ended.asked)
    if interrupted.asked:
        raise KeyboardInterrupt
