# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.ledger.lexical import from_decimal
from swarm_ledger.ledger.proof import MAX_EXTRA_SIZE, MAX_PROOF_SIZE, LogProof

NOTE = "swarm.example/test\n1\nx\n\n— name c2ln\n".encode()
HASH = base64.b64encode(bytes(range(32))).decode()
PATH = (bytes(range(32)), bytes(32))


def test_the_file_is_written_as_specified() -> None:
    proof = LogProof(b"entry", 7, PATH, NOTE)
    assert proof.encode() == (
        b"c2sp.org/tlog-proof@v1\nextra ZW50cnk=\nindex 7\n"
        + HASH.encode()
        + b"\n"
        + base64.b64encode(bytes(32))
        + b"\n\n"
        + NOTE
    )
    assert LogProof.parse(proof.encode()) == proof


@given(st.binary(max_size=99), st.integers(0, 2**63 - 1), st.integers(0, 64))
def test_round_trip(extra: bytes, index: int, hashes: int) -> None:
    proof = LogProof(extra, index, tuple(bytes([i]) * 32 for i in range(hashes)), NOTE)
    assert LogProof.parse(proof.encode()) == proof


HEAD = "c2sp.org/tlog-proof@v1\n"


@pytest.mark.parametrize(
    "head",
    [
        "",
        "c2sp.org/tlog-proof@v2\nindex 1\n",
        " " + HEAD + "index 1\n",
        HEAD,
        HEAD + "extra AA==\n",
        HEAD + "index 1\nextra AA==\n",
        HEAD + "extra AA==\nextra AA==\nindex 1\n",
        HEAD + "extra \nindex 1\n",
        HEAD + "extra\nindex 1\n",
        HEAD + "extra AB==\nindex 1\n",
        HEAD + "extra AA\nindex 1\n",
        HEAD + "extra  AA==\nindex 1\n",
        HEAD + "extra AA== \nindex 1\n",
        HEAD + "other AA==\nindex 1\n",
        HEAD + "index\n",
        HEAD + "index \n",
        HEAD + "index 01\n",
        HEAD + "index -1\n",
        HEAD + "index  1\n",
        HEAD + "index 1 \n",
        HEAD + "index 1_0\n",
        HEAD + "index ١\n",
        HEAD + f"index {2**63}\n",
        HEAD + "index 1\nindex 1\n",
        HEAD + "index 1\r\n",
        HEAD + f"index 1\n{HASH[:-1]}\n",
        HEAD + f"index 1\n{HASH[:-4]}\n",
        HEAD + f"index 1\n{HASH} \n",
        HEAD + "index 1\n" + f"{HASH}\n" * 65,
        "\n" + HEAD + "index 1\n",
    ],
)
def test_malformed_proofs_are_refused(head: str) -> None:
    with pytest.raises(NotVerified):
        LogProof.parse(head.encode() + b"\n" + NOTE)


def test_cut_oversized_and_undecodable_files_are_refused() -> None:
    whole = LogProof(b"entry", 7, PATH, NOTE).encode()
    for data in (
        whole[: whole.index(b"\n\n")],
        b"\xff" + whole,
        whole + b"x" * MAX_PROOF_SIZE,
        whole.replace(b"index", b"\x00index"),
    ):
        with pytest.raises(NotVerified, match="proof file"):
            LogProof.parse(data)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_proof_or_not_verified(data: bytes) -> None:
    for file in (data, HEAD.encode() + data, HEAD.encode() + b"index 1\n" + data):
        try:
            proof = LogProof.parse(file)
        except NotVerified:
            continue
        assert proof.encode() == file


def test_numbers_end_at_63_bits() -> None:
    assert from_decimal(str(2**63 - 1), "here") == 2**63 - 1
    with pytest.raises(NotVerified, match=r"here: .*2\^63"):
        from_decimal(str(2**63), "here")


def test_impossible_proofs_are_misuse() -> None:
    for extra, index, path in (
        (bytes(MAX_EXTRA_SIZE + 1), 1, ()),
        (b"", -1, ()),
        (b"", 2**63, ()),
        (b"", 1, (bytes(31),)),
        (b"", 1, (bytes(32),) * 65),
    ):
        with pytest.raises(Misuse):
            LogProof(extra, index, path, NOTE)
