# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`swarm-ledger drill`: four real drones lose their leader, their links, a disk, under load."""

from __future__ import annotations

import time
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from swarm_ledger.audit.ledger import Verdict, open_ledger, verify_ledger
from swarm_ledger.cli import FAILED
from swarm_ledger.cli.output import Json, console, print_json
from swarm_ledger.errors import NotVerified
from swarm_ledger.runtime.fleet import Fleet
from swarm_ledger.sim.drill import Drill, go_through
from swarm_ledger.sim.events import Event

_COLUMNS = ("leader", "epoch", "view", "height", "stable", "pending")


def drill(
    rate: Annotated[
        float, typer.Option(min=1, max=100, help="Requests that each drone submits a second.")
    ] = 10,
    timeout: Annotated[
        float, typer.Option(min=1, max=3600, help="Give up a wait after that many seconds.")
    ] = 30,
    run_dir: Annotated[
        Path | None, typer.Option(help="Where ledgers and logs go; a new folder in runs/.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Kill the leader of four real drones, cut them apart, wipe a disk, and see them recover.

    Exit code 0 if they recover and end with one ledger that holds, 1 if not, 2 if it can't be
    started here.
    """
    folder = run_dir or Path("runs") / f"{datetime.now():%Y%m%d-%H%M%S-%f}-drill"
    with View(console, quiet=as_json) as view:
        found: dict[str, Any] = {"recovered": False, "error": ""}
        try:
            fleet = go_through(Drill(folder, rate, timeout), view.say, view.take)
            verdict = check_alike(fleet)
            view.say("four ledgers, entry by entry the same, verified by the roster alone")
            found["recovered"] = True
            found.update(height=verdict.height, size=verdict.size, root=verdict.root.hex())
        except NotVerified as error:
            found["error"] = str(error)
            view.say(f"it failed: {error}")
    if as_json:
        print_json({**found, "steps": view.steps, "run_dir": str(folder)})
    else:
        console.print(f"Files: {escape(str(folder))}")
    if not found["recovered"]:
        raise typer.Exit(FAILED)


def check_alike(fleet: Fleet) -> Verdict:
    """Verify each drone's ledger by the roster, and that all have the same entries.

    Returns what holds of any of them; raises NotVerified.
    """
    with ExitStack() as stack:
        stores = {
            entry.name: stack.enter_context(open_ledger(fleet.folder / entry.folder))
            for entry in fleet.file.drones
        }
        verdicts = []
        for name, store in stores.items():
            try:
                verdicts.append(verify_ledger(store, fleet.trust))
            except NotVerified as error:
                raise NotVerified(str(error), where=f"the ledger of {name}") from error
        first, *others = stores.values()
        for name, store in zip(list(stores)[1:], others, strict=True):
            if store.size != first.size:
                raise NotVerified(f"it has {store.size} entries, not {first.size}", where=name)
            for index in range(first.size):
                if store.entry(index) != first.entry(index):
                    raise NotVerified(f"entry {index} differs", where=name)
    return verdicts[0]


class View:
    """Shows a drill: what happens, as it does, and on a terminal a line for each drone below it.

    steps: what was said, with the seconds since the start. Use it as a context manager.
    """

    def __init__(self, console: Console, *, quiet: bool) -> None:
        self.steps: list[dict[str, Any]] = []
        self._console, self._quiet = console, quiet
        self._start = time.monotonic()
        self._rows: dict[str, dict[str, Any]] = {}
        self._live = Live(console=console, refresh_per_second=8)

    def say(self, what: str) -> None:
        """Tell what has just happened."""
        at_s = round(time.monotonic() - self._start, 1)
        self.steps.append({"at_s": at_s, "what": what})
        if not self._quiet:
            self._console.print(f"{at_s:6.1f} s  {escape(what)}")

    def take(self, event: Event) -> None:
        """Take in what a drone reports."""
        if event.event == "status":
            self._rows[event.drone] = event.fields
        elif event.event == "lost":
            self._rows[event.drone] = {"leader": f"lost ({event.fields['how']})"}
        if self._shown:
            table = Table()
            for title in ("drone", *_COLUMNS):
                table.add_column(title, no_wrap=True)
            for name, row in sorted(self._rows.items()):
                table.add_row(name, *(str(row.get(column, "")) for column in _COLUMNS))
            self._live.update(table)

    @property
    def _shown(self) -> bool:
        return self._console.is_terminal and not self._quiet

    def __enter__(self) -> View:
        if self._shown:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._shown:
            self._live.stop()
