# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Carries out a sweep's tasks, side by side, and goes on where it stopped.

There is one way to have something done elsewhere: an Executor of the standard library. Local
processes are one, and a Dask client has one, so that a cluster needs no second loop, and a laptop
no Dask.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager

from swarm_ledger.errors import Misuse
from swarm_ledger.sim.sweep.experiments import Row
from swarm_ledger.sim.sweep.plan import Plan, Task, perform, tasks
from swarm_ledger.sim.sweep.results import Results

_AHEAD = 4
"""Tasks that wait for each that is under way: enough to keep a worker busy, few to give up."""

OnProgress = Callable[[int, int], None]
"""Told how many tasks are done, of how many."""


@contextmanager
def local(jobs: int) -> Iterator[Executor]:
    """Give out so many processes of this machine.

    They are started anew, not forked: a fork takes along threads' locks that nobody opens.
    """
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


@contextmanager
def cluster(scheduler: str) -> Iterator[Executor]:
    """Give out the workers of a Dask scheduler, tcp://HOST:PORT; Misuse if there is none."""
    try:
        from distributed import Client  # noqa: PLC0415  - an extra
    except ImportError as error:
        raise Misuse(
            "a scheduler needs Dask.", remedy="pip install 'swarm_ledger[dask]'."
        ) from error
    try:
        client = Client(scheduler, timeout="10s", set_as_default=False)
    except (OSError, ValueError) as error:
        raise Misuse(
            f"no Dask scheduler answers at {scheduler}: {error}.",
            remedy="Start one with `dask scheduler`, and workers with `dask worker`.",
        ) from error
    with client, client.get_executor(pure=False) as pool:
        yield pool


def sweep(plan: Plan, results: Results, pool: Executor, on_progress: OnProgress) -> list[Row]:
    """Carry out what isn't done yet; return all rows, in the plan's order.

    Each result is on disk before it counts as done, so nothing is lost by an end at any time.
    """
    wanted = tasks(plan)
    missing = [task for task in wanted if results.get(task) is None]
    done = len(wanted) - len(missing)
    on_progress(done, len(wanted))
    waiting = iter(missing)
    under_way: dict[Future[list[Row]], Task] = {}
    room = _workers(pool) * _AHEAD
    while True:
        while len(under_way) < room and (task := next(waiting, None)) is not None:
            under_way[pool.submit(perform, task)] = task
        if not under_way:
            break
        finished, _ = wait(under_way, return_when=FIRST_COMPLETED)
        for future in finished:
            results.put(under_way.pop(future), future.result())
            done += 1
        on_progress(done, len(wanted))
    return [row for task in wanted for row in results.get(task) or ()]


def _workers(pool: Executor) -> int:
    return max(1, getattr(pool, "_max_workers", 8))
