# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Judges recorded SignedMessages by what they say themselves."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple

from swarm_ledger.audit.findings import MAX_WHAT
from swarm_ledger.bags.signed import Signed, parse_signed
from swarm_ledger.errors import PeerFault
from swarm_ledger.identity.roster import parse_roster
from swarm_ledger.relay.statement import MAX_DATA_BYTES, MAX_SEALED_BYTES, Notarised, micros
from swarm_ledger.relay.verifier import Refused, Verifier

MAX_RAW_BYTES = MAX_DATA_BYTES + MAX_SEALED_BYTES + 2048


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
    """Knows the rosters and the sessions of a bag: rosters in their bytes, delegations sealed,
    each with its roster's version.
    """

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
            message = notarised(parse_signed(data))
            topic = message.topic
            verified = self._verifiers.get(message.epoch, self._newest).verify(message)
        except PeerFault as fault:
            signer = fault.signer if isinstance(fault, Refused) else ""
            return Verdict(fault.reason, fault.what[:MAX_WHAT], signer, topic=topic[:255])
        return Verdict(
            "",
            "",
            verified.author.name,
            verified.session.kid,
            topic,
            message.type_name,
            message.sequence,
            message.stamp_us,
            len(message.data),
        )


def notarised(told: Signed) -> Notarised:
    """Return a recorded SignedMessage, to be verified; PeerFault for a stamp that isn't ours."""
    return Notarised(
        told.topic,
        told.type_name,
        told.type_hash,
        told.sequence,
        micros(told.sec, told.nanosec),
        told.data,
        told.swarm_id,
        told.epoch,
        told.sealed,
    )
