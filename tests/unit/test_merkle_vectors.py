# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Trees and proofs as others have them: RFC 6962, Certificate Transparency's own vectors."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm_ledger.ledger import merkle
from swarm_ledger.ledger.merkle import Frontier, leaf_hash, node_hash

# github.com/google/certificate-transparency, the reference implementation's own tests
INPUTS = [
    bytes.fromhex(data)
    for data in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
_96A2 = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
_5F08 = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
_6B47 = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
_BC1A = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
_CA85 = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
_0EBC = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"


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


TREE = Tree([leaf_hash(data) for data in INPUTS])


@pytest.mark.parametrize("size", range(9))
def test_roots(size: int) -> None:
    leaves = [leaf_hash(data) for data in INPUTS[:size]]
    assert merkle.root(leaves).hex() == ROOTS[size]
    assert merkle.root_at(size, TREE).hex() == ROOTS[size]
    assert Tree(leaves).frontier.root().hex() == ROOTS[size]


@pytest.mark.parametrize(
    ("index", "size", "path"),
    [
        (0, 1, []),
        (0, 8, [_96A2, _5F08, _6B47]),
        (5, 8, [_BC1A, _CA85, ROOTS[4]]),
        (2, 3, [ROOTS[2]]),
        (1, 5, [ROOTS[1], _5F08, _BC1A]),
    ],
)
def test_inclusion(index: int, size: int, path: list[str]) -> None:
    proof = merkle.inclusion_proof(index, size, TREE)
    assert [sibling.hex() for sibling in proof] == path
    root = bytes.fromhex(ROOTS[size])
    merkle.verify_inclusion(leaf_hash(INPUTS[index]), index, size, proof, root)


@pytest.mark.parametrize(
    ("first", "second", "path"),
    [
        (1, 1, []),
        (1, 8, [_96A2, _5F08, _6B47]),
        (6, 8, [_0EBC, _CA85, ROOTS[4]]),
        (2, 5, [_5F08, _BC1A]),
    ],
)
def test_consistency(first: int, second: int, path: list[str]) -> None:
    proof = merkle.consistency_proof(first, second, TREE)
    assert [sibling.hex() for sibling in proof] == path
    roots = (bytes.fromhex(ROOTS[size]) for size in (first, second))
    merkle.verify_consistency(first, second, proof, *roots)


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
