# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Launch files loaded without ROS 2: stand-ins for launch keep what they were made with."""

from __future__ import annotations

import configparser
import importlib.util
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from swarm_ledger.nodes.tables import tables

ROOT = Path(__file__).parents[1]
LAUNCH = ROOT / "launch"
FILES = sorted(path.name for path in LAUNCH.glob("*.launch.py"))
OURS = "swarm_ledger.launching"
_THEIRS = re.compile(r"^from ((?:launch|launch_ros|ament_index_python)(?:\.[\w.]+)?) import", re.M)


class Recorded:
    """Stands in for any class of launch: keeps what it was made with."""

    def __init__(self, *given: Any, **named: Any) -> None:
        self.given, self.named = given, named
        self.name = given[0] if given else ""


class Recording(ModuleType):
    """Stands in for any module of launch."""

    def __getattr__(self, name: str) -> type[Recorded]:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (Recorded,), {})


class PackageNotFoundError(Exception):
    """What ament_index_python raises."""


class Index:
    """Stands in for the index of installed ROS packages: ours is where it is developed."""

    def __init__(self) -> None:
        self.installed: set[str] = set()

    def prefix(self, package: str) -> str:
        if package not in self.installed:
            raise PackageNotFoundError(package)
        return f"/opt/ros/{package}"


class Loader:
    """Loads launch files against stand-ins; index: which ROS packages there are."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.index, self._patch = Index(), patch
        sources = [*LAUNCH.glob("*.py"), *(ROOT / "swarm_ledger" / "launching").glob("*.py")]
        imported = {name for path in sources for name in _THEIRS.findall(path.read_text())}
        assert "launch_ros.actions" in imported
        for name in imported:
            patch.setitem(sys.modules, name, Recording(name))
        packages: Any = sys.modules["ament_index_python.packages"]
        packages.PackageNotFoundError = PackageNotFoundError
        packages.get_package_prefix = self.index.prefix
        packages.get_package_share_directory = lambda name: f"{self.index.prefix(name)}/share"

    def load(self, file: str) -> Launch:
        """Load a launch file."""
        spec = importlib.util.spec_from_file_location(file.replace(".", "_"), LAUNCH / file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for one in (module, sys.modules[f"{OURS}.processes"]):
            if hasattr(one, "share"):
                self._patch.setattr(one, "share", lambda: ROOT)
        return Launch(module)


@contextmanager
def stand_ins() -> Iterator[Loader]:
    """Have launch's stand-ins in place, and nothing left of them after that."""
    forget()
    with pytest.MonkeyPatch.context() as patch:
        yield Loader(patch)
    forget()


def forget() -> None:
    """Have what imports launch imported anew."""
    for name in [one for one in sys.modules if one == OURS or one.startswith(f"{OURS}.")]:
        del sys.modules[name]


class Launch:
    """A loaded launch file: its arguments, and what it starts for some values of them."""

    def __init__(self, module: ModuleType) -> None:
        self.module = module
        (description,) = module.generate_launch_description().given
        *self.arguments, self._opaque = description
        self.defaults = {
            one.name: one.named["default_value"]
            for one in self.arguments
            if one.named["default_value"] is not None
        }

    def start(self, **given: str) -> list[Any]:
        """Return what it starts; RuntimeError with the sentence that would end the launch."""
        assert given.keys() <= {one.name for one in self.arguments}
        context = Recorded()
        context.launch_configurations = {**self.defaults, **given}  # type: ignore[attr-defined]
        started: list[Any] = self._opaque.named["function"](context)
        return started


def nodes(entities: list[Any]) -> list[dict[str, Any]]:
    """Return how the nodes among entities were made, those that start late included."""
    found = []
    for one in entities:
        if "executable" in one.named:
            found.append(one.named)
        found += nodes(one.named.get("actions", []))
    return found


def named(entities: list[Any], executable: str) -> list[dict[str, Any]]:
    """Return how the processes of an executable were made."""
    return [one for one in nodes(entities) if one["executable"] == executable]


def values(node: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters that a node is given by value."""
    given = node["parameters"][-1]
    return {k: v.given[0] if isinstance(v, Recorded) else v for k, v in given.items()}


def parameters_of(executable: str) -> tuple[set[str], set[str]]:
    """Return the parameters that an executable's nodes have, and those that must be given."""
    started = [table for table in tables().values() if executable in table.executables]
    assert started, executable
    every = [one for table in started for one in table.parameters]
    return {one.name for one in every}, {one.name for one in every if one.required}


def entry_points() -> dict[str, str]:
    """Return setup.py's executables, by name, as module:function."""
    listed = re.search(r'"console_scripts": \[(.*?)\]', (ROOT / "setup.py").read_text(), re.S)
    assert listed is not None
    parser = configparser.ConfigParser()
    parser.read_string("[all]\n" + "\n".join(re.findall(r'"([^"]+)"', listed[1])))
    return dict(parser["all"])
