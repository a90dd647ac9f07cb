# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Processes with a DDS of their own: in their own domain, on loopback, ended with the test."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from queue import Empty, Queue

from tests.patience import PATIENCE_S, Late

ROOT = Path(__file__).parents[2]
LOCAL = {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST", "ROS_LOCALHOST_ONLY": "1"}


class Peer:
    """A process, and what it says, line by line."""

    def __init__(self, command: list[str], environment: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.said: list[str] = []
        self._lines: Queue[str] = Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))

    def says(self, *wanted: str) -> None:
        """Wait until it has said all of those lines, in any order."""
        missing = set(wanted) - set(self.said)
        while missing:
            try:
                line = self._lines.get(timeout=PATIENCE_S)
            except Empty:
                raise Late(f"{missing} was not said: {self.said}") from None
            self.said.append(line)
            missing.discard(line.strip())

    def heard(self) -> list[str]:
        """What it said besides, so far."""
        while not self._lines.empty():
            self.said.append(self._lines.get())
        return self.said

    def end(self) -> None:
        """Close its input, as a rule its end; kill it otherwise."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Peers:
    """The processes of one test. around: the environment of ROS 2."""

    def __init__(self, around: Mapping[str, str]) -> None:
        path = os.pathsep.join([str(ROOT), *filter(None, [around.get("PYTHONPATH")])])
        self._around = {**around, "PYTHONPATH": path, "SKIP_DEFAULT_XML": "1"}
        # Below 102, ports stay clear of those that connections take.
        self.domain = 1 + secrets.randbelow(100)
        self._started: list[Peer] = []

    def start(self, *arguments: str, profile: Path | None = None, **more: str) -> Peer:
        """Start dds_peer.py. profile: of Fast DDS; more: environment, on loopback if none."""
        command = [sys.executable, "-m", "tests.deploy.dds_peer", *arguments]
        older = self._around.get("ROS_DISTRO") in ("humble", "jazzy")
        name = f"FAST{'RTPS' if older else 'DDS'}_DEFAULT_PROFILES_FILE"
        named = {name: str(profile)} if profile is not None else {}
        return self.run(command, **named, **(more or LOCAL))

    def run(self, command: list[str], **more: str) -> Peer:
        """Start a command in this domain."""
        around = {**self._around, "ROS_DOMAIN_ID": str(self.domain), **more}
        self._started.append(Peer(command, around))
        return self._started[-1]

    def end(self) -> None:
        """End all of them."""
        for peer in self._started:
            peer.end()
