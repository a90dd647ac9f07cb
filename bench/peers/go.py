# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Peers in Go: a server from the Go module proxy, a client of ours, and a run of both.

What was built is kept in the user's cache, by version or by digest of its sources.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from bench.peers.peer import Work, cpu_us, quantile, servers

_HERE = Path(__file__).parent
_LOAD = "load"  # what all clients share
_BUILDING = "tmp"
_BUILD_S = 1_800  # two cores that do other things too
_MARKS = (b"begin", b"end")


class Binary(msgspec.Struct, frozen=True):
    """What was built, or why it wasn't."""

    path: Path
    missing: str = ""


class _Report(msgspec.Struct, frozen=True):
    seconds: float
    latencies_us: list[int]


@cache
def server(package: str, version: str, name: str) -> Binary:
    """Return a command of others by its name, built from the module proxy's sources."""

    def build(place: Path) -> None:
        _go(["install", f"{package}@{version}"], place, GOBIN=str(place))

    return _built(f"{name}-{version}", name, build)


@cache
def client(name: str, library: str = "") -> Binary:
    """Return our client for a peer: the sources in its folder, and a library of the peer's."""
    sources = [path for part in (_LOAD, name) for path in sorted((_HERE / part).iterdir())]
    digest = sha256(library.encode())
    for path in sources:
        digest.update(sha256(path.read_bytes()).digest())

    def build(place: Path) -> None:
        for part in (_LOAD, name):
            shutil.copytree(_HERE / part, place / part)
        if library:
            _go(["get", library], place / name)
            _go(["mod", "tidy"], place / name)
        _go(["build", "-o", str(place / "client")], place / name)

    return _built(f"{name}-client-{digest.hexdigest()[:16]}", "client", build)


def measured(
    commands: Sequence[Sequence[str]],
    program: Path,
    places: Sequence[str],
    work: Work,
    folder: Path,
) -> dict[str, float]:
    """Run servers with these commands, and the client against their places; return the figures."""
    load = [
        *(str(program), "-endpoints", ",".join(places), "-clients", str(work.clients)),
        *("-payload", str(work.payload), "-seconds", str(work.seconds)),
        *("-warm-up", str(work.warm_up_s)),
    ]
    log, report = folder / "servers.log", folder / "report.json"
    marks, told = [], b""
    with (
        report.open("wb") as out,
        servers(commands, log) as pids,
        subprocess.Popen(load, stdout=out, stderr=subprocess.PIPE) as child,
    ):
        assert child.stderr is not None
        for line in child.stderr:
            if line.strip() in _MARKS:
                marks.append(cpu_us(pids))
            else:
                told = line
    if child.returncode or len(marks) != len(_MARKS):
        raise RuntimeError(
            f"{program.name} ended with {child.returncode}: {_text(told) or 'nothing said'}; "
            f"the servers: {_text(log.read_bytes()) or 'nothing said'}"
        )
    found = msgspec.json.decode(report.read_bytes(), type=_Report)
    ordered = sorted(found.latencies_us)
    return {
        "throughput_tps": len(ordered) / found.seconds,
        "p50_ms": quantile(ordered, 0.5) / 1_000,
        "p99_ms": quantile(ordered, 0.99) / 1_000,
        "cpu_us_per_commit": (marks[1] - marks[0]) / max(1, len(ordered)),
    }


def _built(kept_as: str, made: str, build: Callable[[Path], None]) -> Binary:
    """Return what is in the cache, or have it made in a folder of its own and put there."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    kept = base / "swarm_ledger" / "peers" / kept_as
    if kept.exists():
        return Binary(kept)
    if shutil.which("go") is None:
        return Binary(kept, "there is no `go`: apt-get install golang")
    with _building(kept.parent) as place:
        if kept.exists():
            return Binary(kept)
        try:
            build(place)
        except subprocess.CalledProcessError as error:
            return Binary(kept, f"go can't build it: {_text(error.stderr)}")
        except subprocess.TimeoutExpired:
            return Binary(kept, f"go took more than {_BUILD_S} s to fetch and build it")
        (place / made).replace(kept)
    return Binary(kept)


@contextmanager
def _building(cache: Path) -> Iterator[Path]:
    """Give a folder to build in, to one process at a time; remove what a killed one left."""
    cache.mkdir(parents=True, exist_ok=True)
    held = os.open(cache, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        for left in cache.glob(f"{_BUILDING}*"):
            shutil.rmtree(left, ignore_errors=True)
        # of an interrupted `go`, a child may still be writing there
        with TemporaryDirectory(prefix=_BUILDING, dir=cache, ignore_cleanup_errors=True) as place:
            yield Path(place)
    finally:
        os.close(held)


def _go(arguments: Sequence[str], place: Path, **environment: str) -> None:
    subprocess.run(
        [shutil.which("go") or "go", *arguments],
        cwd=place,
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
        timeout=_BUILD_S,
    )


def _text(told: bytes) -> str:
    """Return the last line of what a program told."""
    return told.decode(errors="replace").strip().rsplit("\n", 1)[-1]
