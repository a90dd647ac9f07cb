# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a recording has beside messages: whom to trust, proofs, the images that drones judged."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from swarm_ledger.bags.attached import FOLDER, POLICY, PROOF, PROOF_POLICY, PROOFS
from swarm_ledger.bags.form import MAX_ATTACHMENTS, Attachment
from swarm_ledger.bags.messages import IMAGE, CompressedTold, ImageTold, parse, write_compressed
from swarm_ledger.envelope import Kind
from swarm_ledger.errors import Misuse, NotVerified, PeerFault
from swarm_ledger.identity.tuf import ROOT, ROSTER, TARGETS
from swarm_ledger.ledger.store import Store
from swarm_ledger.light_client.policies import policy_file
from swarm_ledger.perception.frames import from_raw, to_png
from swarm_ledger.runtime.export import each, prove, sessions_in
from swarm_ledger.runtime.fleet import LEDGER, Fleet

FORMAT = "rgb8; png compressed bgr8"
"""As image_transport names it: what the pixels were, and how OpenCV has packed them."""

_T = TypeVar("_T")
_IMAGES = 64
"""Of one camera, that wait to be judged, or that were: a judgement takes less than a second."""


def roster_files(fleet: Fleet, now_ns: int) -> list[Attachment]:
    """Return a fleet's roster folder as attachments: from the root on, it proves itself."""
    trust = fleet.trust
    files = {ROOT: trust.roots.first}
    files |= {f"{n}.{ROOT}": raw for n, raw in enumerate(trust.roots.later, start=2)}
    for number, version in enumerate(trust.versions):
        prefix = f"{version.roster.version}." if number else ""
        files |= {prefix + TARGETS: version.targets, prefix + ROSTER: version.roster.raw}
    return [
        Attachment(FOLDER + name, "application/json", now_ns, raw) for name, raw in files.items()
    ]


def proof_files(fleet: Fleet, now_ns: int) -> list[Attachment]:
    """Return the policy, and proofs of decisions, from the longest ledger that is at hand."""
    found: list[tuple[int, list[Attachment]]] = []
    for entry in fleet.file.drones:
        path = fleet.home(entry.name) / LEDGER
        if path.is_file():
            with (
                suppress(Misuse, NotVerified, PeerFault, OSError),
                Store.open(path, read_only=True) as store,
            ):
                found.append((store.size, list(_proofs(store, fleet, now_ns))))
    return max(found, key=lambda one: one[0], default=(0, []))[1]


def _proofs(store: Store, fleet: Fleet, now_ns: int) -> Iterator[Attachment]:
    latest = store.latest_checkpoint()
    if latest is None:
        return
    policy = policy_file(sessions_in(store, fleet.trust, entry=latest.size - 1))
    yield Attachment(POLICY, "text/plain", now_ns, policy)
    left = MAX_ATTACHMENTS // 4
    for number, decision in enumerate(each(store, Kind.DECISION), start=1):
        if number > left or decision.index >= latest.size:
            return
        name = f"{PROOFS}decision-{number}"
        own = policy_file(sessions_in(store, fleet.trust, entry=decision.index))
        yield Attachment(name + PROOF, "text/plain", now_ns, prove(store, decision.index))
        yield Attachment(name + PROOF_POLICY, "text/plain", now_ns, own)


@dataclass(frozen=True, slots=True)
class Picture:
    """An image that is kept until it is known whether a drone judged it."""

    type_name: str
    data: bytes
    log_ns: int
    published_ns: int


class Gallery:
    """Of each camera, the last images: those that a drone judged are kept, packed without loss.

    A camera is known by the drone's namespace.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, OrderedDict[int, Picture]] = {}
        self._judged: dict[str, OrderedDict[int, None]] = {}

    def take_image(self, namespace: str, picture: Picture) -> Picture | None:
        """Take an image as it was received; return it as it is to be kept, if it was judged."""
        stamp_ms = _stamp_ms(picture)
        if stamp_ms in self._judged.get(namespace, ()):
            return _packed(picture)
        _put(self._waiting.setdefault(namespace, OrderedDict()), stamp_ms, picture)
        return None

    def take_look(self, namespace: str, stamp_ns: int) -> Picture | None:
        """Take note that an image was judged; return it as it is to be kept, the first time."""
        stamp_ms = stamp_ns // 1_000_000
        judged = self._judged.setdefault(namespace, OrderedDict())
        if stamp_ms in judged:
            return None
        _put(judged, stamp_ms, None)
        picture = self._waiting.get(namespace, OrderedDict()).pop(stamp_ms, None)
        return _packed(picture) if picture else None


def _put(kept: OrderedDict[int, _T], key: int, value: _T) -> None:
    kept[key] = value
    if len(kept) > _IMAGES:
        kept.popitem(last=False)


def _stamp_ms(picture: Picture) -> int:
    told = parse(picture.type_name, picture.data)
    stamp_ns: int = told.stamp_ns
    return stamp_ns // 1_000_000


def _packed(picture: Picture) -> Picture:
    if picture.type_name != IMAGE:
        return picture
    told: ImageTold = parse(IMAGE, picture.data)
    pixels = from_raw(
        told.encoding, told.width, told.height, told.step, told.data, big_endian=told.big_endian
    )
    packed = CompressedTold(told.stamp_ns, told.frame, FORMAT, to_png(pixels))
    data = write_compressed(packed)
    return Picture(picture.type_name, data, picture.log_ns, picture.published_ns)
