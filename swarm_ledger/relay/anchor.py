# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Anchors: what a relay has put on the ledger about all that it signed since the last one.

The leaves of an anchor's tree (RFC 6962) are sealed windows and singly sealed statements, as they
travel, in the order of Leaf. The ledger holds the root and the numbers, not the leaves: whoever
has a recording computes them, or finds them there as a list, also where messages were lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec
from msgspec import Meta

from swarm_ledger.encoding import Count, Record, decode, digest, encode
from swarm_ledger.errors import Misuse, PeerFault
from swarm_ledger.ledger.merkle import HASH_SIZE, Frontier, inclusion_proof, leaf_hash
from swarm_ledger.relay.statement import (
    NUMBER_BITS,
    TOPIC,
    SequenceNumber,
    number_of,
)

MAX_ANCHOR_BYTES = 8192
"""One is ordered in ten seconds, so that a member's part of the ledger grows by 3 MB an hour."""

LEAST_ANCHOR_MS = 12_000
"""Between two anchors: a little over what the ledger takes of one member for long."""

MAX_LEAVES = 1 << 16
MAX_RANGES = 512

LEAVES_TOPIC = "/swarm/leaves"
"""Under which a relay says what the leaves of an anchor are: no topic that is relayed has it."""

LEAVES_TYPE = "std_msgs/msg/UInt8MultiArray"
_CDR = b"\x00\x01\x00\x00" + bytes(8)
"""Little-endian CDR, an empty list of dimensions, no offset; the bytes' number follows."""

_PATIENCE_US = 120_000_000
_RANGE_BYTES = 20
"""What a range takes at most besides its topic."""

_ANCHOR_BYTES = 128
"""What an anchor takes at most besides its ranges."""

_Hash = Annotated[bytes, Meta(min_length=HASH_SIZE, max_length=HASH_SIZE)]
_Stream = Annotated[str, Meta(pattern=rf"\A({TOPIC})?\Z", max_length=255)]


class Range(Record, frozen=True):
    """Consecutive numbers of one topic, or of windows, all of one run."""

    stream: _Stream
    first: SequenceNumber
    count: Annotated[int, Meta(ge=1, lt=1 << NUMBER_BITS)]

    @property
    def end(self) -> int:
        """The number after the last one."""
        return self.first + self.count


class Anchor(Record, frozen=True, tag=1):
    """What a relay asks the ledger to hold.

    sequence: 1, 2, ... for each member; previous: digest of the anchor before, empty for the
    first. stamp_us: the relay's clock, POSIX microseconds, which nothing depends on. size, root:
    of the tree. ranges: the numbers of all statements in there, those within windows too, and of
    the windows; ascending.
    """

    sequence: Annotated[int, Meta(ge=1, lt=2**53)]
    previous: Annotated[bytes, Meta(max_length=HASH_SIZE)]
    stamp_us: Annotated[int, Meta(ge=1, lt=2**53)]
    size: Annotated[int, Meta(ge=1, le=MAX_LEAVES)]
    root: _Hash
    ranges: Annotated[tuple[Range, ...], Meta(min_length=1, max_length=MAX_RANGES)]

    @property
    def digest(self) -> bytes:
        """By which the next one names it."""
        return digest(encode(self))

    def covers(self, topic: str, sequence: int) -> bool:
        """Whether it names that statement's number."""
        return any(one.stream == topic and one.first <= sequence < one.end for one in self.ranges)


class Told(Record, frozen=True):
    """The last anchor of a member that counts on the ledger: all empty, 0, if there is none."""

    sequence: Count = 0
    digest: Annotated[bytes, Meta(max_length=HASH_SIZE)] = b""
    root: Annotated[bytes, Meta(max_length=HASH_SIZE)] = b""


def told_of(anchor: Anchor) -> Told:
    """Return what there is to tell of an anchor that counts."""
    return Told(anchor.sequence, anchor.digest, anchor.root)


def parse_anchor(raw: bytes) -> Anchor:
    """Parse a sealed payload; PeerFault if it is no anchor."""
    anchor: Anchor = decode(raw, Anchor, limit=MAX_ANCHOR_BYTES)
    if len(anchor.previous) != (HASH_SIZE if anchor.sequence > 1 else 0):
        raise PeerFault("malformed", "all anchors but a member's first name the one before.")
    before: Range | None = None
    for one in anchor.ranges:
        if not number_of(one.first) or number_of(one.first) + one.count > 1 << NUMBER_BITS:
            raise PeerFault("malformed", "a range is outside of its run.")
        if before and (one.stream, one.first) < (before.stream, before.end):
            raise PeerFault("malformed", "ranges are not in order.")
        before = one
    if anchor.size > sum(one.count for one in anchor.ranges):
        raise PeerFault("malformed", "more leaves than statements and windows.")
    return anchor


@dataclass(frozen=True, slots=True, order=True)
class Leaf:
    """One leaf: windows first, by number; then singly sealed statements, by topic and number.

    hash: of the sealed bytes, without a delegation that came along.
    """

    stream: str
    number: int
    hash: bytes


def leaf_of(stream: str, number: int, sealed: bytes) -> Leaf:
    """Return the leaf of a sealed window (its stream is WINDOWS) or statement."""
    return Leaf(stream, number, leaf_hash(sealed))


def leaves_data(leaves: Iterable[Leaf]) -> bytes:
    """Return a list of leaves as CDR of LEAVES_TYPE: their hashes, one behind the other."""
    joined = b"".join(leaf.hash for leaf in leaves)
    return _CDR + len(joined).to_bytes(4, "little") + joined


def parse_leaves(data: bytes) -> tuple[bytes, ...]:
    """Return the hashes in such a list; PeerFault("malformed") if it is none."""
    body = data[len(_CDR) + 4 :]
    count = len(body) // HASH_SIZE
    # DDS pads what it sends to a multiple of four, which a list's length is.
    if data[: len(_CDR) + 4] != _CDR + len(body).to_bytes(4, "little") or len(body) % HASH_SIZE:
        raise PeerFault("malformed", "not a list of leaves.")
    if not 1 <= count <= MAX_LEAVES:
        raise PeerFault("malformed", f"a list of {count} leaves.")
    return tuple(body[at * HASH_SIZE : (at + 1) * HASH_SIZE] for at in range(count))


class Tree:
    """The tree over an anchor's leaves, whole."""

    def __init__(self, hashes: Iterable[bytes]) -> None:
        frontier = Frontier()
        self._nodes: dict[tuple[int, int], bytes] = {}
        self._index: dict[bytes, int] = {}
        for leaf in hashes:
            self._index.setdefault(leaf, frontier.size)
            for level, index, node in frontier.append(leaf):
                self._nodes[level, index] = node
        self.size, self.root = frontier.size, frontier.root()

    def index(self, leaf: bytes) -> int | None:
        """Return where a leaf stands, None if it isn't there."""
        return self._index.get(leaf)

    def path(self, index: int) -> tuple[bytes, ...]:
        """Return the audit path of a leaf, from the leaf upwards (RFC 9162, 2.1.3.1)."""
        return tuple(inclusion_proof(index, self.size, lambda level, at: self._nodes[level, at]))


class Gathering:
    """What was signed since the last anchor, bounded. left_out: statements that found no room."""

    def __init__(self) -> None:
        self._leaves: list[Leaf] = []
        self._ranges: dict[str, list[Range]] = {}
        self._bytes = _ANCHOR_BYTES
        self.left_out = 0

    @property
    def worth_it(self) -> bool:
        """Whether there is anything but the list of an anchor's own leaves."""
        return any(stream != LEAVES_TOPIC for stream in self._ranges)

    def add(
        self, stream: str, number: int, sealed: bytes, covers: Sequence[tuple[str, int]] = ()
    ) -> None:
        """Take in a sealed statement, or a window and the statements that it `covers`.

        covers: topic and number of each, in the order of their numbers.
        """
        ranges = _joined([(stream, number), *covers])
        fresh = [one for one in ranges if not self._continues(one)]
        cost = sum(len(one.stream) + _RANGE_BYTES for one in fresh)
        held = sum(map(len, self._ranges.values()))
        if (
            len(self._leaves) == MAX_LEAVES
            or held + len(fresh) > MAX_RANGES
            or self._bytes + cost > MAX_ANCHOR_BYTES
        ):
            self.left_out += len(covers) or 1
            return
        self._bytes += cost
        self._leaves.append(leaf_of(stream, number, sealed))
        for one in ranges:
            known = self._ranges.setdefault(one.stream, [])
            if self._continues(one):
                last = known.pop()
                known.append(Range(one.stream, last.first, last.count + one.count))
            else:
                known.append(one)

    def _continues(self, one: Range) -> bool:
        known = self._ranges.get(one.stream, [])
        return bool(known) and known[-1].end == one.first

    def take(self) -> tuple[tuple[Range, ...], tuple[Leaf, ...]]:
        """Return all ranges and leaves in order, and begin anew."""
        ranges = sorted(
            (one for several in self._ranges.values() for one in several),
            key=lambda one: (one.stream, one.first),
        )
        leaves = sorted(self._leaves)
        self._leaves, self._ranges, self._bytes = [], {}, _ANCHOR_BYTES
        return tuple(ranges), tuple(leaves)


def _joined(numbers: Iterable[tuple[str, int]]) -> list[Range]:
    """Return topics' numbers, ascending in each, as ranges."""
    ranges: dict[tuple[str, int], Range] = {}
    for stream, number in numbers:
        last = ranges.pop((stream, number), None)
        grown = Range(stream, last.first, last.count + 1) if last else Range(stream, number, 1)
        ranges[stream, grown.end] = grown
    return list(ranges.values())


@dataclass(frozen=True, slots=True)
class Draft:
    """An anchor to be sealed and handed in. leaves: those of a new one, empty for one again."""

    anchor: Anchor
    leaves: tuple[Leaf, ...] = ()


class Anchoring:
    """One relay's anchors, one at a time: the next is made once the ledger holds the last.

    every_us: how often, at most. pending: the one that the relay's last life had handed in.
    """

    def __init__(self, every_us: int, pending: Anchor | None = None) -> None:
        if every_us <= 0:
            raise Misuse("anchors need some time between them.")
        self._every_us = every_us
        self.pending = pending
        self.gathering = Gathering()
        self._made_us: int | None = None
        self._put_us: int | None = None
        self.anchored = 0

    def step(self, told: Told, now_us: int, *, last: bool = False) -> Draft | None:
        """Return what is to be sealed and handed in now, if anything.

        told: what the ledger holds, as the drone says. now_us: POSIX microseconds. last: the relay
        ends, and what it has gathered must not wait.
        """
        pending = self.pending
        if pending is not None and told.root == pending.root:
            self.anchored += pending.size
            self.pending = pending = None
        if self._made_us is None or now_us < self._made_us:  # it began, or the clock was set back
            self._made_us = now_us
        self._put_us = now_us if self._put_us is None else self._put_us
        if pending is None:
            due = last or now_us - self._made_us >= self._every_us
            return self._make(told, now_us) if due and self.gathering.worth_it else None
        if told.sequence >= pending.sequence or (
            told.sequence + 1 == pending.sequence and self._waited(now_us)
        ):
            return self._again(pending, told, now_us)
        return None

    def _waited(self, now_us: int) -> bool:
        """Whether the pending one is not coming: ordered, but refused, it never would."""
        return not 0 <= now_us - (self._put_us or 0) < _PATIENCE_US

    def _make(self, told: Told, now_us: int) -> Draft:
        ranges, leaves = self.gathering.take()
        root = Tree(leaf.hash for leaf in leaves).root
        self.pending = Anchor(told.sequence + 1, told.digest, now_us, len(leaves), root, ranges)
        self._made_us = self._put_us = now_us
        return Draft(self.pending, leaves)

    def _again(self, pending: Anchor, told: Told, now_us: int) -> Draft:
        self.pending = msgspec.structs.replace(
            pending, sequence=told.sequence + 1, previous=told.digest, stamp_us=now_us
        )
        self._put_us = now_us
        return Draft(self.pending)
