# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`swarm-ledger ledger serve`: a ledger for strangers, read-only, over HTTP and ZeroMQ."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer
from rich.markup import escape

from swarm_ledger.audit.ledger import open_ledger
from swarm_ledger.audit.light_server import LightServer
from swarm_ledger.audit.tile_server import TileServer
from swarm_ledger.cli.ledger_files import (
    LedgerArgument,
    RosterOption,
    find_trust,
    open_existing,
    trust_for,
)
from swarm_ledger.cli.output import Json, console, print_json
from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.ledger.checkpoint import Checkpoint
from swarm_ledger.ledger.note import Note
from swarm_ledger.ledger.tile_files import check_whole
from swarm_ledger.runtime.light import Prover
from swarm_ledger.sim.stop import Stop


def serve(
    ledger: LedgerArgument,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 for any that is free.")] = 8080,
    host: Annotated[
        str, typer.Option(help="Where to listen: 0.0.0.0 lets other machines ask.")
    ] = "127.0.0.1",
    zmq: Annotated[
        str, typer.Option(help="Answer light clients there too, such as tcp://127.0.0.1:5599.")
    ] = "",
    roster: RosterOption = None,
    as_json: Json = False,
) -> None:
    """Serve a ledger as tlog-tiles until Ctrl-C or SIGTERM; a drone may go on writing it.

    Where the roster is at hand, light clients are answered as well.
    """
    with open_existing(ledger) as store:
        check_whole(store, "tiles")
        latest = store.latest_checkpoint()
    light = _answers(ledger, roster, needed=bool(zmq))
    stated = Checkpoint.parse(Note.parse(latest.note).text) if latest else None
    interrupted, ended = Stop(signal.SIGINT), Stop(signal.SIGTERM)
    with interrupted, ended:
        server = TileServer(ledger, host, port, light=light)
        second = _beside(server, light, zmq)
        urls = [server.url, *([second.url] if second else [])]
        if as_json:
            size, origin = (stated.size, stated.origin) if stated else (0, None)
            told: dict[str, Any] = {"url": server.url, "origin": origin, "size": size}
            print_json({**told, "zmq": second.url if second else None, "light": bool(light)})
        else:
            what = f"{stated.size} entries of {stated.origin}" if stated else "no checkpoint yet"
            console.print(f"serving {escape(' and '.join(urls))}: {escape(what)}")
            if light is None:
                console.print("no roster in or next to it: light clients are not answered")
        sys.stdout.flush()

        def over() -> bool:
            return interrupted.asked or ended.asked

        with _running(second, over):
            server.run(over)
    if interrupted.asked:
        raise KeyboardInterrupt


def _answers(ledger: Path, named: Path | None, *, needed: bool) -> Callable[[bytes], bytes] | None:
    """Return what answers light clients; None without a roster, if that is not needed."""
    try:
        trust = trust_for(ledger, named) if needed else find_trust(ledger, named)
    except NotVerified:
        if needed or named is not None:
            raise
        return None  # tiles are served whatever happens to lie next to the ledger
    return Prover(lambda: open_ledger(ledger), trust).answer if trust else None


def _beside(
    first: TileServer, light: Callable[[bytes], bytes] | None, address: str
) -> LightServer | None:
    """Listen at a second address; the first one is closed again where that fails."""
    if not address or light is None:
        return None
    try:
        parts = urlsplit(address)
        if parts.scheme != "tcp" or parts.hostname is None or parts.port is None or parts.path:
            raise ValueError(address)
        return LightServer(light, parts.hostname, parts.port)
    except ValueError as error:
        first.server_close()
        raise Misuse(f"--zmq is tcp://HOST:PORT, not {address!r}.") from error
    except Misuse:
        first.server_close()
        raise


@contextmanager
def _running(server: LightServer | None, ended: Callable[[], bool]) -> Iterator[None]:
    """Serve in a thread of its own, until it is to end, or what is within has ended."""
    if server is None:
        yield
        return
    left = threading.Event()
    thread = threading.Thread(target=server.run, args=(lambda: left.is_set() or ended(),))
    thread.start()
    try:
        yield
    finally:
        left.set()
        thread.join()
