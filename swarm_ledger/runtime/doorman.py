# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Where outside bytes come in: judged once, and handed on as what they are.

Whatever may end up in a certificate must convince everybody who has the ledger: it counts only if
its session is on our ledger, or its delegation came along. A checkpoint's cosignature travels
alone, in a note: it counts only if the session is on the ledger.
"""

from __future__ import annotations

from collections import OrderedDict

from swarm_ledger.consensus.messages import (
    Checkpoint,
    Commit,
    Message,
    NewView,
    Prepare,
    PrePrepare,
    Signed,
    ViewChange,
    parse,
)
from swarm_ledger.encoding import digest
from swarm_ledger.envelope import REMEMBERED_BYTES, Kind, Opened, Opener, Verified
from swarm_ledger.errors import NotVerified, PeerFault
from swarm_ledger.identity.roster import Roster
from swarm_ledger.identity.session import Session
from swarm_ledger.ledger import checkpoint as tlog
from swarm_ledger.ledger.note import NoteSignature
from swarm_ledger.runtime.evidence import Charge, examine
from swarm_ledger.runtime.identity import cosigner_key

_REMEMBERED = 4096
_PROOFS = (PrePrepare, Prepare, Commit, Checkpoint, ViewChange, NewView)


def log_checkpoint(roster: Roster, size: int, root: bytes) -> tlog.Checkpoint:
    """Return what a Checkpoint message vouches for, as the log states it."""
    return tlog.Checkpoint(roster.origin, size, root)


def cosignature_line(roster: Roster, opened: Opened, message: Checkpoint) -> NoteSignature:
    """Return a Checkpoint message's cosignature as a line of the note; PeerFault if it is bad."""
    if opened.session is None:
        raise PeerFault("malformed", "a checkpoint is sealed by a session key.")
    key = cosigner_key(roster, opened.author, opened.session.public_key)
    line = NoteSignature(key.name, key.key_id, message.cosignature)
    try:
        tlog.verify_cosignature(log_checkpoint(roster, message.size, message.root), key, line)
    except NotVerified as error:
        raise PeerFault("bad_signature", str(error)).by(opened.author.name) from error
    return line


class Doorman:
    """Opens messages for one roster: members by their index, cosignatures checked.

    ledger: knows the sessions on our ledger, which its state machine adds; lobby: those that
    introduced themselves, on the ledger or not yet.
    """

    def __init__(self, ledger: Opener) -> None:
        self.roster = ledger.roster
        self.ledger, self.lobby = ledger, Opener(ledger.roster, ledger.verified)
        self._signed: OrderedDict[bytes, Signed[Message]] = OrderedDict()

    def share(self, verified: Verified) -> None:
        """Remember signatures together with other doormen of this roster, in one process.

        Who may speak is still judged by the sessions known here: see Opener.
        """
        self.ledger.verified = self.lobby.verified = verified

    def open(self, raw: bytes) -> Opened:
        """Open a sealed message of anybody who is known here."""
        try:
            return self.ledger.open(raw)
        except PeerFault as fault:
            if fault.reason != "unknown_key":
                raise
        return self.lobby.open(raw)

    def open_consensus(self, raw: bytes) -> Signed[Message]:
        """Open a sealed consensus message, wherever it stands, also in a certificate."""
        return self._known(raw) or self._judge(self.open(raw))

    def _known(self, raw: bytes) -> Signed[Message] | None:
        key = digest(raw)
        known = self._signed.get(key)
        if known is not None:
            self._signed.move_to_end(key)
        return known

    def _judge(self, opened: Opened) -> Signed[Message]:
        raw = opened.raw
        if opened.kind is not Kind.CONSENSUS or opened.session is None:
            raise PeerFault("malformed", f"a {opened.kind.name} where consensus speaks.")
        try:
            message = opened.parse(parse)
        except PeerFault as fault:
            fault.by(opened.author.name)
            raise
        on_ledger = self.ledger.knows(opened.author, opened.session.kid)
        carried = raw[:1] == bytes([Kind.CARRIED]) and not isinstance(message, Checkpoint)
        if isinstance(message, _PROOFS) and not (on_ledger or carried):
            raise PeerFault("unknown_key", f"{opened.author.name}'s session is not on the ledger.")
        if isinstance(message, Checkpoint):
            cosignature_line(self.roster, opened, message)
        signed = Signed(opened.author.index, message, raw)
        self.remember(signed)
        return signed

    def remember(self, signed: Signed[Message]) -> None:
        """Know a message again without looking into it: it was opened here, or sealed."""
        if len(signed.raw) <= REMEMBERED_BYTES:
            self._signed[digest(signed.raw)] = signed
        if len(self._signed) > _REMEMBERED:
            self._signed.popitem(last=False)

    def examine(self, raw: bytes) -> Charge:
        """Return whom evidence convicts; PeerFault if the ledger's own sessions don't prove it."""
        return examine(raw, self.ledger)

    def hear(self, raw: bytes, now_s: int) -> Signed[Message]:
        """Open a sealed consensus message that has just arrived."""
        opened = self.open(raw)
        opened.check_fresh(now_s)
        return self._known(raw) or self._judge(opened)

    def sessions(self) -> tuple[Session, ...]:
        """Return all known sessions, on the ledger or not, by key identifier."""
        known = {s.kid: s for s in (*self.lobby.sessions(), *self.ledger.sessions())}
        return tuple(session for _, session in sorted(known.items()))

    def met(self) -> set[int]:
        """Return who has a session that is known, on the ledger or not."""
        return self.lobby.authors() | self.ledger.authors()

    def line_of(self, vote: Signed[Checkpoint]) -> NoteSignature:
        """Return the note's line of a checkpoint vote that was opened here."""
        return cosignature_line(self.roster, self.ledger.open(vote.raw), vote.message)
