# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""How commands speak: to people on a terminal, to machines as one JSON object."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]

console = Console(highlight=False)
progress_console = Console(stderr=True, highlight=False)


def print_json(value: Any) -> None:
    """Print one JSON object on a line of its own."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
