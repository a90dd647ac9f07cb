# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a block looks like among the ledger's entries: genesis, header, requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta

from swarm_ledger.consensus.messages import Batch
from swarm_ledger.encoding import Count, Record, decode, digest, encode
from swarm_ledger.envelope import Kind, kind_of
from swarm_ledger.errors import NotVerified, PeerFault
from swarm_ledger.identity.roster import Roster

_Digest = Annotated[bytes, Meta(min_length=32, max_length=32)]
_HEADER_LIMIT = 256
MAX_CERTIFICATE_BYTES = 1 << 20


class Genesis(Record, frozen=True, tag=1):
    """The first entry: which swarm this is, and the digest of the roster that it trusts."""

    swarm_id: str
    epoch: Count
    roster: _Digest


class BlockHeader(Record, frozen=True, tag=1):
    """The first entry of each block after genesis.

    time_ms: the leader's clock, as ordered; the ledger's time is the highest so far.
    requests: how many entries after this one are ordered requests; the rest are derived.
    state: digest of the state machine after this block.
    """

    height: Count
    time_ms: Count
    requests: Count
    state: _Digest


def genesis_entry(roster: Roster) -> bytes:
    """Return the ledger's first entry."""
    genesis = Genesis(roster.swarm_id, roster.version, digest(roster.raw))
    return bytes([Kind.GENESIS]) + encode(genesis)


def parse_header(entry: bytes) -> BlockHeader:
    """Read a block's first entry; PeerFault if it is none."""
    if kind_of(entry) is not Kind.BLOCK:
        raise PeerFault("malformed", "a block begins with its header.")
    header: BlockHeader = decode(entry[1:], BlockHeader, limit=_HEADER_LIMIT)
    return header


def split_block(entries: Sequence[bytes]) -> tuple[BlockHeader, tuple[bytes, ...]]:
    """Return a stored block's header and its requests; NotVerified if they don't fit."""
    try:
        header = parse_header(entries[0])
    except (PeerFault, IndexError) as error:
        raise NotVerified(f"its header is damaged ({error})") from error
    if header.requests > len(entries) - 1:
        raise NotVerified("its header states more requests than there are")
    return header, tuple(entries[1 : 1 + header.requests])


def batch_of(header: BlockHeader, requests: Sequence[bytes]) -> Batch:
    """Return the batch that consensus ordered for a block."""
    return Batch(header.height, header.time_ms, tuple(digest(body) for body in requests))


def parse_certificate(certificate: bytes) -> tuple[bytes, ...]:
    """Return the sealed commits that a stored block carries; PeerFault if it is damaged."""
    commits: tuple[bytes, ...] = decode(
        certificate, tuple[bytes, ...], limit=MAX_CERTIFICATE_BYTES
    )
    return commits
