# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""How a bug is planted: one line of one function says something else, and is put right again."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from textwrap import dedent
from types import FunctionType
from typing import Any

import pytest

from swarm_ledger.sim.pbft.plan import Menu, draw
from swarm_ledger.sim.pbft.run import run

MENU = Menu(steps=4_000)
"""Everything on the default menu, in runs that are long enough for checkpoints and epochs."""


@dataclass(frozen=True)
class Edit:
    """In the source of `where`, `old` stands once; the mutant has `new` in its place."""

    where: Any
    old: str
    new: str

    @property
    def function(self) -> FunctionType:
        """What is edited, without its decorators."""
        where = self.where
        if isinstance(where, cached_property):
            where = where.func
        if isinstance(where, property):
            where = where.fget
        return inspect.unwrap(where)

    def code(self) -> Any:
        """Compile the function as the mutant has it."""
        function = self.function
        lines = dedent(inspect.getsource(function)).splitlines(keepends=True)
        while lines[0].startswith("@"):
            del lines[0]
        source = "".join(lines)
        assert source.count(self.old) == 1, f"{self} matches {source.count(self.old)} times"
        source = "from __future__ import annotations\n" + source.replace(self.old, self.new)
        names: dict[str, Any] = {}
        exec(compile(source, str(self), "exec"), function.__globals__.copy(), names)
        return names[function.__name__].__code__

    def __str__(self) -> str:
        return f"{self.function.__module__.split('.')[-1]}.{self.function.__qualname__}"


@dataclass(frozen=True)
class Mutant:
    """A bug by its name. scenario: what it fails, where the menu can hardly reach it."""

    name: str
    edits: tuple[Edit, ...]
    scenario: Callable[[], None] | None = None


def mutant(name: str, *parts: Any, scenario: Callable[[], None] | None = None) -> Mutant:
    """Return a mutant; parts: where, old, new, for each line that is wrong."""
    edits = tuple(Edit(*parts[i : i + 3]) for i in range(0, len(parts), 3))
    return Mutant(name, edits, scenario)


def case(test: Callable[..., None], *arguments: object) -> Callable[[], None]:
    """Return a test with its parameters as a scenario."""

    def scenario() -> None:
        test(*arguments)

    scenario.__name__ = f"{test.__name__}[{', '.join(map(str, arguments))}]"
    return scenario


@contextmanager
def planted(bug: Mutant) -> Iterator[None]:
    """Have the bug in the code, everywhere, for as long as this lasts."""
    whole = [(edit.function, edit.function.__code__, edit.code()) for edit in bug.edits]
    try:
        for function, _, broken in whole:
            function.__code__ = broken
        yield
    finally:
        for function, sound, _ in whole:
            function.__code__ = sound


def found(seed: int) -> str:
    """Run a seed of the default menu, and say what is wrong; "" if nothing is."""
    try:
        report = run(draw(seed, MENU))
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return report.violation or report.stalled


def failed(scenario: Callable[[], None]) -> str:
    """Act out a scenario, and say what is wrong; "" if nothing is."""
    try:
        scenario()
    except (Exception, pytest.fail.Exception) as error:
        return str(error).strip().split("\n")[0] or "is not so"
    return ""


def caught(bug: Mutant, seed: int) -> str:
    """Say what is wrong with a mutant in its scenario, or under a seed; "" if it survives."""
    with planted(bug):
        return failed(bug.scenario) if bug.scenario else found(seed)
