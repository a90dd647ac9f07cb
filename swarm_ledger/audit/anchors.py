# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a ledger says about recorded messages: since when they exist, and what is missing.

An anchor speaks for its own member only: its numbers and its tree are held against what that
member signed, so that whoever anchors another's messages says nothing about them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum

from swarm_ledger.audit.ledger import Held
from swarm_ledger.encoding import decode
from swarm_ledger.envelope import Kind
from swarm_ledger.errors import PeerFault
from swarm_ledger.identity.cose import parse1
from swarm_ledger.ledger.merkle import leaf_hash, root, verify_inclusion
from swarm_ledger.relay.anchor import LEAVES_TOPIC, Leaf, Range, Tree, parse_leaves
from swarm_ledger.relay.statement import (
    MAX_SEALED_BYTES,
    WINDOWS,
    Notarised,
    Window,
    Windowed,
    split_delegation,
)
from swarm_ledger.relay.verifier import Verified


class Shown(Enum):
    """What a recording shows of an anchor's tree.

    WHOLE: its root follows from what is there; LISTED: from the list of its leaves; UNPROVEN: too
    much is missing to compute it; OTHER: all is there, and its root is another one.
    """

    WHOLE = "whole"
    LISTED = "listed"
    UNPROVEN = "unproven"
    OTHER = "other_root"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a recorded message is anchored: the way from its sealed bytes to the ledger.

    leaf: the hash of the sealed statement or window; index, path: in the anchor's tree.
    """

    leaf: bytes
    index: int
    path: tuple[bytes, ...]
    held: Held


def sealed_leaf(message: Notarised) -> bytes:
    """Return the leaf by which a signed message is anchored; PeerFault if it has no form."""
    sealed = split_delegation(message.sealed)[1]
    if sealed[:1] == bytes([Kind.WINDOWED]):
        tied: Windowed = decode(sealed[1:], Windowed, limit=MAX_SEALED_BYTES)
        return leaf_hash(tied.window)
    return leaf_hash(sealed)


def check_place(message: Notarised, place: Place) -> None:
    """Check that a signed message is under an anchor's root; NotVerified if it isn't.

    That it is signed, and the anchor on the ledger, are matters of their own. PeerFault for a
    message without a form.
    """
    anchor = place.held.anchor
    verify_inclusion(sealed_leaf(message), place.index, anchor.size, place.path, anchor.root)


@dataclass(slots=True)
class TopicFound:
    """One topic of one member: messages in the recording, and numbers that were anchored.

    anchored: proven to be under an anchor; unproven: within the numbers of one whose tree can't
    be shown; contradicted: another message has that number there; open: in no anchor. missing:
    anchored, and not in the recording, of those since it began: middle has later ones behind it,
    end has none. earlier: from before it began. first, last: where the proven ones are anchored.
    """

    recorded: int = 0
    anchored: int = 0
    unproven: int = 0
    contradicted: int = 0
    open: int = 0
    middle: int = 0
    end: int = 0
    earlier: int = 0
    first: Held | None = None
    last: Held | None = None


@dataclass(slots=True)
class AnchorReport:
    """What a ledger says about a recording. anchors: each with what is shown of its tree."""

    anchors: list[tuple[Held, Shown]] = field(default_factory=list)
    topics: dict[tuple[str, str], TopicFound] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        """Whether nothing that was anchored is missing since the recording began, or another."""
        found = self.topics.values()
        other = any(shown is Shown.OTHER for _, shown in self.anchors)
        return not other and not any(one.middle or one.end or one.contradicted for one in found)


@dataclass
class _Signer:
    """What one member said. said: by topic and number, the leaf; windows: by number."""

    name: str
    said: dict[str, dict[int, bytes]] = field(default_factory=dict)
    windows: dict[int, bytes] = field(default_factory=dict)
    order: dict[str, list[int]] = field(default_factory=dict)

    def sort(self) -> None:
        """Put the numbers in order, once all is there."""
        self.order = {topic: sorted(numbers) for topic, numbers in self.said.items()}
        self.order[WINDOWS] = sorted(self.windows)

    def within(self, one: Range) -> list[int]:
        """Return the numbers of a range that are there."""
        numbers = self.order.get(one.stream, [])
        return numbers[bisect_left(numbers, one.first) : bisect_left(numbers, one.end)]

    def leaves(self, ranges: Sequence[Range]) -> Iterator[Leaf]:
        """Yield what is there of an anchor's leaves."""
        windows = set(self.windows.values())
        for one in ranges:
            held = self.windows if one.stream == WINDOWS else self.said.get(one.stream, {})
            for number in self.within(one):
                if one.stream == WINDOWS or held[number] not in windows:
                    yield Leaf(one.stream, number, held[number])


class Anchors:
    """Holds recorded messages, one after the other, against the anchors of a verified ledger."""

    def __init__(self, held: Iterable[Held]) -> None:
        self._held: dict[bytes, list[Held]] = {}
        for one in held:
            self._held.setdefault(one.author.public_key, []).append(one)
        self._signers: dict[bytes, _Signer] = {
            key: _Signer(several[-1].author.name) for key, several in self._held.items()
        }
        self._lists: dict[tuple[bytes, bytes], tuple[bytes, ...]] = {}
        self._trees: dict[int, tuple[Shown, Tree | None]] = {}
        self._sorted = False

    def hear(self, verified: Verified, message: Notarised) -> None:
        """Take in a message that holds."""
        key, statement = verified.author.public_key, verified.statement
        signer = self._signers.setdefault(key, _Signer(verified.author.name))
        leaf = sealed_leaf(message)
        signer.said.setdefault(statement.topic, {})[statement.sequence] = leaf
        sealed = split_delegation(message.sealed)[1]
        if sealed[:1] == bytes([Kind.WINDOWED]):
            tied: Windowed = decode(sealed[1:], Windowed, limit=MAX_SEALED_BYTES)
            payload = parse1(tied.window[1:], limit=MAX_SEALED_BYTES).payload
            window: Window = decode(payload, Window, limit=MAX_SEALED_BYTES)
            signer.windows[window.sequence] = leaf
        if statement.topic == LEAVES_TOPIC:
            self._hear_list(key, message.data)
        self._sorted = False

    def _hear_list(self, key: bytes, data: bytes) -> None:
        try:
            hashes = parse_leaves(data)
        except PeerFault:
            return  # a member may sign what it likes under any topic
        found = root(hashes)
        if any(held.anchor.root == found for held in self._held.get(key, ())):
            self._lists[key, found] = hashes

    def place(self, verified: Verified, message: Notarised) -> Place | None:
        """Return where a message that holds is anchored, None if that can't be shown."""
        key, statement = verified.author.public_key, verified.statement
        self._sort()
        leaf = sealed_leaf(message)
        for held in self._held.get(key, ()):
            if not held.anchor.covers(statement.topic, statement.sequence):
                continue
            tree = self._tree(key, held)[1]
            index = tree.index(leaf) if tree else None
            if tree is not None and index is not None:
                return Place(leaf, index, tree.path(index), held)
        return None

    def report(self) -> AnchorReport:
        """Return what the ledger says about all that was heard."""
        self._sort()
        report = AnchorReport()
        for key, signer in sorted(self._signers.items(), key=lambda pair: pair[1].name):
            held = self._held.get(key, [])
            for topic, numbers in signer.order.items():
                if topic != WINDOWS:
                    found = report.topics.setdefault((signer.name, topic), TopicFound())
                    found.recorded = found.open = len(numbers)
            began = next((at for at, one in enumerate(held) if _any(signer, one)), None)
            for at, one in enumerate(held):
                report.anchors.append((one, self._tree(key, one)[0]))
                self._count(report, key, one, at=at, began=began)
        report.anchors.sort(key=lambda pair: pair[0].index)
        return report

    def _count(
        self, report: AnchorReport, key: bytes, held: Held, *, at: int, began: int | None
    ) -> None:
        """Hold one anchor's numbers against the recording. began: its first anchor in there."""
        signer = self._signers[key]
        shown, tree = self._tree(key, held)
        for one in held.anchor.ranges:
            if one.stream == WINDOWS:
                continue
            found = report.topics.setdefault((signer.name, one.stream), TopicFound())
            there = signer.within(one)
            leaves = signer.said.get(one.stream, {})
            proven = sum(
                tree is not None and tree.index(leaves[number]) is not None for number in there
            )
            found.open = max(0, found.open - len(there))
            found.anchored += proven
            if shown is Shown.UNPROVEN:
                found.unproven += len(there)
            else:
                found.contradicted += len(there) - proven
            if proven:
                found.first, found.last = found.first or held, held
            absent = one.count - len(there)
            numbers = signer.order.get(one.stream, [])
            highest = numbers[-1] if numbers else 0
            if began is None:
                earlier = 0 if 0 < highest < one.first else absent
            elif at == began:
                earlier = there[0] - one.first if there else absent
            else:
                earlier = absent if at < began else 0
            end = min(max(0, one.end - 1 - highest), one.count, absent - earlier)
            found.earlier += earlier
            found.end += end
            found.middle += absent - earlier - end

    def _sort(self) -> None:
        if not self._sorted:
            for signer in self._signers.values():
                signer.sort()
            self._trees, self._sorted = {}, True

    def _tree(self, key: bytes, held: Held) -> tuple[Shown, Tree | None]:
        """Return an anchor's tree, as far as the recording shows it."""
        if held.index not in self._trees:
            self._trees[held.index] = self._show(key, held)
        return self._trees[held.index]

    def _show(self, key: bytes, held: Held) -> tuple[Shown, Tree | None]:
        anchor, signer = held.anchor, self._signers[key]
        leaves = sorted(signer.leaves(anchor.ranges))
        if len(leaves) == anchor.size:
            tree = Tree(leaf.hash for leaf in leaves)
            if tree.root == anchor.root:
                return Shown.WHOLE, tree
        listed = self._lists.get((key, anchor.root))
        if listed is not None and len(listed) == anchor.size:
            return Shown.LISTED, Tree(listed)
        if all(len(signer.within(one)) == one.count for one in anchor.ranges):
            return Shown.OTHER, None
        return Shown.UNPROVEN, None


def _any(signer: _Signer, held: Held) -> bool:
    """Whether anything of an anchor is in the recording."""
    return any(signer.within(one) for one in held.anchor.ranges)
