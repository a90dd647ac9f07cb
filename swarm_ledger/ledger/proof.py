# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Proof files: an entry's place in the tree of a cosigned checkpoint (C2SP tlog-proof)."""

from __future__ import annotations

import msgspec

from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.ledger.lexical import (
    MAX_INTEGER,
    from_base64,
    from_decimal,
    from_utf8,
    to_base64,
)
from swarm_ledger.ledger.merkle import HASH_SIZE, MAX_PATH
from swarm_ledger.ledger.note import MAX_NOTE_SIZE

HEADER = "c2sp.org/tlog-proof@v1"
MAX_EXTRA_SIZE = 65_535
MAX_PROOF_SIZE = MAX_NOTE_SIZE + 2 * MAX_EXTRA_SIZE


class LogProof(msgspec.Struct, frozen=True):
    """A proof as its file states it; nothing in it is verified yet.

    extra: our proofs carry the entry's bytes here, b"" for none; index: the entry's, from 0;
    path: 32-byte hashes, leaf to root; note: the checkpoint's signed note, verbatim.
    Raises Misuse for what no proof file can say.
    """

    extra: bytes
    index: int
    path: tuple[bytes, ...]
    note: bytes

    def __post_init__(self) -> None:
        if len(self.extra) > MAX_EXTRA_SIZE:
            raise Misuse(f"A proof carries at most {MAX_EXTRA_SIZE} extra bytes.")
        if not 0 <= self.index <= MAX_INTEGER:
            raise Misuse(f"A proof can't be of entry {self.index}.")
        if len(self.path) > MAX_PATH or any(len(h) != HASH_SIZE for h in self.path):
            raise Misuse(f"A proof has at most {MAX_PATH} hashes, of 32 bytes each.")

    @classmethod
    def parse(cls, data: bytes) -> LogProof:
        """Read a proof file; raises NotVerified for anything that isn't exactly one."""
        text = from_utf8(data, MAX_PROOF_SIZE, "proof file")
        head, blank, note = text.partition("\n\n")
        header, *lines = head.split("\n")
        if header != HEADER or not blank:
            raise NotVerified(f"it isn't '{HEADER}' and a checkpoint", where="proof file")
        extra = b""
        if lines and lines[0].startswith("extra "):
            extra = from_base64(lines.pop(0)[len("extra ") :], "extra line")
            if not extra:
                raise NotVerified("it is empty", where="extra line")
        if not lines or not lines[0].startswith("index "):
            raise NotVerified("it has no index line in its place", where="proof file")
        index = from_decimal(lines.pop(0)[len("index ") :], "index line")
        path = tuple(from_base64(line, "inclusion proof") for line in lines[: MAX_PATH + 1])
        try:
            return cls(extra, index, path, note.encode())
        except Misuse as error:
            raise NotVerified(error.what, where="proof file") from error

    def encode(self) -> bytes:
        """Return the proof file's bytes."""
        lines = [HEADER]
        if self.extra:
            lines.append(f"extra {to_base64(self.extra)}")
        lines.append(f"index {self.index}")
        lines += [to_base64(sibling) for sibling in self.path]
        return "".join(line + "\n" for line in lines).encode() + b"\n" + self.note
