# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A light client's life: read what it knows, ask, verify, remember; whatever carries the bytes."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from swarm_ledger.encoding import encode
from swarm_ledger.errors import Misuse
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
    """An entry, and the checkpoint that it stands under. known: how large the last one was."""

    head: Head
    entry: VerifiedEntry
    known: int


def ask(carry: Carrier, root: bytes, state: Path, wanted: Wanted, now: datetime) -> Verified:
    """Ask for an entry and verify the answer, going on from what a state file remembers.

    root: root.json. The file is made if it isn't there; a checkpoint that holds is remembered even
    if the entry doesn't. Raises NotVerified, Misuse where the file can't be used; before Forked is
    raised, both sides of the fork are put into the folder that it then names.
    """
    with _held(state):
        before = _known(root, state)
        answer = parse_answer(carry(encode(request_for(wanted, before))))
        try:
            head = follow(root, before, answer, now)
        except Forked as fork:
            _keep(fork, state)
            raise
        if head != before:
            with whole_file(state) as file:
                file.write(save(root, head))
        size = before.checkpoint.size if before else 0
        return Verified(head, entry_of(head, wanted, answer), size)


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
            with whole_file(folder / f"{name}.{kind}") as file:
                file.write(data)
    fork.kept = str(folder)
    fork.remedy = f"Both are kept in {folder}. {fork.remedy}"
