# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The three faults of the house: ours, a peer's, and a proof that does not hold."""

from __future__ import annotations


class SwarmLedgerError(Exception):
    """Base of all errors raised on purpose by swarm_ledger.

    what: one sentence that says what is wrong and where; remedy: what to do about it, if known.
    """

    def __init__(self, what: str, *, remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy

    def explain(self) -> str:
        """Return the whole message for a person: what is wrong, and what to do."""
        return f"{self} {self.remedy}".strip()


class Misuse(SwarmLedgerError):  # noqa: N818  - a fault, named as the house names it
    """Our own caller broke a rule: a bad argument, file or order of calls."""


class PeerFault(SwarmLedgerError):  # noqa: N818
    """Another drone broke a rule; counted and reported, never fatal.

    reason: a short stable word for counters, such as "malformed" or "bad_signature". peer: who did
    it, where what it signed is wrong whenever and by whomever it is shown; else nobody is blamed.
    """

    def __init__(self, reason: str, what: str, *, remedy: str = "") -> None:
        super().__init__(what, remedy=remedy)
        self.reason = reason
        self.peer = ""

    def by(self, peer: str) -> PeerFault:
        """Note whose it is, and return it."""
        self.peer = peer
        return self


class NotVerified(SwarmLedgerError):  # noqa: N818
    """A proof, certificate or stored record does not hold.

    where: which record failed, such as "height 12" or "cosignature of drone_3".
    """

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        super().__init__(what, remedy=remedy)
        self.where = where

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" if self.where else self.what
