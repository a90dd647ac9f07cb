# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A light client's life: read what it knows, ask, verify, remember; whatever carries the bytes."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from swarm_ledger.encoding import encode
from swarm_ledger.errors import Misuse
from swarm_ledger.ledger.proof import LogProof
from swarm_ledger.ledger.tile_files import read_bounded, whole_file
from swarm_ledger.light_client.follower import (
    Forked,
    Head,
    entry_of,
    follow,
    load,
    request_for,
    save,
)
from swarm_ledger.light_client.messages import MAX_STATE_BYTES, Wanted, parse_answer
from swarm_ledger.light_client.proof_file import VerifiedEntry

Carrier = Callable[[bytes], bytes]
"""Brings a request to whoever answers, and returns the answer; NotVerified where none comes."""


@dataclass(frozen=True)
class Verified:
    """An entry, and the checkpoint that it stands under. known: how large the last one was.

    path: of the entry in that checkpoint's tree.
    """

    head: Head
    entry: VerifiedEntry
    known: int
    path: tuple[bytes, ...]

    @property
    def proof(self) -> bytes:
        """The tlog-proof file that shows it to anybody who has the swarm's policy."""
        return LogProof(self.entry.entry, self.entry.index, self.path, self.head.note).encode()


class Follower:
    """A client with its state file, which it has for itself until it is closed.

    root: root.json; state: the file, which is made if it isn't there. close() it.
    Raises Misuse where the file can't be used, NotVerified where it is damaged.
    """

    def __init__(self, root: bytes, state: Path) -> None:
        self._root, self._state = root, state
        self._open = ExitStack()
        self._open.enter_context(_held(state))
        try:
            self.head = _known(root, state)
        except BaseException:
            self.close()
            raise

    def request(self, wanted: Wanted) -> bytes:
        """Return what to ask for an entry."""
        return encode(request_for(wanted, self.head))

    def take(self, raw: bytes, wanted: Wanted, now: datetime) -> Verified:
        """Verify an answer, and remember the checkpoint that holds even if the entry doesn't.

        Raises NotVerified. Before Forked is raised, both sides are put into the folder that it
        then names.
        """
        answer, before = parse_answer(raw), self.head
        try:
            head = follow(self._root, before, answer, now)
        except Forked as fork:
            _keep(fork, self._state)
            raise
        if head != before:
            with whole_file(self._state) as file:
                file.write(save(self._root, head))
            self.head = head
        size = before.checkpoint.size if before else 0
        return Verified(head, entry_of(head, wanted, answer), size, answer.path)

    def close(self) -> None:
        """Let others have the state file."""
        self._open.close()


def ask(carry: Carrier, root: bytes, state: Path, wanted: Wanted, now: datetime) -> Verified:
    """Ask for an entry and verify the answer, as a Follower does that is closed then."""
    with closing(Follower(root, state)) as follower:
        return follower.take(carry(follower.request(wanted)), wanted, now)


def _known(root: bytes, state: Path) -> Head | None:
    if not os.path.lexists(state):
        return None
    return load(root, read_bounded(state, MAX_STATE_BYTES, "state"))


@contextmanager
def _held(state: Path) -> Iterator[None]:
    """Be the only one that uses a state file: of two, one could forget what the other learnt."""
    try:
        state.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(state.with_name(f".{state.name}.lock"), os.O_RDWR | os.O_CREAT, 0o644)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise Misuse(f"cannot use {state} for the state: {reason}.") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise Misuse(
            f"another client is using {state}.", remedy="Wait for it, or use another --state."
        ) from error
    finally:
        os.close(lock)


def _keep(fork: Forked, state: Path) -> None:
    """Put both checkpoints, with the policies that check them, beside the state file."""
    folder = state.with_name(f"{state.name}.{'fork' if fork.certain else 'doubt'}")
    for name, head in (("known", fork.known), ("claimed", fork.claimed)):
        for kind, data in (("note", head.note), ("policy", head.policy)):
            _write(folder / f"{name}.{kind}", data)
    fork.kept = str(folder)
    fork.remedy = f"Both are kept in {folder}. {fork.remedy}"


def _write(path: Path, data: bytes) -> None:
    """Write a file unless it is there already: a server may show the same again and again."""
    with suppress(OSError):
        if path.stat().st_size == len(data) and path.read_bytes() == data:
            return
    with whole_file(path) as file:
        file.write(data)
