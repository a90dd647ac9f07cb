# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Images in a bag, held against the digests that drones signed with their votes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from swarm_ledger.audit.findings import Findings, Place
from swarm_ledger.bags.messages import CompressedTold, ImageTold, ObservationTold
from swarm_ledger.encoding import digest
from swarm_ledger.errors import PeerFault
from swarm_ledger.identity.roster import Roster
from swarm_ledger.voting.observation import AnyObservation

if TYPE_CHECKING:
    from swarm_ledger.perception.frames import Picture

_MOST = 1 << 16
_NONE = bytes(32)


def picture_of(told: CompressedTold | ImageTold) -> tuple[Picture, tuple[bytes, ...]]:
    """Return an image as RGB, and what drones may have signed of it; PeerFault for what is none.

    That is the digest of its pixels, or, where the camera packed it, of what came from there.
    """
    from swarm_ledger.perception.frames import (  # noqa: PLC0415  - takes a while
        from_compressed,
        from_raw,
    )

    if isinstance(told, CompressedTold):
        picture = from_compressed(told.data)
        return picture, (digest(picture.tobytes()), digest(told.data))
    picture = from_raw(
        told.encoding, told.width, told.height, told.step, told.data, big_endian=told.big_endian
    )
    return picture, (digest(picture.tobytes()),)


def drone_of(topic: str, names: frozenset[str]) -> str:
    """Return whose topic it is: the first part of its name that is a member's; "" for nobody's."""
    return next((part for part in topic.split("/") if part in names), "")


def names_of(rosters: tuple[Roster, ...]) -> frozenset[str]:
    """Return the names of all who ever were members."""
    return frozenset(member.name for roster in rosters for member in roster.members)


@dataclass
class Images:
    """Takes images, looks and votes in any order. shown: votes whose image is there, and right."""

    findings: Findings
    names: frozenset[str]
    images: dict[tuple[str, int], tuple[tuple[bytes, ...], Place]] = field(default_factory=dict)
    _digests: set[tuple[str, bytes]] = field(default_factory=set)
    shown: int = 0
    unshown: int = 0
    _said: dict[tuple[str, int, bytes, bool], None] = field(default_factory=dict)

    def take_image(self, told: CompressedTold | ImageTold, place: Place) -> None:
        """Take an image as a camera gave it."""
        drone = drone_of(place.topic, self.names)
        if not drone or len(self.images) >= _MOST:
            return
        try:
            _, digests = picture_of(told)
        except PeerFault as fault:
            self.findings.add("image", fault.what, place)
            return
        self.images[drone, told.stamp_ns // 1_000_000] = digests, place
        self._digests |= {(drone, one) for one in digests}

    def take_look(self, told: ObservationTold, place: Place) -> None:
        """Take what a drone tells of one look."""
        drone = drone_of(place.topic, self.names)
        if told.drone not in self.names or drone not in ("", told.drone):
            what = f"an observation of {told.drone[:40]!r} is on {place.topic[:80]}."
            self.findings.add("topic", what, place)
            return
        self._note(told.drone, told.stamp_ns // 1_000_000, told.image, signed=False)

    def take_vote(self, drone: str, seen: AnyObservation) -> None:
        """Take a vote whose signature holds."""
        self._note(drone, seen.stamp_ms, seen.image, signed=True)

    def settle(self) -> None:
        """Compare."""
        for drone, stamp_ms, image, signed in self._said:
            there = (drone, image) in self._digests
            known = self.images.get((drone, stamp_ms))
            if signed:
                self.shown += there
                self.unshown += not there
            if known is not None and not there:
                who = f"{drone} signed" if signed else f"{drone} told"
                what = f"the image of {stamp_ms} ms is not the one whose digest {who}."
                self.findings.add("image", what, known[1], who=drone)

    def _note(self, drone: str, stamp_ms: int, image: bytes, *, signed: bool) -> None:
        if image != _NONE and len(self._said) < _MOST:
            self._said.setdefault((drone, stamp_ms, image, signed))
