# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Commands whose modules are imported when they are called: most of them take a while."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup


def lazily(commands: Mapping[str, str]) -> type[TyperGroup]:
    """Return a class of groups with further commands, imported when they are called for.

    commands: by name, "module:what" of swarm_ledger.cli, where what is a function, or a Typer.
    """

    class Lazy(TyperGroup):
        def list_commands(self, ctx: Any) -> list[str]:
            """Return the names of all commands, those of the group's own module first."""
            return list(dict.fromkeys((*super().list_commands(ctx), *commands)))

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            """Return a command, None if there is none of that name."""
            if cmd_name not in self.list_commands(ctx):
                for name in commands:  # one with a similar name is suggested
                    self.get_command(ctx, name)
            elif cmd_name not in self.commands:
                self.add_command(_load(cmd_name, commands[cmd_name]), cmd_name)
            return super().get_command(ctx, cmd_name)

    return Lazy


def _load(name: str, place: str) -> Any:
    module, _, what = place.partition(":")
    given = getattr(import_module(f"swarm_ledger.cli.{module}"), what)
    around = typer.Typer(add_completion=False)
    if isinstance(given, typer.Typer):
        around.add_typer(given, name=name)
    else:
        around.callback()(lambda: None)  # or the command would be all that there is of the group
        around.command(name)(given)
    group: Any = typer.main.get_command(around)
    return group.commands[name]
