# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What the commands about ledgers share: where they find one and its roster, and a bar."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from swarm_ledger.audit.ledger import open_ledger
from swarm_ledger.cli import FAILED
from swarm_ledger.cli.output import print_json, progress_console
from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.identity.trust import Trust, load_trust
from swarm_ledger.identity.tuf import ROSTER
from swarm_ledger.ledger.store import Store

LedgerArgument = Annotated[Path, typer.Argument(help="A drone's folder, or its ledger.db.")]
RosterOption = Annotated[
    Path | None, typer.Option("--roster", help="The roster folder; found next to the drone's.")
]


def open_existing(folder: Path) -> Store:
    """Open a ledger read-only; Misuse, of the path that was named, if there is none."""
    must_exist(folder)
    return open_ledger(folder)


def must_exist(folder: Path) -> None:
    """Raise Misuse unless there is something at a path that may be read."""
    try:
        folder.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise Misuse(
            f"there is no {folder}.", remedy="Name a drone's folder, or its ledger.db."
        ) from error
    except OSError as error:
        raise Misuse(f"cannot read {folder}: {error.strerror}.") from error


def trust_for(folder: Path, named: Path | None) -> Trust:
    """Load the roster that was named, or else the one in or next to the drone's folder."""
    found = find_trust(folder, named)
    if found is None:
        raise Misuse(f"no roster in or next to {folder}.", remedy="Name one with --roster.")
    return found


def find_trust(folder: Path, named: Path | None) -> Trust | None:
    """Load the roster that was named or lies in or next to the drone's folder; None for none."""
    if named is not None:
        return load_trust(named)
    home = folder if folder.is_dir() else folder.parent
    for candidate in (home / "roster", home.parent / "roster"):
        if (candidate / ROSTER).exists():
            return load_trust(candidate)
    return None


@contextmanager
def refusing(as_json: bool) -> Iterator[None]:
    """Tell a ledger that does not hold to whoever reads JSON, and exit 1; else raise as it is."""
    try:
        yield
    except NotVerified as error:
        if not as_json:
            raise
        print_json({"verified": False, "error": error.what, "where": error.where})
        raise typer.Exit(FAILED) from error


@contextmanager
def replaying() -> Iterator[Callable[[int, int], None]]:
    """Show a bar to whoever watches, and give what moves it: to a height, of the last one."""
    shown = sys.stderr.isatty()
    with Progress(console=progress_console, transient=True, disable=not shown) as bar:
        task = bar.add_task("replaying", total=None)
        yield lambda at, of: bar.update(task, completed=at, total=of)
