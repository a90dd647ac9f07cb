# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Fixtures that all tests share."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.crew import Crew
from tests.lab import Lab

pytest_plugins = ["tests.costs"]

# A busy machine takes its time; what an example costs is for benchmarks to say.
settings.register_profile(
    "unhurried", settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
)
settings.load_profile("unhurried")


_OF_PROCESSES = ("system", "assault", "deploy", "hardware", "ros")
"""Folders whose tests start processes, and wait for what these do to each other."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Try a test of several processes once more if it fails, and put files in the best order.

    On a machine that is short of processors they meet in orders that nobody thought of. What is
    wrong fails again; the summary lists it as a rerun, and what is listed again and again is to
    be mended.
    """
    again = pytest.mark.flaky(reruns=1, only_rerun=["."])
    for item in items:
        if item.path.parent.name in _OF_PROCESSES or item.path.name == "test_links.py":
            item.add_marker(again)
    places = _places(items)
    items.sort(key=lambda item: places[item.path])


def _places(items: list[pytest.Item]) -> dict[Path, float]:
    """Say when each file's turn is, from 0 to 1.

    Workers take whole files, in order. One that is long would keep a single worker busy in the
    end, so the longest come first; and those that start processes are spread over all of the
    time, beside others that only compute, instead of starving each other.
    """
    from tests.costs import DEAR_S  # a plugin: pytest imports it first

    files = dict.fromkeys(item.path for item in items)
    long = dict.fromkeys(files, 0.0)
    for item in items:
        if mark := item.get_closest_marker("slow"):
            long[item.path] += mark.args[0] if mark.args else DEAR_S
    places: dict[Path, float] = {}
    for started in (True, False):
        some = [path for path in files if (path.parent.name in _OF_PROCESSES) is started]
        some.sort(key=lambda path: -long[path])
        places |= {path: number / len(some) for number, path in enumerate(some)}
    return places


def pytest_configure() -> None:
    """Let Ctrl-C reach the commands under test, also where the tests run in the background.

    A shell starts background jobs with SIGINT ignored, and their children inherit that.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def crew() -> Crew:
    """Four drones, an observer and an operator."""
    return Crew()


@pytest.fixture
def lab(tmp_path: Path, crew: Crew) -> Iterator[Callable[..., Lab]]:
    """Make swarms with ledgers under tmp_path, closed when the test ends."""
    made: list[Lab] = []

    def make(seed: int = 1, loss: float = 0.0, crew: Crew = crew, places: int = 0) -> Lab:
        made.append(Lab(tmp_path / f"lab_{len(made)}", crew, seed, loss, places))
        return made[-1]

    yield make
    for one in made:
        one.close()
