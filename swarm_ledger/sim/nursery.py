# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A process that imports what drones need once, and forks one for each drone: Python starts fast.

It has one thread and no state but its imports. Requests and answers are JSON lines over a pair of
sockets, one after another; a child's stdout and log come along as file descriptors.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import IO, Any

import msgspec

from swarm_ledger.errors import Misuse
from swarm_ledger.sim.events import PARENT, die_with_parent

PILOT = "swarm_ledger.sim.pilot"
"""The process of a simulated drone over ZeroMQ."""

ONE_THREAD = {"OMP_NUM_THREADS": "1"}
"""For many drones on few cores."""

_LOOK_S = 0.005
_MOST_BYTES = 1 << 17


class Forked:
    """A child of a Nursery, used as a subprocess.Popen is."""

    def __init__(self, nursery: Nursery, pid: int, stdout: IO[bytes]) -> None:
        self._nursery, self.pid, self.stdout = nursery, pid, stdout
        self._code: int | None = None

    def poll(self) -> int | None:
        """Return its exit code, that of a signal negative; None while it runs."""
        if self._code is None:
            self._code = self._nursery.code_of(self.pid)
        return self._code

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; subprocess.TimeoutExpired if it does not come."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if deadline is not None and time.monotonic() >= deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
            time.sleep(_LOOK_S)
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


class Nursery:
    """Starts that process, which imports a module with a warm_up() and a main().

    Close it: all children end, too. environment: of all that it forks.
    """

    def __init__(self, module: str, environment: Mapping[str, str]) -> None:
        self.module, self._lock = module, threading.Lock()
        self._ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  - our own module, no shell
                [sys.executable, "-m", __spec__.name, str(theirs.fileno()), module],
                stdin=subprocess.DEVNULL,
                env={**environment, PARENT: str(os.getpid())},
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    def fork(
        self, name: str, arguments: Sequence[str], environment: Mapping[str, str], log: Path
    ) -> Forked:
        """Fork a child that runs the module's main() with these arguments; its stderr is logged.

        name: what `ps -o comm` and `top` call it. Misuse where the process is gone.
        """
        readable, writable = os.pipe()
        with log.open("ab") as errors, os.fdopen(writable, "wb", 0) as out:
            said = {
                "name": name,
                "arguments": list(arguments),
                "environment": dict(environment),
            }
            pid = self._ask(said, [out.fileno(), errors.fileno()])["pid"]
        return Forked(self, pid, os.fdopen(readable, "rb"))

    def code_of(self, pid: int) -> int | None:
        """Return how a child ended, None while it runs; all have with the nursery itself."""
        try:
            code: int | None = self._ask({"poll": pid}, [])["code"]
        except Misuse:
            return -signal.SIGKILL
        return code

    def _ask(self, what: dict[str, Any], descriptors: list[int]) -> dict[str, Any]:
        with self._lock:
            try:
                socket.send_fds(self._ours, [msgspec.json.encode(what) + b"\n"], descriptors)
                answer: dict[str, Any] = msgspec.json.decode(_line(self._ours))
            except (OSError, EOFError, msgspec.DecodeError) as error:
                raise Misuse(
                    "the process that starts simulated drones is gone.",
                    remedy=f"Try it alone: python -m {self.module} --help",
                ) from error
        return answer

    def close(self) -> None:
        """End it."""
        self._ours.close()
        self._process.terminate()
        self._process.wait()


@contextmanager
def nursery(transport: str) -> Iterator[Nursery | None]:
    """Have at hand what forks the drones of a mission over ZeroMQ, on Linux; None elsewhere."""
    if transport != "zmq" or not sys.platform.startswith("linux"):
        yield None
        return
    with closing(Nursery(PILOT, {**os.environ, **ONE_THREAD})) as opened:
        yield opened


def _line(connection: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        more = connection.recv(_MOST_BYTES)
        if not more:
            raise EOFError
        line += more
    return line


def _serve(connection: socket.socket, module: str) -> int:
    """Answer until the other end is closed; in a child, return what main() does."""
    forked = import_module(module)
    forked.warm_up()
    ended: dict[int, int] = {}
    while True:
        text, descriptors, _, _ = socket.recv_fds(connection, _MOST_BYTES, 2)
        if not text:
            return 0
        while not text.endswith(b"\n"):
            text += connection.recv(_MOST_BYTES)
        asked: dict[str, Any] = msgspec.json.decode(text)
        if "poll" in asked:
            _reap(ended)
            answer = {"code": ended.get(asked["poll"])}
        else:
            pid = os.fork()
            if not pid:
                connection.close()
                _settle_in(asked["name"], asked["environment"], *descriptors)
                sys.argv = [module, *asked["arguments"]]
                return int(forked.main())
            answer = {"pid": pid}
        for descriptor in descriptors:
            os.close(descriptor)
        connection.sendall(msgspec.json.encode(answer) + b"\n")


def _reap(ended: dict[int, int]) -> None:
    with suppress(ChildProcessError):  # none is left
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            ended[found[0]] = os.waitstatus_to_exitcode(found[1])


def _settle_in(name: str, environment: Mapping[str, str], out: int, log: int) -> None:
    """Be a process of its own: as if it had been started."""
    with suppress(OSError):
        Path("/proc/self/comm").write_text(name)
    os.setsid()
    os.environ.update(environment)
    os.environ[PARENT] = str(os.getppid())
    for there, here in ((out, 1), (log, 2)):
        os.dup2(there, here)
        os.close(there)


def main() -> int:
    """Serve at the socket that the command line names."""
    die_with_parent()
    return _serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2])


if __name__ == "__main__":
    sys.exit(main())
