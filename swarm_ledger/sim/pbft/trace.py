# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What happened in a run, a line an event, to be read by a person."""

from __future__ import annotations

from swarm_ledger.consensus.messages import (
    Batch,
    Checkpoint,
    Commit,
    Committed,
    Fetch,
    Message,
    NewView,
    Prepare,
    PrePrepare,
    Status,
    ViewChange,
    Want,
)
from swarm_ledger.errors import PeerFault
from swarm_ledger.sim.pbft.cluster import START_MS
from swarm_ledger.sim.pbft.wire import Mint


class Trace:
    """Writes events down. mint: of the run's cluster, to be set once there is one."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.mint: Mint | None = None

    def __call__(self, now_ms: int, kind: str, number: int, raw: bytes) -> None:
        """Note one event; ticks are left out."""
        if kind == "tick":
            return
        when = f"{now_ms - START_MS:7d} ms"
        if kind == "action":
            self.lines.append(f"{when}  ** {raw.decode()}")
        elif kind == "raw":
            self.lines.append(f"{when}  {number} hears {self._heard(raw)}")
        else:
            self.lines.append(f"{when}  {number}: {kind}")

    def _heard(self, raw: bytes) -> str:
        if raw[:1] in (b"v", b"r", b"e"):
            return raw[:60].decode("ascii", "replace")
        if self.mint is None:
            return f"{len(raw)} bytes"
        try:
            sealed = self.mint.open(raw)
        except PeerFault as fault:
            return f"what is no message: {fault}"
        who = f"from {sealed.signed.sender}"
        under = f", under roster {sealed.version}" if sealed.version > 1 else ""
        return f"{who}: {tell(sealed.signed.message)}{under}"


def tell(message: Message) -> str:  # noqa: PLR0911 - one line a kind
    """Return a message in a few words."""
    if isinstance(message, PrePrepare):
        return f"pre-prepare, view {message.view}, {_batch(message.batch)}"
    if isinstance(message, (Prepare, Commit)):
        kind, short = type(message).__name__.lower(), message.digest.hex()[:6]
        return f"{kind} {message.seq} {short}, view {message.view}"
    if isinstance(message, Checkpoint):
        return f"checkpoint {message.seq} {message.root.hex()[:6]}"
    if isinstance(message, ViewChange):
        shown = len(message.prepared)
        return f"view change to {message.view}, stable {message.stable}, {shown} prepared"
    if isinstance(message, NewView):
        return f"new view {message.view} on {len(message.view_changes)} view changes"
    if isinstance(message, Status):
        return f"status: view {message.view}, applied {message.applied}, stable {message.stable}"
    if isinstance(message, Fetch):
        return f"fetch from {message.seq}"
    if isinstance(message, Committed):
        return f"block {message.seq} of {len(message.bodies)} with {len(message.commits)} commits"
    assert isinstance(message, Want)  # noqa: S101 - the last kind there is
    return f"want {len(message.requests)} by their digests"


def _batch(batch: Batch) -> str:
    return f"{batch.seq} {batch.digest().hex()[:6]} of {len(batch.requests)}"
