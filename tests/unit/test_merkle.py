# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.ledger import merkle
from swarm_ledger.ledger.merkle import Frontier, leaf_hash


def naive(leaves: list[bytes]) -> bytes:
    """The definition of the tree hash (RFC 6962, 2.1), word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    both = naive(leaves[:split]) + naive(leaves[split:])
    return hashlib.sha256(b"\x01" + both).digest()


def hashes(count: int) -> list[bytes]:
    return [leaf_hash(i.to_bytes(4, "big")) for i in range(count)]


class Tree:
    """Perfect nodes in a dictionary, as a store would keep them."""

    def __init__(self, leaves: list[bytes]) -> None:
        self.nodes: dict[tuple[int, int], bytes] = {}
        self.frontier = Frontier()
        self.reads = 0
        for leaf in leaves:
            for level, index, node in self.frontier.append(leaf):
                assert (level, index) not in self.nodes
                self.nodes[level, index] = node

    def node(self, level: int, index: int) -> bytes:
        self.reads += 1
        return self.nodes[level, index]


@given(st.lists(st.binary(max_size=8), max_size=70))
def test_root_is_the_naive_trees(entries: list[bytes]) -> None:
    leaves = [leaf_hash(entry) for entry in entries]
    tree = Tree(leaves)
    assert tree.frontier.root() == merkle.root(leaves) == naive(leaves)
    for size in range(len(leaves) + 1):
        assert merkle.root_at(size, tree.node) == naive(leaves[:size])
        again = Frontier.read(size, tree.node)
        assert again.root() == naive(leaves[:size])
        assert again.size == size


def test_frontier_keeps_one_hash_per_bit_and_copies_are_independent() -> None:
    frontier = Tree(hashes(1000)).frontier
    assert len(frontier._peaks) == (1000).bit_count()
    copy = frontier.copy()
    frontier.append(leaf_hash(b"more"))
    assert (copy.size, frontier.size) == (1000, 1001)
    assert copy.root() == naive(hashes(1000)) != frontier.root()


@pytest.mark.parametrize(("size", "peaks"), [(-1, 0), (0, 1), (3, 1), (4, 2)])
def test_frontier_refuses_peaks_that_do_not_fit(size: int, peaks: int) -> None:
    with pytest.raises(Misuse):
        Frontier(size, [bytes(32)] * peaks)


@given(st.integers(1, 130), st.data())
def test_inclusion_proofs_verify_and_only_where_they_belong(
    size: int, data: st.DataObject
) -> None:
    leaves = hashes(size)
    tree, expected = Tree(leaves), naive(leaves)
    index = data.draw(st.integers(0, size - 1))
    proof = merkle.inclusion_proof(index, size, tree.node)
    merkle.verify_inclusion(leaves[index], index, size, proof, expected)
    for other in range(size):
        if other != index:
            with pytest.raises(NotVerified):
                merkle.verify_inclusion(leaves[index], other, size, proof, expected)
    for wrong in (proof[:-1], [*proof, bytes(32)], [bytes(32), *proof]):
        if wrong != proof:
            with pytest.raises(NotVerified):
                merkle.verify_inclusion(leaves[index], index, size, wrong, expected)
    for place in range(len(proof)):
        flipped = [*proof[:place], bytes(b ^ 1 for b in proof[place]), *proof[place + 1 :]]
        with pytest.raises(NotVerified, match="root"):
            merkle.verify_inclusion(leaves[index], index, size, flipped, expected)
    with pytest.raises(NotVerified):
        merkle.verify_inclusion(leaf_hash(b"another"), index, size, proof, expected)
    with pytest.raises(NotVerified):
        merkle.verify_inclusion(leaves[index], index, size, proof, bytes(32))


def test_consistency_proofs_of_every_pair_of_sizes() -> None:
    leaves = hashes(40)
    tree = Tree(leaves)
    roots = [naive(leaves[:size]) for size in range(41)]
    for second in range(41):
        for first in range(second + 1):
            proof = merkle.consistency_proof(first, second, tree.node)
            merkle.verify_consistency(first, second, proof, roots[first], roots[second])
            for wrong in (proof[:-1], [*proof, bytes(32)], [bytes(32), *proof]):
                if wrong != proof:
                    with pytest.raises(NotVerified):
                        merkle.verify_consistency(
                            first, second, wrong, roots[first], roots[second]
                        )


@given(st.integers(1, 90), st.integers(0, 60), st.data())
def test_a_fork_has_no_consistency_proof(first: int, more: int, data: st.DataObject) -> None:
    leaves = hashes(first + more)
    forked = list(leaves)
    forked[data.draw(st.integers(0, first - 1))] = leaf_hash(b"forked")
    honest, fork = Tree(leaves), Tree(forked)
    for tree in (honest, fork):
        proof = merkle.consistency_proof(first, first + more, tree.node)
        with pytest.raises(NotVerified):
            merkle.verify_consistency(
                first, first + more, proof, naive(leaves[:first]), naive(forked)
            )


def test_a_proof_must_be_as_long_as_the_stated_sizes_demand() -> None:
    """The hashes of one tree must not pass for a tree of another size with the same root."""
    leaves = hashes(8)
    tree, roots = Tree(leaves), [naive(leaves[:size]) for size in range(9)]
    with pytest.raises(NotVerified, match="too many"):
        merkle.verify_inclusion(leaves[1], 0, 1, [leaves[0]], roots[2])
    with pytest.raises(NotVerified, match="too few"):
        merkle.verify_inclusion(leaves[0], 0, 4, [leaves[1]], roots[2])
    proof = merkle.consistency_proof(3, 4, tree.node)
    with pytest.raises(NotVerified, match="too few"):
        merkle.verify_consistency(3, 8, proof, roots[3], roots[4])
    left = leaf_hash(b"left of both")
    wider = [merkle.node_hash(left, roots[size]) for size in (3, 4)]
    with pytest.raises(NotVerified, match="too many"):
        merkle.verify_consistency(3, 4, [*proof, left], *wider)


def test_consistency_with_the_empty_tree() -> None:
    merkle.verify_consistency(0, 3, [], merkle.EMPTY_ROOT, naive(hashes(3)))
    for proof, old in (([bytes(32)], merkle.EMPTY_ROOT), ([], bytes(32))):
        with pytest.raises(NotVerified):
            merkle.verify_consistency(0, 3, proof, old, naive(hashes(3)))
    with pytest.raises(NotVerified, match="roots differ"):
        merkle.verify_consistency(3, 3, [], naive(hashes(3)), bytes(32))
    with pytest.raises(NotVerified, match="extend"):
        merkle.verify_consistency(4, 3, [], naive(hashes(4)), naive(hashes(3)))


def test_impossible_requests_are_misuse() -> None:
    tree = Tree(hashes(5))
    for index, size in ((-1, 5), (5, 5), (0, 0)):
        with pytest.raises(Misuse):
            merkle.inclusion_proof(index, size, tree.node)
        with pytest.raises(NotVerified, match="outside"):
            merkle.verify_inclusion(bytes(32), index, size, [], bytes(32))
    for first, second in ((-1, 5), (5, 4)):
        with pytest.raises(Misuse):
            merkle.consistency_proof(first, second, tree.node)
    with pytest.raises(Misuse):
        merkle.root_at(-1, tree.node)


def test_proofs_read_a_logarithm_of_the_tree() -> None:
    tree = Tree(hashes(5000))
    for index in (0, 2500, 4999):
        tree.reads = 0
        merkle.inclusion_proof(index, 5000, tree.node)
        assert tree.reads <= 2 * (5000).bit_length()
