# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A log as static tiles, by name (C2SP tlog-tiles): hashes of the tree, and bundles of entries.

A tile holds 256 hashes of one level of the tree, eight levels apart from the next; the last one of
each level is partial. What stands under a name never changes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from swarm_ledger.encoding import MAX_ENTRY_BYTES
from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.ledger.merkle import leaf_hash, root
from swarm_ledger.ledger.store import Store

TILE_WIDTH = 256
TILE_HEIGHT = 8
LENGTH_SIZE = 2
MAX_BUNDLE_SIZE = TILE_WIDTH * (LENGTH_SIZE + MAX_ENTRY_BYTES)
MAX_NAME_SIZE = 64
"""No tile's name has more characters."""

CHECKPOINT = "checkpoint"
ENTRIES = -1
"""The level of entry bundles, which stand beside the hashes of level 0."""

_NAME = re.compile(
    r"tile/(entries|[0-9]|[1-5][0-9]|6[0-3])/((?:x[0-9]{3}/){0,5}[0-9]{3})"
    r"(?:\.p/([1-9][0-9]{0,2}))?",
    re.ASCII,
)


class Tile(msgspec.Struct, frozen=True):
    """One tile. level: from 0, or ENTRIES; width: how many hashes or entries, 1 to 256."""

    level: int
    index: int
    width: int = TILE_WIDTH

    @classmethod
    def parse(cls, name: str) -> Tile:
        """Read a tile's name; raises Misuse for anything that isn't exactly one."""
        found = _NAME.fullmatch(name) if len(name) <= MAX_NAME_SIZE else None
        if found is None:
            raise Misuse(f"{name[:MAX_NAME_SIZE]!r} is not the name of a tile.")
        level, place, width = found.groups()
        tile = cls(
            ENTRIES if level == "entries" else int(level),
            int(place.replace("x", "").replace("/", "")),
            int(width or TILE_WIDTH),
        )
        if tile.name != name:
            raise Misuse(f"{name!r} is not the one name of its tile.")
        return tile

    @property
    def name(self) -> str:
        """Its path under the log's prefix, such as tile/0/x001/234.p/7."""
        digits = f"{self.index:03}"
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        *higher, last = (digits[at : at + 3] for at in range(0, len(digits), 3))
        place = "".join(f"x{part}/" for part in higher) + last
        level = "entries" if self.level == ENTRIES else str(self.level)
        partial = f".p/{self.width}" if self.width < TILE_WIDTH else ""
        return f"tile/{level}/{place}{partial}"

    @property
    def partial(self) -> bool:
        """Whether it is one of those that a growing log replaces."""
        return self.width < TILE_WIDTH

    @property
    def first(self) -> int:
        """The place, within its level, of its first hash or entry."""
        return self.index * TILE_WIDTH

    def within(self, size: int) -> bool:
        """Whether a log of that many entries has all that is in it."""
        return self.first + self.width <= size >> (TILE_HEIGHT * max(self.level, 0))


def tiles_of(size: int, since: int = 0) -> Iterator[Tile]:
    """Yield the tiles of a tree of a size that it didn't have yet at an earlier size.

    Bundles come first, then hashes by level, each by index.
    """
    for level in (ENTRIES, *range(-(-size.bit_length() // TILE_HEIGHT))):
        shift = TILE_HEIGHT * max(level, 0)
        now, before = size >> shift, since >> shift
        for index in range(before // TILE_WIDTH, now // TILE_WIDTH):
            yield Tile(level, index)
        if now % TILE_WIDTH and now != before:
            yield Tile(level, now // TILE_WIDTH, now % TILE_WIDTH)


def tile_bytes(store: Store, tile: Tile) -> bytes:
    """Return what stands in a tile; raises Misuse where the ledger doesn't go that far.

    Raises NotVerified where it is damaged: entries must be those of the tree, and a full tile's
    hashes must lead to the node above them.
    """
    if not tile.within(store.size):
        raise Misuse(f"A ledger of {store.size} entries has no {tile.name}.")
    stop = tile.first + tile.width
    if tile.level == ENTRIES:
        entries = store.entries(tile.first, stop)
        if [leaf_hash(entry) for entry in entries] != store.nodes(0, tile.first, stop):
            raise NotVerified("its entries are not those in the tree", where=tile.name)
        return b"".join(len(entry).to_bytes(LENGTH_SIZE, "big") + entry for entry in entries)
    level = TILE_HEIGHT * tile.level
    hashes = store.nodes(level, tile.first, stop)
    if not tile.partial:
        (above,) = store.nodes(level + TILE_HEIGHT, tile.index, tile.index + 1)
        if root(hashes) != above:
            raise NotVerified("its hashes don't lead to the node above them", where=tile.name)
    return b"".join(hashes)


def split_bundle(data: bytes, tile: Tile) -> list[bytes]:
    """Return the entries in a bundle's bytes; raises NotVerified unless it holds them exactly."""
    entries: list[bytes] = []
    at = 0
    while at < len(data) and len(entries) <= tile.width:
        start = at + LENGTH_SIZE
        at = start + int.from_bytes(data[at:start], "big")
        entries.append(data[start:at])
    if at != len(data) or len(entries) != tile.width:
        raise NotVerified(f"it doesn't hold {tile.width} entries exactly", where=tile.name)
    return entries
