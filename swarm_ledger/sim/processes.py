# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A mission as real processes: started, watched, ended, none left behind."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from swarm_ledger.errors import Misuse
from swarm_ledger.runtime.fleet import FLEET
from swarm_ledger.sim.domains import free_domain
from swarm_ledger.sim.events import PARENT, Event, parse_line
from swarm_ledger.sim.mission import Mission
from swarm_ledger.sim.nursery import ONE_THREAD, PILOT, Forked, Nursery
from swarm_ledger.sim.ros_environment import ros_environment, ros_unavailable_reason
from swarm_ledger.sim.watch import OnEvent, Watch

_STOP_SECONDS = 8.0
WORLD = "world"


class Processes:
    """The child processes of one mission. Use it as a context manager: leaving it ends them all.

    commands: by name, the arguments after the Python interpreter. Their stderr goes to
    <run_dir>/<name>.log. nursery: forks those that run its module, which starts them faster.
    """

    def __init__(
        self,
        run_dir: Path,
        commands: Mapping[str, list[str]],
        environment: Mapping[str, str],
        nursery: Nursery | None = None,
    ) -> None:
        self._run_dir, self._commands, self._nursery = run_dir, commands, nursery
        self._environment = {**environment, PARENT: str(os.getpid())}
        self._events: queue.Queue[Event] = queue.Queue()
        self._children: dict[str, subprocess.Popen[bytes] | Forked] = {}
        self._stopping = False
        try:
            for name in commands:
                self.start(name)
        except BaseException:
            self.stop()
            raise

    def start(self, name: str) -> None:
        """Start a child, again if it has ended; Misuse while it runs."""
        before = self._children.get(name)
        if before is not None and before.poll() is None:
            raise Misuse(f"{name} runs already.")
        child = self._children[name] = self._begin(name, self._run_dir / f"{name}.log")
        threading.Thread(target=self._read, args=(name, child), daemon=True).start()

    def _begin(self, name: str, log: Path) -> subprocess.Popen[bytes] | Forked:
        command = self._commands[name]
        if self._nursery is not None and command[:2] == ["-m", self._nursery.module]:
            return self._nursery.fork(name, command[2:], self._environment, log)
        with log.open("ab") as errors:
            return subprocess.Popen(  # noqa: S603  - our own modules, no shell
                [sys.executable, *command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=self._environment,
                start_new_session=True,
            )

    def send(self, name: str, number: signal.Signals) -> None:
        """Send a child a signal."""
        self._children[name].send_signal(number)

    def _read(self, name: str, child: subprocess.Popen[bytes] | Forked) -> None:
        if child.stdout is None:
            return
        for line in child.stdout:
            event = parse_line(line)
            if event is not None:
                self._events.put(event)
        code = child.wait()
        if not self._stopping:
            how = signal.Signals(-code).name if code < 0 else f"exit {code}"
            self._events.put(Event(name, "lost", {"how": how}))

    @property
    def pids(self) -> dict[str, int]:
        """Process ids by name."""
        return {name: child.pid for name, child in self._children.items()}

    def next_event(self, timeout_s: float) -> Event | None:
        """Return the next event of any child, or None if there is none for that long."""
        try:
            return self._events.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def stop(self) -> None:
        """Ask all children to end, as Ctrl-C would; end those that don't within some seconds."""
        self._stopping = True
        for child in self._children.values():
            if child.poll() is None:
                child.send_signal(signal.SIGINT)
        deadline = time.monotonic() + _STOP_SECONDS
        for child in self._children.values():
            try:
                child.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def commands(mission: Mission) -> dict[str, list[str]]:
    """Return the command of each process that a mission needs."""
    fleet = str(mission.run_dir / FLEET)
    if mission.transport == "zmq":
        pilot = ["-m", PILOT, "--fleet", fleet, "--drone"]
        return {name: [*pilot, name] for name in mission.names()}
    given = ["--ros-args", "-p", f"fleet:={fleet}"]
    drones = {
        name: [
            *("-m", "swarm_ledger.nodes.drone", *given),
            *("-p", f"drone:={name}", "-r", f"__ns:=/{name}"),
        ]
        for name in mission.names()
    }
    return {WORLD: ["-m", "swarm_ledger.nodes.world", *given], **drones}


def environment(mission: Mission) -> dict[str, str]:
    """Return the environment that a mission's processes need.

    Misuse when it is to fly on ROS 2 and there is none.
    """
    if mission.transport != "ros":
        return {**os.environ, **ONE_THREAD}
    ros = ros_environment()
    if ros is None:
        raise Misuse(
            f"ROS 2 can't be used here: {ros_unavailable_reason()}",
            remedy="Run `make setup`, source a ROS 2, or take --transport zmq.",
        )
    domain = {"ROS_DOMAIN_ID": str(free_domain())}  # or they would hear each other
    local = {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST", "ROS_LOCALHOST_ONLY": "1"}
    return {**ros, **local, **domain, **ONE_THREAD}


def run(
    mission: Mission,
    watch: Watch,
    on_event: OnEvent,
    more: Mapping[str, str] | None = None,
    nursery: Nursery | None = None,
) -> bool:
    """Fly a prepared mission in processes; return whether all was done within its time.

    more: what else they need in their environment. nursery: that of the mission.
    """
    around = {**environment(mission), **(more or {})}
    with Processes(mission.run_dir, commands(mission), around, nursery) as processes:
        deadline = time.monotonic() + mission.timeout_s
        while not watch.done and time.monotonic() < deadline:
            event = processes.next_event(0.1)
            if event is not None:
                watch.take(event)
                on_event(event)
            if not watch.flying:
                return False
        return watch.done
