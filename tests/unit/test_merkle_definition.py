# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Trees and proofs by the letter of RFC 6962, and what they cost."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from swarm_ledger.ledger import merkle
from swarm_ledger.ledger.merkle import Frontier, leaf_hash, node_hash


class Tree:
    """Perfect nodes in a dictionary, and how many were read."""

    def __init__(self, leaves: list[bytes]) -> None:
        self.nodes: dict[tuple[int, int], bytes] = {}
        self.frontier, self.reads = Frontier(), 0
        for leaf in leaves:
            for level, index, node in self.frontier.append(leaf):
                self.nodes[level, index] = node

    def __call__(self, level: int, index: int) -> bytes:
        self.reads += 1
        return self.nodes[level, index]


def test_the_examples_of_rfc_6962() -> None:
    """The tree of seven leaves d0 ... d6 (2.1.3), with its nodes' names there."""
    a, b, c, d, e, f, j = (leaf_hash(b"d%d" % n) for n in range(7))
    tree = Tree([a, b, c, d, e, f, j])
    g, h, i = node_hash(a, b), node_hash(c, d), node_hash(e, f)
    k, left = node_hash(i, j), node_hash(g, h)
    assert tree.frontier.root() == node_hash(left, k)
    for index, path in ((0, [b, h, k]), (3, [c, g, k]), (4, [f, j, left]), (6, [i, left])):
        assert merkle.inclusion_proof(index, 7, tree) == path
    for first, path in ((3, [c, d, g, k]), (4, [k]), (6, [i, j, left])):
        assert merkle.consistency_proof(first, 7, tree) == path


# against the RFC's recursive definitions, word for word


def mth(leaves: list[bytes]) -> bytes:
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return hashlib.sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def split(n: int) -> int:
    return 1 << (n - 1).bit_length() - 1


def path_of(m: int, leaves: list[bytes]) -> list[bytes]:
    """PATH(m, D[n]), 2.1.1."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return [*path_of(m, leaves[:k]), mth(leaves[k:])]
    return [*path_of(m - k, leaves[k:]), mth(leaves[:k])]


def subproof(m: int, leaves: list[bytes], whole: bool) -> list[bytes]:
    """SUBPROOF(m, D[n], b), 2.1.2."""
    if m == len(leaves):
        return [] if whole else [mth(leaves)]
    k = split(len(leaves))
    if m <= k:
        return [*subproof(m, leaves[:k], whole), mth(leaves[k:])]
    return [*subproof(m - k, leaves[k:], False), mth(leaves[:k])]


@given(st.integers(1, 200), st.data())
def test_proofs_are_those_of_the_definition(size: int, data: st.DataObject) -> None:
    leaves = [leaf_hash(n.to_bytes(2, "big")) for n in range(size)]
    tree = Tree(leaves)
    index, first = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    assert merkle.inclusion_proof(index, size, tree) == path_of(index, leaves)
    assert merkle.consistency_proof(first, size, tree) == subproof(first, leaves, True)
    assert merkle.root_at(first, tree) == mth(leaves[:first])


# what it costs


@given(st.integers(0, 3_000))
def test_appending_makes_each_perfect_node_once(size: int) -> None:
    made = Tree([bytes(32)] * size)
    assert len(made.nodes) == sum(size >> level for level in range(size.bit_length()))
    assert len(made.frontier._peaks) == size.bit_count()


@given(st.integers(1, 2**40), st.data())
def test_roots_and_proofs_read_a_logarithm_of_the_tree(size: int, data: st.DataObject) -> None:
    """A tree that nobody could hold: only what is read of it is made."""
    reads = 0

    def node(level: int, index: int) -> bytes:
        nonlocal reads
        assert (index + 1) << level <= size
        reads += 1
        return hashlib.sha256(f"{level} {index}".encode()).digest()

    index, first = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    bits = size.bit_length()
    for work in (
        lambda: merkle.root_at(size, node),
        lambda: Frontier.read(size, node),
        lambda: merkle.inclusion_proof(index, size, node),
        lambda: merkle.consistency_proof(first, size, node),
    ):
        reads = 0
        proof = work()
        assert reads <= 2 * bits
        assert not isinstance(proof, list) or len(proof) <= bits + 1
