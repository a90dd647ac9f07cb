# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`swarm-ledger ledger reindex`: mend a damaged file whose blocks are whole."""

from __future__ import annotations

from typing import Any

from rich.markup import escape

from swarm_ledger.audit.reindex import Reindexed, reindex_ledger
from swarm_ledger.cli.ledger_files import (
    LedgerArgument,
    RosterOption,
    must_exist,
    refusing,
    replaying,
    trust_for,
)
from swarm_ledger.cli.output import Json, console, print_json


def reindex(folder: LedgerArgument, roster: RosterOption = None, as_json: Json = False) -> None:
    """Rebuild what follows from a ledger's blocks, if they verify; exit 1 if they don't.

    The file is replaced at once, or stays as it is: also where nothing is wrong with it.
    """
    must_exist(folder)
    trusted = trust_for(folder, roster)
    with refusing(as_json), replaying() as advance:
        found = reindex_ledger(folder, trusted, advance)
    if as_json:
        print_json(_fields(found))
        return
    verdict = found.verdict
    if found.damage is None:
        console.print("[green]verified[/]: nothing is to be rebuilt")
    else:
        console.print(f"[green]rebuilt[/]: there was {escape(str(found.damage))}")
    console.print(
        f"height {verdict.height}, {verdict.size} entries, "
        f"{verdict.covered} of them under {verdict.checkpoints} cosigned checkpoints"
    )


def _fields(found: Reindexed) -> dict[str, Any]:
    verdict, damage = found.verdict, found.damage
    return {
        "verified": True,
        "rebuilt": damage is not None,
        "damage": {"error": damage.what, "where": damage.where} if damage else None,
        "height": verdict.height,
        "size": verdict.size,
        "root": verdict.root.hex(),
        "checkpoints": verdict.checkpoints,
        "covered": verdict.covered,
        "base": verdict.base,
        "start": verdict.start,
    }
