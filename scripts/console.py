# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Run the commands of the set-up so that a person sees progress, and a log keeps the rest."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_WIDTH = 99
_QUIET_SECONDS = 10.0
"""How often a line appears where there is no terminal to redraw one on."""


class SetUpError(Exception):
    """The set-up can't go on; its text is a sentence for the person who ran it."""


def say(text: str) -> None:
    """Print one line at once."""
    print(text, flush=True)


class _Ticker:
    """Shows that a command is alive: redraws one line on a terminal, else prints now and then."""

    def __init__(self) -> None:
        self._terminal = sys.stdout.isatty()
        self._started = self._shown = time.monotonic()

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._started

    def tick(self, last_line: str) -> None:
        now = time.monotonic()
        if now - self._shown < (1.0 if self._terminal else _QUIET_SECONDS):
            return
        self._shown = now
        line = f"      {self.elapsed:4.0f} s  {last_line}"[:_WIDTH]
        if self._terminal:
            print(f"\r\033[K{line}", end="", flush=True)
        else:
            say(line)

    def clear(self) -> None:
        if self._terminal:
            print("\r\033[K", end="", flush=True)


def run(
    command: Sequence[str | Path],
    log: Path,
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> None:
    """Run a command, its output in the log; raises SetUpError, with the end of it, on failure.

    Interrupted, it ends the command before it passes the interruption on.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    words = [str(word) for word in command]
    output = bytearray()
    ticker = _Ticker()
    with log.open("ab") as sink:
        sink.write(f"\n$ {' '.join(words)}\n".encode())
        try:
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=cwd,
            )
        except OSError as error:
            raise SetUpError(f"{words[0]} can't be run: {error}.") from error
        assert process.stdout is not None
        selector = selectors.DefaultSelector()
        selector.register(process.stdout, selectors.EVENT_READ)
        try:
            while True:
                if selector.select(timeout=1.0):
                    chunk = os.read(process.stdout.fileno(), 65536)
                    if not chunk:
                        break
                    sink.write(chunk)
                    output = (output + chunk)[-20_000:]
                ticker.tick(_last_line(output))
            code = process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise
        finally:
            ticker.clear()
            process.stdout.close()
    if code:
        tail = "\n".join(output.decode(errors="replace").splitlines()[-30:])
        raise SetUpError(f"{tail}\n\n{words[0]} failed with status {code}; all of it is in {log}.")


def _last_line(output: bytearray) -> str:
    lines = output.decode(errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else ""
