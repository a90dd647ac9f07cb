# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What tests cost: processor seconds of each, its child processes included, told in the summary.

These say the same on a busy machine; seconds on the clock don't. What costs more than DEAR_S and
isn't marked `slow` is told after each run; `--costs 30` shows the thirty dearest tests and files.
"""

from __future__ import annotations

import resource
from collections import defaultdict
from collections.abc import Generator

import pytest

DEAR_S = 10

_BEGAN = pytest.StashKey[float]()
_COST = "cpu_s"


class Costs:
    """Each test's processor seconds, gathered where the summary is written."""

    def __init__(self) -> None:
        self.of: defaultdict[str, float] = defaultdict(float)
        self.slow: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add up what a test, tried again perhaps, has cost."""
        if report.when == "teardown":
            self.of[report.nodeid] += dict(report.user_properties).get(_COST, 0.0)
            if "slow" in report.keywords:
                self.slow.add(report.nodeid)

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter, config: pytest.Config
    ) -> None:
        """Tell what was asked for, and what nobody has said is slow."""
        shown = config.getoption("costs")
        if shown:
            files: defaultdict[str, float] = defaultdict(float)
            for test, cost in self.of.items():
                files[test.partition("::")[0]] += cost
            for title, costs in (("files", files), ("tests", self.of)):
                terminalreporter.section(
                    f"dearest {title}, {sum(costs.values()):.0f} CPU s in all"
                )
                for name in sorted(costs, key=lambda one: -costs[one])[:shown]:
                    terminalreporter.line(f"{costs[name]:8.2f} s  {name}")
        unsaid = {t: c for t, c in self.of.items() if c > DEAR_S and t not in self.slow}
        if unsaid:
            terminalreporter.section(f"more than {DEAR_S:g} CPU s, and not marked slow")
            for name, cost in sorted(unsaid.items()):
                terminalreporter.line(f"{cost:8.2f} s  {name}")


def _spent() -> float:
    own, ended = (resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime


def pytest_addoption(parser: pytest.Parser) -> None:
    """How many to show."""
    parser.addoption(
        "--costs", type=int, default=0, metavar="N", help="show the N dearest tests and files"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Gather where the reports of all workers arrive."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Costs(), "costs")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Begin to count, fixtures included: who asks first for a shared one, pays for it."""
    item.stash[_BEGAN] = _spent()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Write down what it came to; a child counts once it was waited for."""
    report = yield
    if call.when == "teardown" and _BEGAN in item.stash:
        report.user_properties.append((_COST, round(_spent() - item.stash[_BEGAN], 3)))
    return report
