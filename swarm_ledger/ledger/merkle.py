# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The Merkle tree of the log (RFC 6962, 2.1; RFC 9162, 2.1), SHA-256.

A *perfect node* (level, index) is the hash of the 2**level leaves from index << level on. Trees,
proofs and the store are all made of perfect nodes; the verifiers below share no code with the
generators above them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

from swarm_ledger.errors import Misuse, NotVerified

HASH_SIZE = 32
EMPTY_ROOT = hashlib.sha256().digest()
MAX_SIZE = 2**63 - 1
MAX_PATH = 64
"""No proof of a tree within MAX_SIZE has more hashes than this."""

NodeReader = Callable[[int, int], bytes]
"""(level, index) -> the hash of that perfect node."""


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of a leaf: H(00 || entry)."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node: H(01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """A growing tree that remembers only its O(log n) perfect peaks, largest first.

    size: leaves so far; peaks: one hash for each bit set in size, from the highest.
    """

    def __init__(self, size: int = 0, peaks: Iterable[bytes] = ()) -> None:
        self.size = size
        self._peaks = list(peaks)
        if size < 0 or len(self._peaks) != size.bit_count():
            raise Misuse(f"A tree of {size} leaves doesn't have {len(self._peaks)} peaks.")

    @classmethod
    def read(cls, size: int, node: NodeReader) -> Frontier:
        """Take up a tree of a given size again from its stored perfect nodes."""
        levels = [level for level in range(size.bit_length()) if size >> level & 1]
        return cls(size, (node(level, (size >> level) - 1) for level in reversed(levels)))

    def append(self, leaf: bytes) -> list[tuple[int, int, bytes]]:
        """Add a leaf's hash; return the perfect nodes it completes, as (level, index, hash)."""
        index, node = self.size, leaf
        completed = [(0, index, node)]
        while index & 1:
            node = node_hash(self._peaks.pop(), node)
            index >>= 1
            completed.append((len(completed), index, node))
        self._peaks.append(node)
        self.size += 1
        return completed

    def root(self) -> bytes:
        """Return the Merkle tree hash of all leaves so far."""
        if not self._peaks:
            return EMPTY_ROOT
        *higher, top = self._peaks
        for peak in reversed(higher):
            top = node_hash(peak, top)
        return top

    def copy(self) -> Frontier:
        """Return an independent copy, to go back to when a transaction fails."""
        return Frontier(self.size, self._peaks)


def root(leaves: Iterable[bytes]) -> bytes:
    """Return the Merkle tree hash of a sequence of leaf hashes."""
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    return frontier.root()


def _split(width: int) -> int:
    """Return the largest power of two smaller than width."""
    return 1 << (width - 1).bit_length() - 1


def _range_hash(start: int, end: int, node: NodeReader) -> bytes:
    """Return the hash of the subtree over leaves start..end-1, where the tree has one."""
    width = end - start
    if width & (width - 1) == 0:
        return node(width.bit_length() - 1, start // width)
    middle = start + _split(width)
    return node_hash(_range_hash(start, middle, node), _range_hash(middle, end, node))


def root_at(size: int, node: NodeReader) -> bytes:
    """Return the Merkle tree hash of the first size leaves, O(log n) reads."""
    if size < 0:
        raise Misuse(f"A tree can't have {size} leaves.")
    return _range_hash(0, size, node) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, node: NodeReader) -> list[bytes]:
    """Return the audit path of a leaf in a tree of a given size, leaf to root.

    RFC 9162, 2.1.3.1. Raises Misuse unless 0 <= index < size.
    """
    if not 0 <= index < size:
        raise Misuse(f"There is no entry {index} in a tree of {size}.")
    start, end, siblings = 0, size, []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            siblings.append((middle, end))
            end = middle
        else:
            siblings.append((start, middle))
            start = middle
    return [_range_hash(*sibling, node) for sibling in reversed(siblings)]


def consistency_proof(first: int, second: int, node: NodeReader) -> list[bytes]:
    """Return the proof that the tree of second leaves extends that of first (RFC 9162, 2.1.4.1).

    Empty when first is 0 or equals second. Raises Misuse unless 0 <= first <= second.
    """
    if not 0 <= first <= second:
        raise Misuse(f"A tree of {second} leaves can't extend one of {first}.")
    if first == 0:
        return []
    start, end, ranges, known = 0, second, [], True
    while first != end:
        middle = start + _split(end - start)
        if first <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start, known = middle, False
    if not known:
        ranges.append((start, end))
    return [_range_hash(*part, node) for part in reversed(ranges)]


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected: bytes
) -> None:
    """Check that a leaf hash stands at index in the tree of size with root expected.

    Raises NotVerified otherwise. RFC 9162, 2.1.3.2.
    """
    if not 0 <= index < size:
        raise NotVerified(f"index {index} is outside a tree of {size}", where="inclusion proof")
    first, last, running, sha256 = index, size - 1, leaf, hashlib.sha256
    for sibling in proof:
        if last == 0:
            raise NotVerified("it has too many hashes", where="inclusion proof")
        if first & 1 or first == last:  # node_hash(), written out: recordings have millions
            running = sha256(b"\x01" + sibling + running).digest()
            while first and not first & 1:
                first, last = first >> 1, last >> 1
        else:
            running = sha256(b"\x01" + running + sibling).digest()
        first, last = first >> 1, last >> 1
    if last:
        raise NotVerified("it has too few hashes", where="inclusion proof")
    if running != expected:
        raise NotVerified("it doesn't lead to the root", where="inclusion proof")


def verify_consistency(
    first: int, second: int, proof: Sequence[bytes], first_root: bytes, second_root: bytes
) -> None:
    """Check that the tree (second, second_root) extends the tree (first, first_root).

    Raises NotVerified otherwise. RFC 9162, 2.1.4.2; an empty first tree needs an empty proof.
    """
    where = "consistency proof"
    if not 0 <= first <= second:
        raise NotVerified(f"a tree of {second} can't extend one of {first}", where=where)
    if first in (0, second):
        if proof:
            raise NotVerified("it has too many hashes", where=where)
        if first_root != (second_root if first == second else EMPTY_ROOT):
            raise NotVerified("the roots differ", where=where)
        return
    path = [first_root, *proof] if first & (first - 1) == 0 else list(proof)
    if not path:
        raise NotVerified("it has too few hashes", where=where)
    if _both_roots(first, second, path) != (first_root, second_root):
        raise NotVerified("it doesn't lead to both roots", where=where)


def _both_roots(first: int, second: int, path: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Return the roots of both trees that a consistency path leads to (RFC 9162, 2.1.4.2)."""
    old, new = first - 1, second - 1
    while old & 1:
        old, new = old >> 1, new >> 1
    old_root = new_root = path[0]
    for sibling in path[1:]:
        if new == 0:
            raise NotVerified("it has too many hashes", where="consistency proof")
        if old & 1 or old == new:
            old_root, new_root = node_hash(sibling, old_root), node_hash(sibling, new_root)
            while old and not old & 1:
                old, new = old >> 1, new >> 1
        else:
            new_root = node_hash(new_root, sibling)
        old, new = old >> 1, new >> 1
    if new:
        raise NotVerified("it has too few hashes", where="consistency proof")
    return old_root, new_root
