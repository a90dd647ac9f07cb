# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""One relayed message, and the way from it to a cosigned checkpoint, as a file.

It holds the message as it was signed, its place in its anchor's tree, and two C2SP tlog-proofs: of
the anchor's entry, and of the header of the block that it is in, which has the time. The roster is
all that is needed besides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from swarm_ledger.audit.anchors import sealed_leaf
from swarm_ledger.encoding import Count, Record, decode
from swarm_ledger.envelope import Kind, Opened, Opener
from swarm_ledger.errors import NotVerified, PeerFault
from swarm_ledger.identity.session import MAX_DELEGATION_BYTES
from swarm_ledger.identity.trust import Trust
from swarm_ledger.ledger.merkle import HASH_SIZE, verify_inclusion
from swarm_ledger.ledger.policy import MAX_POLICY_SIZE, Policy
from swarm_ledger.ledger.proof import MAX_PROOF_SIZE
from swarm_ledger.light_client import VerifiedEntry, verify_proof
from swarm_ledger.light_client.policies import sessions_of_policy
from swarm_ledger.relay.anchor import MAX_LEAVES, Anchor, parse_anchor
from swarm_ledger.relay.statement import MAX_DATA_BYTES, MAX_SEALED_BYTES, Notarised
from swarm_ledger.relay.verifier import Verified, Verifier
from swarm_ledger.runtime.blocks import BlockHeader, parse_header

MAX_PROVENANCE_BYTES = MAX_DATA_BYTES + 2 * MAX_PROOF_SIZE + MAX_POLICY_SIZE + (1 << 14)
_MAX_PATH = 16
_MAX_TEXT = 256

_Text = Annotated[str, Meta(max_length=_MAX_TEXT)]
_Hash = Annotated[bytes, Meta(min_length=HASH_SIZE, max_length=HASH_SIZE)]
_Proof = Annotated[bytes, Meta(max_length=MAX_PROOF_SIZE)]


class Said(Record, frozen=True):
    """A message as it travelled, see Notarised. sealed: with the delegation of its session."""

    topic: _Text
    type_name: _Text
    type_hash: _Text
    sequence: Count
    stamp_us: Count
    data: Annotated[bytes, Meta(max_length=MAX_DATA_BYTES)]
    swarm_id: _Text
    epoch: Count
    sealed: Annotated[bytes, Meta(max_length=MAX_SEALED_BYTES)]


class Provenance(Record, frozen=True, tag="swarm_ledger/v1 provenance"):
    """The file's content; nothing in it is verified yet.

    delegation: sealed, of the session that signed the anchor; index, path: of the message's leaf
    in the anchor's tree; anchor, block: tlog-proofs of the anchor and of its block's header;
    policy: the policy file that the checkpoint in both satisfies.
    """

    message: Said
    delegation: Annotated[bytes, Meta(max_length=MAX_DELEGATION_BYTES + 1)]
    index: Annotated[int, Meta(ge=0, lt=MAX_LEAVES)]
    path: Annotated[tuple[_Hash, ...], Meta(max_length=_MAX_PATH)]
    anchor: _Proof
    block: _Proof
    policy: Annotated[bytes, Meta(max_length=MAX_POLICY_SIZE)]


@dataclass(frozen=True, slots=True)
class Proven:
    """What a file proves: this member said so, and it existed when that block was ordered.

    index: of the anchor among the ledger's entries; height, time_ms: of its block, as its header
    states; size, signers: of the checkpoint over it, and who cosigned that.
    """

    verified: Verified
    anchor: Anchor
    index: int
    height: int
    time_ms: int
    size: int
    signers: tuple[str, ...]


def check_provenance(raw: bytes, trust: Trust) -> Proven:
    """Verify a file by the roster alone; NotVerified with what and where.

    Not told by it: whether the anchor counts for its member's chain, for which one needs the
    ledger before it. A member proves no more by one that doesn't.
    """
    try:
        given: Provenance = decode(raw, Provenance, limit=MAX_PROVENANCE_BYTES)
    except PeerFault as fault:
        raise NotVerified(f"it isn't a provenance ({fault})", where="proof file") from fault
    message = Notarised(*(getattr(given.message, name) for name in Said.__struct_fields__))
    verified = _said(message, trust)
    opener, policy = _policy(given.policy, trust)
    entry, block = _entry(policy, given.anchor, "anchor"), _entry(policy, given.block, "block")
    header = _header(block, entry)
    opened, anchor = _anchored(entry, given.delegation, _openers(opener, trust))
    _check_belongs(verified, opened, anchor, header)
    try:
        leaf = sealed_leaf(message)
        verify_inclusion(leaf, given.index, anchor.size, given.path, anchor.root)
    except NotVerified as error:
        raise NotVerified(f"the message isn't in the anchor ({error})", where="path") from error
    return Proven(
        verified,
        anchor,
        entry.index,
        header.height,
        header.time_ms,
        entry.size,
        entry.signers,
    )


def _said(message: Notarised, trust: Trust) -> Verified:
    """Verify the message itself, in the epoch that it is of."""
    versions = {one.roster.version: one.roster for one in trust.versions}
    try:
        return Verifier(versions.get(message.epoch, trust.newest)).verify(message)
    except PeerFault as fault:
        raise NotVerified(f"{fault.reason}: {fault.what}", where="message") from fault


def _policy(text: bytes, trust: Trust) -> tuple[Opener, Policy]:
    """Return the policy of one epoch, if it follows from the roster."""
    try:
        return sessions_of_policy(text, trust), Policy.parse(text)
    except NotVerified as error:
        raise NotVerified(error.what, where="policy") from error


def _entry(policy: Policy, proof: bytes, where: str) -> VerifiedEntry:
    try:
        return verify_proof(policy, proof)
    except NotVerified as error:
        raise NotVerified(str(error), where=where) from error


def _header(block: VerifiedEntry, entry: VerifiedEntry) -> BlockHeader:
    """Return the header of the block that an entry was requested in."""
    try:
        header = parse_header(block.entry)
    except PeerFault as fault:
        raise NotVerified(f"it is no block's header ({fault})", where="block") from fault
    if block.checkpoint != entry.checkpoint:
        raise NotVerified("it is under another checkpoint than the anchor", where="block")
    if not block.index < entry.index <= block.index + header.requests:
        raise NotVerified("the anchor isn't in this block", where="block")
    return header


def _openers(first: Opener, trust: Trust) -> Iterator[Opener]:
    """Yield one for the checkpoint's roster version, and for those before it, the newest first.

    A ledger that lacks its earlier checkpoints proves old entries by one of a later epoch.
    """
    for version in reversed(trust.versions):
        if version.roster.version <= first.roster.version:
            yield Opener(version.roster)


def _anchored(
    entry: VerifiedEntry, delegation: bytes, openers: Iterator[Opener]
) -> tuple[Opened, Anchor]:
    """Open the anchor by the first roster version under which it holds."""
    if entry.entry[:1] != bytes([Kind.ANCHOR]):
        raise NotVerified("the entry is no anchor", where="anchor")
    first: PeerFault | None = None
    for opener in openers:
        try:
            opener.add_session(delegation)
            opened = opener.open(entry.entry)
            return opened, parse_anchor(opened.payload)
        except PeerFault as fault:
            first = first or fault
    reason = f"{first.reason}: {first.what}" if first else "no roster is of its time"
    raise NotVerified(f"it doesn't hold ({reason})", where="anchor") from first


def _check_belongs(
    verified: Verified, opened: Opened, anchor: Anchor, header: BlockHeader
) -> None:
    """An anchor speaks for its own member only, and for the numbers that it names."""
    if opened.author.public_key != verified.author.public_key:
        who = f"{opened.author.name}, not by {verified.author.name} who signed the message"
        raise NotVerified(f"it was made by {who}", where="anchor")
    try:
        opened.check_fresh(header.time_ms // 1000)
    except PeerFault as fault:
        raise NotVerified(fault.what, where="anchor") from fault
    statement = verified.statement
    if not anchor.covers(statement.topic, statement.sequence):
        raise NotVerified("it doesn't name the message's number", where="anchor")
