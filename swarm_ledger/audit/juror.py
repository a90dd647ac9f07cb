# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Another process that judges signed messages, and both ends of what is said to it.

A batch of messages lies in memory that both have; only where it lies goes through a pipe, so
whoever asks never waits for the other to read, and neither can block the other.
"""

from __future__ import annotations

import os
import select
import signal
import struct
import subprocess
import sys
import tempfile
from collections.abc import Sequence

import msgspec

from swarm_ledger.audit.signing import Judge, Verdict
from swarm_ledger.errors import Misuse

_SLOTS = 3
"""Batches that one process has: the one that it judges and the next ones."""
_HEAD = struct.Struct("<II")
"""A slot, and how many bytes: in it of a batch, or following of an answer."""
_BEGUN = _HEAD.pack(0, 0)
"""What a process says once it has begun."""
_CODE = "import sys; sys.path[:] = sys.argv[2:]; from swarm_ledger.audit.juror import main; main()"
"""What runs there: nothing is imported from elsewhere than here."""

_given = msgspec.msgpack.Decoder(tuple[list[bytes], list[tuple[int, bytes]]])
_batch = msgspec.msgpack.Decoder(list[bytes])
_verdicts = msgspec.msgpack.Decoder(list[Verdict])


class Juror:
    """One such process, for whoever started it. rosters, delegations: as a Judge is given them.

    waiting: batches that were asked for, and whose answers weren't taken yet. Raises Misuse where
    the process can't be started, or has died.
    """

    def __init__(self, rosters: Sequence[bytes], delegations: Sequence[tuple[int, bytes]]) -> None:
        self.waiting = self._next = 0
        self._begun = False
        self._slots = [_memory() for _ in range(_SLOTS)]
        ours, theirs = os.pipe()
        self._answers, (theirs_too, self._orders) = ours, os.pipe()
        names = [str(slot) for slot in self._slots]
        try:
            self._process = subprocess.Popen(  # noqa: S603  - this Python, and our own code
                [sys.executable, "-c", _CODE, ",".join(names), *sys.path],
                stdin=theirs_too,
                stdout=theirs,
                pass_fds=self._slots,
            )
        except OSError as error:
            self._close()
            raise Misuse(
                f"no other process can be started: {error.strerror}.", remedy="Try --jobs 1."
            ) from error
        finally:
            os.close(theirs)
            os.close(theirs_too)
        self._put(msgspec.msgpack.encode((list(rosters), list(delegations))))

    @property
    def free(self) -> bool:
        """Whether it has begun, and a batch may be given to it."""
        if not self._begun and self.answered:
            self._begun = self._read(_HEAD.size) == _BEGUN
        return self._begun and self.waiting < _SLOTS

    @property
    def answered(self) -> bool:
        """Whether an answer can be had without waiting."""
        return bool(select.select([self._answers], [], [], 0)[0])

    def ask(self, batch: list[bytes]) -> None:
        """Have messages judged, only while it is free."""
        self._put(msgspec.msgpack.encode(batch))
        self.waiting += 1

    def answer(self) -> list[Verdict]:
        """Return the verdicts on the batch that was asked for first; wait for them."""
        _, size = _HEAD.unpack(self._read(_HEAD.size))
        self.waiting -= 1
        return _verdicts.decode(self._read(size))

    def dismiss(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.wait()
        self._close()

    def _close(self) -> None:
        for each in (self._answers, self._orders, *self._slots):
            os.close(each)

    def _put(self, data: bytes) -> None:
        slot, self._next = self._next, (self._next + 1) % _SLOTS
        try:
            _write(self._slots[slot], data)
            os.write(self._orders, _HEAD.pack(slot, len(data)))
        except BrokenPipeError as error:
            raise self._died() from error
        except OSError as error:
            raise Misuse(
                f"no memory for another process: {error.strerror}.", remedy="Try --jobs 1."
            ) from error

    def _read(self, size: int) -> bytes:
        found = _read(self._answers, size)
        if len(found) < size:
            raise self._died()
        return found

    def _died(self) -> Misuse:
        code = self._process.wait()
        how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
        return Misuse(
            f"a process that checks signatures {how}.",
            remedy="If memory ran out, --jobs 1 takes less.",
        )


def main() -> None:
    """Be such a process: judge until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started this one ends it
    slots = [int(name) for name in sys.argv[1].split(",")]
    judge: Judge | None = None
    while head := _read(0, _HEAD.size):
        slot, size = _HEAD.unpack(head)
        data = os.pread(slots[slot], size, 0)
        if judge is None:
            judge = Judge(*_given.decode(data))
            os.write(1, _BEGUN)
            continue
        answer = msgspec.msgpack.encode([judge.judge(one) for one in _batch.decode(data)])
        told = memoryview(_HEAD.pack(slot, len(answer)) + answer)
        while told:
            told = told[os.write(1, told) :]


def _read(file: int, size: int) -> bytes:
    """Read that many bytes from a pipe, fewer only where it ends."""
    found = b""
    while len(found) < size and (more := os.read(file, size - len(found))):
        found += more
    return found


def _write(file: int, data: bytes) -> None:
    os.ftruncate(file, 0)
    written = 0
    while written < len(data):
        written += os.pwrite(file, data[written:], written)


def _memory() -> int:
    """Return a file that two processes can have: in memory, or on disk where there is no such."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("swarm_ledger")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
