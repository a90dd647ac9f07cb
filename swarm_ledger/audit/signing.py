# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Judges recorded SignedMessages by what they say themselves, one process or several.

Only bytes go out to the others and only verdicts come back, in the order in which they were asked
for: what is found doesn't depend on how many there are.
"""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import suppress
from types import TracebackType
from typing import NamedTuple

from swarm_ledger.audit.speech import Speech, notarised
from swarm_ledger.bags.messages import SIGNED, parse
from swarm_ledger.errors import PeerFault
from swarm_ledger.identity.roster import parse_roster
from swarm_ledger.relay.statement import MAX_DATA_BYTES, MAX_SEALED_BYTES
from swarm_ledger.relay.verifier import Refused, Verifier

MAX_RAW_BYTES = MAX_DATA_BYTES + MAX_SEALED_BYTES + 2048
_BATCH = 1024
_AHEAD = 3
"""Batches for each process that wait, or are done and not taken yet: memory is bounded by that."""


class Verdict(NamedTuple):
    """What became of one message. reason: "" where it holds; signer: whose signature it bears."""

    reason: str
    what: str
    signer: str = ""
    kid: bytes = b""
    topic: str = ""
    type_name: str = ""
    sequence: int = 0
    stamp_us: int = 0
    size: int = 0


class Judge:
    """Knows the rosters and the sessions of a bag."""

    def __init__(self, rosters: Iterable[bytes], delegations: Iterable[tuple[int, bytes]]) -> None:
        parsed = [parse_roster(raw) for raw in rosters]
        self._verifiers = {roster.version: Verifier(roster) for roster in parsed}
        self._newest = self._verifiers[max(self._verifiers)]
        for version, delegation in delegations:
            with suppress(PeerFault):
                self._verifiers[version].add_session(delegation)

    def judge(self, data: bytes) -> Verdict:
        """Judge one message in its CDR bytes."""
        if len(data) > MAX_RAW_BYTES:
            return Verdict("oversize", f"{len(data)} bytes.")
        topic = ""
        try:
            message = notarised(parse(SIGNED, data))
            topic = message.topic
            verifier = self._verifiers.get(message.epoch, self._newest)
            verified = verifier.verify(message)
        except PeerFault as fault:
            signer = fault.signer if isinstance(fault, Refused) else ""
            return Verdict(fault.reason, fault.what, signer, topic=topic[:255])
        return Verdict(
            "",
            "",
            verified.author.name,
            verified.session.kid,
            message.topic,
            message.type_name,
            message.sequence,
            message.stamp_us,
            len(message.data),
        )


_judge: Judge | None = None
"""In another process: the one that it was given at its start."""


def _begin(rosters: Sequence[bytes], delegations: Sequence[tuple[int, bytes]]) -> None:
    global _judge  # noqa: PLW0603  - a process of a pool has nowhere else to keep it
    _judge = Judge(rosters, delegations)


def _judge_all(batch: list[bytes]) -> list[Verdict]:
    if _judge is None:
        raise RuntimeError("this process was not begun.")
    return [_judge.judge(data) for data in batch]


class Court:
    """Judges messages in their order. on_verdict: told each verdict, with what was put along.

    jobs: how many processes; 1 judges here, at once.
    """

    def __init__(
        self, speech: Speech, jobs: int, on_verdict: Callable[[object, Verdict], None]
    ) -> None:
        given = [roster.raw for roster in speech.rosters], speech.delegations()
        self._tell, self._jobs = on_verdict, jobs
        self._judge = Judge(*given)
        self._pool: ProcessPoolExecutor | None = None
        self._batch: list[bytes] = []
        self._along: list[object] = []
        self._asked: deque[tuple[list[object], Future[list[Verdict]]]] = deque()
        if jobs > 1:
            self._pool = ProcessPoolExecutor(
                jobs, multiprocessing.get_context("spawn"), _begin, given
            )

    def put(self, along: object, data: bytes) -> None:
        """Have a message judged; along: what on_verdict is to be told with it."""
        if self._pool is None:
            self._tell(along, self._judge.judge(data))
            return
        self._batch.append(data)
        self._along.append(along)
        if len(self._batch) >= _BATCH:
            self._submit(self._pool)

    def finish(self) -> None:
        """Wait for all verdicts."""
        if self._pool is not None:
            self._submit(self._pool)
            while self._asked:
                self._take()

    def __enter__(self) -> Court:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def _submit(self, pool: ProcessPoolExecutor) -> None:
        if self._batch:
            self._asked.append((self._along, pool.submit(_judge_all, self._batch)))
            self._batch, self._along = [], []
        while len(self._asked) > _AHEAD * self._jobs:
            self._take()

    def _take(self) -> None:
        along, future = self._asked.popleft()
        for one, verdict in zip(along, future.result(), strict=True):
            self._tell(one, verdict)
