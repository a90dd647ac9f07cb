# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The receiving end: who said this, in which role, and is it new?

A Verifier judges what a message says by itself, now or years later. A Receiver judges on top of
that what arrives live: that it is fresh, of this epoch, and was not heard before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from swarm_ledger.encoding import decode
from swarm_ledger.envelope import Kind, Opened, Opener
from swarm_ledger.errors import Misuse, NotVerified, PeerFault
from swarm_ledger.identity.roster import Member, Roster
from swarm_ledger.identity.session import Session
from swarm_ledger.ledger.merkle import verify_inclusion
from swarm_ledger.relay.statement import (
    MAX_DATA_BYTES,
    MAX_SEALED_BYTES,
    Notarised,
    Statement,
    Window,
    Windowed,
    parse_windowed,
    split_delegation,
)
from swarm_ledger.relay.stream import Stream

MAX_TOPICS_PER_MEMBER = 256

_S_US = 1_000_000
_WINDOWED = bytes([Kind.WINDOWED])


class Refused(PeerFault):
    """A message that is not taken. signer: the member whose signature it bears, if that holds.

    Whoever sends a signed message again, or with other bytes around the signature, need not be
    its signer.
    """

    def __init__(self, fault: PeerFault, signer: str) -> None:
        super().__init__(fault.reason, fault.what, remedy=fault.remedy)
        self.signer = signer


class Verified(msgspec.Struct, frozen=True):
    """A message whose signature holds. session: whose key signed."""

    author: Member
    statement: Statement
    session: Session


class Verifier:
    """Judges messages by one roster; sessions are those that came along with messages."""

    def __init__(self, roster: Roster) -> None:
        self.roster = roster
        self._opener = Opener(roster)

    def learn(self, message: Notarised) -> None:
        """Take note of the session that came with a message, without judging the message.

        PeerFault as verify().
        """
        self._open_delegation(message)

    def add_session(self, delegation: bytes) -> None:
        """Take note of a session that was shown elsewhere; PeerFault if it doesn't hold."""
        self._opener.add_session(delegation)

    def verify(
        self, message: Notarised, admit: Callable[[Opened, Notarised], None] | None = None
    ) -> Verified:
        """Return who said what.

        admit: a cheaper check, made before the data is hashed: who repeats a signed message with
        four other megabytes should not cost us a digest. Raises Refused: "oversize", "malformed",
        "other_swarm", "other_epoch", "unknown_key", "bad_signature", "wrong_role",
        "stale_session", "stale_member", "mismatch", "bad_path", and those of Opener.add_session.
        """
        signer = ""
        try:
            opened, tied = self._open(message)
            signer = opened.author.name
            if admit is not None:
                admit(opened, message)
            statement = self._bind(message, opened, tied)
            opened.check_fresh(statement.stamp_us // _S_US)
        except PeerFault as fault:
            raise Refused(fault, signer) from fault
        if opened.session is None:  # an operator's root key, and none may relay
            raise Refused(PeerFault("wrong_role", "a root key signed."), signer)
        return Verified(opened.author, statement, opened.session)

    def _bind(self, message: Notarised, opened: Opened, tied: Windowed | None) -> Statement:
        """Return the statement that was signed, if it is the one that the message claims."""
        claimed = message.statement()
        if tied is None:
            if claimed.encoded() != opened.payload:
                raise PeerFault("mismatch", "its signature is for another message.")
            return claimed
        window = opened.parse(_parse_window)
        try:
            verify_inclusion(claimed.leaf, tied.index, window.size, tied.path, window.root)
        except NotVerified as error:
            raise PeerFault("bad_path", f"not in its window: {error}.") from error
        return claimed

    def _open(self, message: Notarised) -> tuple[Opened, Windowed | None]:
        if len(message.data) > MAX_DATA_BYTES:
            raise PeerFault("oversize", f"{len(message.data)} bytes of data.")
        sealed = self._open_delegation(message)
        if sealed[:1] == _WINDOWED:
            tied = parse_windowed(sealed[1:])
            return self._open_as(Kind.WINDOW, tied.window), tied
        return self._open_as(Kind.RELAYED, sealed), None

    def _open_delegation(self, message: Notarised) -> bytes:
        """Return the sealed statement; remember the session that came with it."""
        roster = self.roster
        if len(message.sealed) > MAX_SEALED_BYTES:
            raise PeerFault("oversize", f"{len(message.sealed)} bytes of signature.")
        if message.swarm_id != roster.swarm_id:
            raise PeerFault("other_swarm", f"signed for {message.swarm_id!r}.")
        if message.epoch != roster.version:
            raise PeerFault("other_epoch", f"signed under roster {message.epoch}.")
        delegation, sealed = split_delegation(message.sealed)
        if delegation:
            self.add_session(delegation)
        return sealed

    def _open_as(self, kind: Kind, sealed: bytes) -> Opened:
        if sealed[:1] != bytes([kind]):
            raise PeerFault("malformed", f"not a sealed {kind.name}.")
        return self._opener.open(sealed)


def _parse_window(payload: bytes) -> Window:
    window: Window = decode(payload, Window, limit=MAX_SEALED_BYTES)
    return window


@dataclass(frozen=True, slots=True)
class Limits:
    """What a receiver takes.

    max_age_ms: how old a message may be, its way and a slow clock included; max_ahead_ms: how far
    a clock may be ahead of ours; reorder: how many messages of a topic may overtake one another.
    """

    max_age_ms: int = 2_000
    max_ahead_ms: int = 500
    reorder: int = 1024

    def __post_init__(self) -> None:
        if not (self.max_age_ms > 0 and self.max_ahead_ms >= 0 and 1 <= self.reorder <= 1 << 16):
            raise Misuse("a receiver needs a positive age, no negative lead, 1 to 65536 numbers.")


@dataclass(slots=True)
class Heard:
    """What was heard of one member. ahead_us: the largest stamp less our time of arrival, since
    it was last reset: its clock's lead over ours, less the shortest way. None if nothing was.
    """

    accepted: int = 0
    ahead_us: int | None = None


class Receiver:
    """Takes messages one by one, each at most once.

    start_us: our time now. Nothing stamped before start_us + max_ahead_ms is taken: what was
    heard before a restart can't be passed off as new after it, and so a receiver is deaf for its
    first moments. rejections: counts by (reason, signer's name or "").
    """

    def __init__(self, roster: Roster, limits: Limits, start_us: int) -> None:
        self.limits = limits
        self._floor_us = start_us + limits.max_ahead_ms * 1_000
        self.rejections: Counter[tuple[str, str]] = Counter()
        self.enter(roster)

    def enter(self, roster: Roster) -> None:
        """Go over to a roster version: what is signed under any other is refused from now on."""
        self.verifier = Verifier(roster)
        self._streams: dict[str, dict[tuple[Session, str], Stream]] = {}
        self.heard: dict[str, Heard] = {}

    def take(self, message: Notarised, now_us: int) -> Verified:
        """Return who said what, if it is new. now_us: POSIX microseconds by our clock.

        Raises Refused, which is counted: as Verifier.verify(), and "stale", "future", "replayed",
        "too_late" (behind the window of sequence numbers), "overload" (more topics than allowed).
        """

        def admit(opened: Opened, claimed: Notarised) -> None:
            opened.check_fresh(now_us // _S_US)
            self._check_time(claimed.stamp_us, now_us)
            streams, session = self._streams.get(opened.author.name, {}), opened.session
            stream = streams.get((session, claimed.topic)) if session else None
            fault = stream.fault(claimed.sequence) if stream else ""
            if fault:
                raise PeerFault(fault, f"{claimed.topic} had {claimed.sequence} before.")

        try:
            verified = self.verifier.verify(message, admit)
            self._stream(verified, now_us).mark(verified.statement.sequence)
        except Refused as refused:
            self.count(refused)
            raise
        heard = self.heard.setdefault(verified.author.name, Heard())
        ahead_us = message.stamp_us - now_us
        heard.accepted += 1
        heard.ahead_us = ahead_us if heard.ahead_us is None else max(heard.ahead_us, ahead_us)
        return verified

    def count(self, refused: Refused) -> None:
        """Count a message that isn't taken."""
        self.rejections[refused.reason, refused.signer] += 1

    def lost(self, name: str) -> int:
        """Return how many messages of a member are missing, of those sent since the first."""
        return sum(stream.lost for stream in self._streams.get(name, {}).values())

    def _check_time(self, stamp_us: int, now_us: int) -> None:
        age_us = now_us - stamp_us
        if age_us > self.limits.max_age_ms * 1_000 or stamp_us < self._floor_us:
            raise PeerFault("stale", f"{age_us / _S_US:.3f} s old, or from before our start.")
        if -age_us > self.limits.max_ahead_ms * 1_000:
            raise PeerFault("future", f"stamped {-age_us / _S_US:.3f} s ahead of our clock.")

    def _stream(self, verified: Verified, now_us: int) -> Stream:
        name, key = verified.author.name, (verified.session, verified.statement.topic)
        streams = self._streams.setdefault(name, {})
        if key not in streams:
            for old in [one for one in streams if one[0].expires <= now_us // _S_US]:
                del streams[old]  # what it signed is refused by now
            if len({topic for _, topic in streams} | {key[1]}) > MAX_TOPICS_PER_MEMBER:
                raise Refused(PeerFault("overload", f"{name} has too many topics."), name)
            streams[key] = Stream(self.limits.reorder)
        return streams[key]
