# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Launch arguments: declared with a description, read as what they mean, refused in a sentence."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, OpaqueFunction

from swarm_ledger.errors import Misuse, NotVerified


def argument(
    name: str, description: str, default: str | None = None, choices: Sequence[str] = ()
) -> DeclareLaunchArgument:
    """Return an argument, which has to be given unless it has a default."""
    more = {"choices": list(choices)} if choices else {}
    return DeclareLaunchArgument(name, default_value=default, description=description, **more)


def flag(name: str, description: str, default: bool = False) -> DeclareLaunchArgument:
    """Return an argument that is true or false."""
    return argument(name, description, str(default).lower(), ("false", "true"))


class Given:
    """What a launch was given. KeyError for an argument that it doesn't declare."""

    def __init__(self, context: LaunchContext) -> None:
        self.context = context
        self._texts: dict[str, str] = context.launch_configurations

    def text(self, name: str) -> str:
        """Return an argument as it is."""
        return self._texts[name]

    def flag(self, name: str) -> bool:
        """Return whether an argument is true."""
        return self._texts[name] == "true"

    def whole(self, name: str) -> int:
        """Return a whole number; Misuse for anything else."""
        try:
            return int(self._texts[name])
        except ValueError:
            raise Misuse(f"{name}:={self._texts[name]} is not a whole number.") from None

    def number(self, name: str) -> float:
        """Return a number; Misuse for anything else."""
        try:
            return float(self._texts[name])
        except ValueError:
            raise Misuse(f"{name}:={self._texts[name]} is not a number.") from None

    def path(self, name: str) -> Path:
        """Return a path, absolute; Misuse if nothing is there."""
        path = Path(self._texts[name]).expanduser().absolute()
        if not path.exists():
            raise Misuse(f"{name}:={self._texts[name]}: there is no {path}.")
        return path

    def new(self, name: str) -> Path:
        """Return a path, absolute, of what need not be there yet."""
        return Path(self._texts[name]).expanduser().absolute()

    def words(self, name: str) -> list[str]:
        """Return what stands between an argument's commas."""
        return [word.strip() for word in self._texts[name].split(",") if word.strip()]

    @property
    def debugged(self) -> bool:
        """Whether a debugger or the like is the parent of the processes, not we."""
        return "launch-prefix" in self._texts


def describe(
    arguments: Sequence[DeclareLaunchArgument],
    start: Callable[[Given], list[LaunchDescriptionEntity]],
) -> LaunchDescription:
    """Return what a launch file has to: its arguments, and what to start once they are known."""

    def checked(context: LaunchContext) -> list[LaunchDescriptionEntity]:
        try:
            return start(Given(context))
        except (Misuse, NotVerified) as error:
            # Remedies name the options of the command line, which here are arguments.
            sentence = re.sub(
                r"--([a-z-]+)", lambda found: found[1].replace("-", "_"), error.explain()
            )
            raise RuntimeError(sentence) from None

    return LaunchDescription([*arguments, OpaqueFunction(function=checked)])
