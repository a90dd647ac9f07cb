# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""How commands speak: to people on a terminal, to machines as one JSON object."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]

_PIPE_WIDTH = 200


def _console(stderr: bool) -> Console:
    """Return a console that breaks lines for people only: a machine gets each in one piece."""
    stream = sys.stderr if stderr else sys.stdout
    piped = not stream.isatty()
    width = _PIPE_WIDTH if piped else None
    return Console(stderr=stderr, highlight=False, soft_wrap=piped, width=width)


console = _console(stderr=False)
progress_console = _console(stderr=True)


def print_json(value: Any) -> None:
    """Print one JSON object on a line of its own."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")


def print_json_with(value: dict[str, Any], name: str, items: Iterable[Any]) -> None:
    """Print a JSON object, not empty, and in it a list that is written as it comes."""
    sys.stdout.write(msgspec.json.encode(value).decode()[:-1] + f',"{name}":[')
    for number, item in enumerate(items):
        sys.stdout.write("," * (number > 0) + msgspec.json.encode(item).decode())
    sys.stdout.write("]}\n")


def date(time_ms: int) -> str:
    """Return POSIX milliseconds as people read them; the genesis block has none."""
    if not time_ms:
        return ""
    try:
        when = datetime.fromtimestamp(time_ms // 1000, tz=timezone.utc)
    except (OverflowError, ValueError, OSError):  # nothing is verified here: it may say anything
        return f"{time_ms} ms"
    return f"{when:%Y-%m-%d %H:%M:%S}.{time_ms % 1000:03}"
