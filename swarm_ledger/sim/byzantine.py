# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Drones that lie, for simulation: what they do instead of what they should."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import msgspec

from swarm_ledger.encoding import MAX_ENTRY_BYTES, digest, encode
from swarm_ledger.envelope import Kind, kind_of
from swarm_ledger.identity.cose import kid, parse1
from swarm_ledger.perception import CUP, LABELS, TWO_FACES, Classifier, Perceived
from swarm_ledger.runtime.fleet import Fleet
from swarm_ledger.runtime.identity import Identity
from swarm_ledger.transport import Transport
from swarm_ledger.voting.commitment import Commitment, parse_commitment
from swarm_ledger.voting.limits import ABSTAIN
from swarm_ledger.voting.observation import NumberObservation, parse_observation

_OPPOSITE = {CUP: TWO_FACES, TWO_FACES: CUP}


class LyingClassifier:
    """Says the opposite of the truth with full confidence: the worst that one vote can do."""

    def __init__(self, truth: str) -> None:
        self._lie = _OPPOSITE[truth]

    def classify(self, image: object) -> Perceived:
        """Return the lie, whatever the image shows."""
        return Perceived(self._lie, 1.0, {label: float(label == self._lie) for label in LABELS})


class TwoFacedTransport:
    """Sends its own vote, or commitment, to half of the swarm, and another one to the rest.

    identity: asked for when it first hears a ballot: by then the drone has begun its session.
    """

    def __init__(self, inner: Transport, identity: Callable[[], Identity]) -> None:
        self._inner, self._identity = inner, cache(identity)

    def send(self, to: int, data: bytes) -> None:
        """Send to one member."""
        self._inner.send(to, data)

    def broadcast(self, data: bytes) -> None:
        """Send to all others; if it is our own vote, contradict it to every other one."""
        kind = kind_of(data)
        if kind not in (Kind.VOTE, Kind.COMMIT):
            self._inner.broadcast(data)
            return
        vote, identity = parse1(data[1:], limit=MAX_ENTRY_BYTES), self._identity()
        if vote.kid not in (identity.session_kid, kid(identity.member.public_key)):
            self._inner.broadcast(data)
            return
        lie = identity.seal_vote(_contrary(kind, vote.payload), kind)
        me = identity.member.index
        for place, index in enumerate(i for i in identity.roster.voters if i != me):
            self._inner.send(index, lie if place % 2 else data)


def _contrary(kind: Kind, payload: bytes) -> bytes:
    """Return what contradicts a vote, or a commitment: that one is to nothing at all."""
    if kind is Kind.COMMIT:
        said = parse_commitment(payload)
        return encode(Commitment(said.question, digest(said.hidden)))
    seen = parse_observation(payload)
    if isinstance(seen, NumberObservation):
        value = None if seen.value is not None else 0
        return encode(msgspec.structs.replace(seen, value=value))
    other = 1 - seen.label if seen.label != ABSTAIN else 0
    return encode(msgspec.structs.replace(seen, label=other))


class SilentTransport:
    """Says nothing at all: a drone that is broken, or waits for the others to fail."""

    def __init__(self, inner: Transport, identity: Callable[[], Identity]) -> None:
        pass

    def send(self, to: int, data: bytes) -> None:
        """Drop it."""

    def broadcast(self, data: bytes) -> None:
        """Drop it."""


ATTACKS: dict[str, Callable[[Transport, Callable[[], Identity]], Transport]] = {
    "lie": lambda transport, _: transport,
    "equivocate": TwoFacedTransport,
    "silent": SilentTransport,
}
"""What a Byzantine drone does with its radio; whichever it is, what it says it saw is a lie."""


def corrupt(attack: str, transport: Transport, identity: Callable[[], Identity]) -> Transport:
    """Return the transport of a drone with that attack; an honest one's ("") is left alone.

    identity: asked for only where somebody says two things, and only then: a session that is
    there before its drone is would look like one whose ledger was lost.
    """
    return ATTACKS[attack](transport, identity) if attack else transport


def corrupting(fleet: Fleet, name: str, now_ms: int) -> Callable[[Transport], Transport]:
    """Return what makes a drone's transport that of one with the attack in its fleet file.

    now_ms: when it begins, POSIX milliseconds.
    """
    attack = fleet.drone(name).attack
    return lambda plain: corrupt(attack, plain, lambda: fleet.identity(name, now_ms // 1000))


def eyes(attack: str, honest: Classifier, truth: str) -> Classifier:
    """Return what a drone with that attack sees with; an honest one ("") sees what is there."""
    return LyingClassifier(truth) if attack else honest
