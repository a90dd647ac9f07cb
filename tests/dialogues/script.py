# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Dialogues: text in which one replica hears things, and what it answers stands under each line.

replica ME of N [setting=value ..]      the first line
submit BODY ..                          requests arrive
from S KIND ..                          replica S says something:
    pre-prepare|prepare|commit VIEW SEQ BATCH        BATCH: bodies joined by commas, or - for null
    committed VIEW SEQ BATCH            a block, with a quorum's commits
    checkpoint SEQ · status VIEW APPLIED STABLE · fetch SEQ
    view-change VIEW [VIEW:SEQ:BATCH ..]             with certificates of what it prepared
    new-view VIEW [VIEW:SEQ:BATCH ..]   on empty view changes but one, which shows these
wait MS · checkpoint · restart          time passes; its ledger cosigns; power fails and returns
> ..                                    what the replica does
"""

from __future__ import annotations

from swarm_ledger.consensus.messages import (
    Batch,
    Checkpoint,
    Commit,
    Fetch,
    Message,
    NewView,
    Prepare,
    PrePrepare,
    Status,
    ViewChange,
    Want,
)
from swarm_ledger.consensus.ready import Ready
from swarm_ledger.encoding import digest
from swarm_ledger.errors import PeerFault
from tests.unit.consensus_desk import ROOT, Desk
from tests.unit.consensus_mint import checkpoint


class Script(Desk):
    """A desk that writes down what its replica does."""

    def __init__(self, me: int, n: int, **settings: int) -> None:
        super().__init__(me, n, **settings)
        self.lines: list[str] = []
        self.names: dict[bytes, str] = {}

    def batch(self, seq: str, bodies: str) -> Batch:
        listed = [] if bodies == "-" else [body.encode() for body in bodies.split(",")]
        self.names.update((digest(body), body.decode()) for body in listed)
        time_ms = self.now // 1_000_000 * 1_000_000 if listed else 0
        what = Batch(int(seq), time_ms, tuple(map(digest, listed)))
        self.names[what.digest()] = bodies
        return what

    def _handle(self, ready: Ready) -> None:
        for out in ready.send:
            if not isinstance(out.message, Status):
                to = "" if out.to is None else f" to {out.to}"
                self.lines.append(f"says {self.tell(out.message)}{to}")
        for resend in ready.resend:
            to = "all" if resend.to is None else str(resend.to)
            self.lines.append(f"repeats {self._opened(resend.raw)} to {to}")
        for decided in ready.apply:
            bodies = ",".join(body.decode() for body in decided.bodies) or "-"
            self.lines.append(f"applies {decided.seq} {bodies}")
        self.lines += [f"holds {stable.checkpoint.seq} stable" for stable in ready.stable]
        self.lines += [f"accuses {evidence.culprit}" for evidence in ready.evidence]
        self.lines += [f"serves {serve.to} from {serve.seq}" for serve in ready.serve]
        super()._handle(ready)

    def _opened(self, raw: bytes) -> str:
        if digest(raw) in self.names:
            return self.names[digest(raw)]
        return self.tell(self.mint.open(raw).message)

    def tell(self, message: Message) -> str:
        if isinstance(message, PrePrepare):
            what = message.batch
            bodies = ",".join(self.names[key] for key in what.requests) or "-"
            self.names[what.digest()] = bodies
            return f"pre-prepare {message.view} {what.seq} {bodies}"
        if isinstance(message, (Prepare, Commit)):
            kind = type(message).__name__.lower()
            return f"{kind} {message.view} {message.seq} {self.names[message.digest]}"
        if isinstance(message, ViewChange):
            shown = (self._opened(wire.pre_prepare) for wire in message.prepared)
            prepared = "".join(f" [{one.removeprefix('pre-prepare ')}]" for one in shown)
            return f"view-change {message.view} stable {message.stable}{prepared}"
        if isinstance(message, NewView):
            senders = (self._named(key).rpartition("-")[2] for key in message.view_changes)
            return f"new-view {message.view} from {','.join(senders)}"
        if isinstance(message, Want):
            return "want " + ",".join(self._named(key) for key in message.requests)
        if isinstance(message, (Checkpoint, Fetch)):
            return f"{type(message).__name__.lower()} {message.seq}"
        return type(message).__name__.lower()

    def _named(self, key: bytes) -> str:
        if key in self.names:
            return self.names[key]
        raw = self.changes.get(key)
        change = self.mint.open(raw) if raw else self.mint.by_digest(key)
        return f"view-change-of-{change.sender}"

    def heard(self, kind: str, words: list[str]) -> Message:
        if kind in ("pre-prepare", "prepare", "commit"):
            view, what = int(words[0]), self.batch(*words[1:])
            if kind == "pre-prepare":
                return PrePrepare(view, what)
            vote = Prepare if kind == "prepare" else Commit
            return vote(view, what.seq, what.digest())
        if kind == "committed":
            self.batch(*words[1:])
            return self.committed(
                int(words[0]), int(words[1]), *(b.encode() for b in words[2].split(","))
            )
        if kind in ("view-change", "new-view"):
            view, shown = int(words[0]), [word.split(":") for word in words[1:]]
            change = self.view_change(
                view, *(self.prepared(int(v), self.batch(seq, what)) for v, seq, what in shown)
            )
            return change if kind == "view-change" else self.new_view(view, {3: change})
        numbers = [int(word) for word in words]
        if kind == "checkpoint":
            return checkpoint(numbers[0], ROOT)
        return Fetch(numbers[0]) if kind == "fetch" else Status(*numbers)


def _do(script: Script, line: str) -> Script:
    verb, *words = line.split()
    if verb == "submit":
        script.names.update((digest(word.encode()), word) for word in words)
        script.submit(*(word.encode() for word in words))
    elif verb == "wait":
        script.wait(int(words[0]))
    elif verb == "checkpoint":
        script.replica.checkpoint(checkpoint(script.replica.applied_seq, ROOT))
        script.pump()
    elif verb == "restart":
        script = _restarted(script)
    else:
        script.hear(int(words[0]), script.heard(words[1], words[2:]))
    return script


def _restarted(old: Script) -> Script:
    script = Script(old.me, old.n)
    script.names, script.now = old.names, old.now
    script.restart_from(old)
    return script


def play(text: str) -> str:
    """Return the dialogue with what the replica does now under each line."""
    lines = [line for line in text.splitlines() if not line.startswith(">")]
    played: list[str] = []
    script: Script | None = None
    for line in lines:
        played.append(line)
        if not line.strip() or line.startswith("#"):
            continue
        if script is None:
            _, me, _, n, *settings = line.split()
            pairs = (setting.split("=") for setting in settings)
            script = Script(int(me), int(n), **{name: int(value) for name, value in pairs})
            continue
        try:
            script = _do(script, line)
        except PeerFault as fault:
            script.pump()
            script.lines.append(f"refuses it: {fault.reason}")
        played += [f"> {said}" for said in script.lines]
        script.lines = []
    return "\n".join(played) + "\n"
