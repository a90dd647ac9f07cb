# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Who signed both histories of a fork, and which of them no honest member could have signed.

Two commits for one place in one view contradict each other, and so do two cosigned checkpoints of
trees of which neither extends the other: an honest member has one ledger in an epoch. Commits of
two views don't: what an honest member prepared may be replaced in a view that it was not asked
about. So who only did that is told, and isn't accused. Nobody is for anything of two epochs, as a
member that lost its disk may begin again in the next one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from swarm_ledger.consensus.messages import Commit, parse
from swarm_ledger.envelope import Kind, Opened, Opener, carry, delegation_of
from swarm_ledger.errors import PeerFault
from swarm_ledger.identity.roster import Member, Roster
from swarm_ledger.ledger.certified import StoredCheckpoint
from swarm_ledger.ledger.checkpoint import Checkpoint
from swarm_ledger.ledger.merkle import verify_consistency
from swarm_ledger.ledger.note import Note
from swarm_ledger.ledger.store import Store
from swarm_ledger.light_client.policies import policy_of
from swarm_ledger.runtime.blocks import batch_of, parse_certificate, split_block
from swarm_ledger.runtime.evidence import accusation, examine
from swarm_ledger.runtime.membership import Membership


@dataclass(frozen=True)
class Side:
    """A ledger that holds, on one side of a fork, and who its members are."""

    store: Store
    members: Membership


@dataclass(frozen=True)
class Certificate:
    """A quorum's commits for one batch. commits: sealed, each with its delegation."""

    view: int
    batch: bytes
    signers: tuple[str, ...]
    commits: tuple[bytes, ...]


@dataclass(frozen=True)
class Contradiction:
    """Two cosigned checkpoints of one epoch, of trees of which neither extends the other.

    notes: the smaller tree first. other_root: of the larger tree's first entries, as many as the
    smaller tree has, and not the smaller one's root. proof: that the larger tree extends it (RFC
    9162, 2.1.4), empty for two trees of one size.
    """

    notes: tuple[bytes, bytes]
    sizes: tuple[int, int]
    other_root: bytes
    proof: tuple[bytes, ...]


@dataclass
class Culprit:
    """A member that signed what no honest one signs both of. At least one of both is there.

    evidence: the first two commits as an entry of Kind.EVIDENCE that proves itself, by the roster
    of that version alone. checkpoints: the first two.
    """

    member: Member
    epoch: int
    about: str = ""
    evidence: bytes = b""
    checkpoints: Contradiction | None = None


@dataclass
class Statements:
    """What was signed on both sides of a fork.

    certificates: for the block at its height; None on a side that has only tiles. checkpoints: the
    first two that contradict each other, of one size if there are such. not_accused: members that
    signed both blocks, but in different views.
    """

    certificates: list[Certificate | None] = field(default_factory=list)
    checkpoints: Contradiction | None = None
    culprits: dict[tuple[int, bytes], Culprit] = field(default_factory=dict)
    not_accused: list[Member] = field(default_factory=list)

    def against(self, member: Member, roster: Roster) -> Culprit:
        """Return the record of a culprit, begun if there is none; by root key and epoch."""
        key = roster.version, member.public_key
        return self.culprits.setdefault(key, Culprit(member, roster.version))


@dataclass(frozen=True)
class _Block:
    """One side's certified block. signed: by signer."""

    view: int
    batch: bytes
    signed: dict[Member, Opened]


def confront(sides: tuple[Side, Side], height: int, size: int) -> Statements:
    """Look at all that was signed from the first block that differs on, size entries before it."""
    found = Statements()
    last = min(side.store.height for side in sides)
    for at in range(height, last + 1):
        blocks = [_certified(side, at) for side in sides]
        if at == height:
            found.certificates = [_shown(block) for block in blocks]
        one, other = blocks
        rosters = [side.members.at(at).roster for side in sides]
        if one is None or other is None or one.batch == other.batch or rosters[0] != rosters[1]:
            continue
        for member in one.signed.keys() & other.signed.keys():
            if one.view == other.view:
                _accuse(found, rosters[0], one.signed[member], other.signed[member])
            elif at == height:
                found.not_accused.append(member)
    _compare_checkpoints(found, sides, size)
    proven = {culprit.member for culprit in found.culprits.values()}
    found.not_accused = sorted(set(found.not_accused) - proven, key=lambda one: one.index)
    return found


def _certified(side: Side, height: int) -> _Block | None:
    block = side.store.block(height)
    if not block.certificate:
        return None
    opener = side.members.at(height).opener
    opened = [opener.open(raw) for raw in parse_certificate(block.certificate)]
    commit = parse(opened[0].payload)
    if not isinstance(commit, Commit):
        raise PeerFault("bad_certificate", "something else among the commits.")
    batch = batch_of(*split_block(block.entries)).digest()
    return _Block(commit.view, batch, {each.author: each for each in opened})


def _shown(block: _Block | None) -> Certificate | None:
    if block is None:
        return None
    names = tuple(member.name for member in block.signed)
    commits = tuple(_carried(opened) for opened in block.signed.values())
    return Certificate(block.view, block.batch, names, commits)


def _carried(opened: Opened) -> bytes:
    """Return a sealed message with its delegation, so that the roster is enough to check it."""
    if opened.session is None or opened.raw[:1] == bytes([Kind.CARRIED]):
        return opened.raw
    return carry(delegation_of(opened.session), opened.raw)


def _accuse(found: Statements, roster: Roster, first: Opened, second: Opened) -> None:
    """Hold two commits against their signer, once they have proven it to one who knows nothing."""
    evidence = accusation(_carried(first), _carried(second))
    charge = examine(evidence, Opener(roster))
    culprit = found.against(charge.culprit, roster)
    if not culprit.evidence:
        culprit.about, culprit.evidence = charge.about, evidence


def _compare_checkpoints(found: Statements, sides: tuple[Side, Side], size: int) -> None:
    """Look for members that cosigned trees of both sides, each larger than what is common."""
    first: dict[tuple[int, bytes, bytes], StoredCheckpoint] = {}
    for kept, roster in _checkpoints(sides[0], size):
        for member in _cosigners(kept, roster):
            first.setdefault((roster.version, roster.raw, member.public_key), kept)
    for kept, roster in _checkpoints(sides[1], size):
        same = sides[0].store.checkpoint(kept.size)
        settled = found.checkpoints is not None and not found.checkpoints.proof
        if same is not None and same.size == kept.size and not settled:
            found.checkpoints = _contradiction(sides, same, kept)
        for member in _cosigners(kept, roster):
            before = first.get((roster.version, roster.raw, member.public_key))
            if before is None:
                continue
            culprit = found.against(member, roster)
            if culprit.checkpoints is None:
                culprit.checkpoints = _contradiction(sides, before, kept)
            found.checkpoints = found.checkpoints or culprit.checkpoints


def _checkpoints(side: Side, size: int) -> Iterator[tuple[StoredCheckpoint, Roster]]:
    """Yield a side's checkpoints of more than that many entries, each with its roster."""
    kept = side.store.checkpoint(size + 1)
    while kept is not None:
        opener = side.members.at(kept.height).opener
        policy_of(opener).examine(kept.note, exact=True)
        yield kept, opener.roster
        kept = side.store.checkpoint(kept.size + 1)


def _cosigners(kept: StoredCheckpoint, roster: Roster) -> list[Member]:
    """Return who cosigned a note that was examined: by its lines, <origin>/<member>."""
    names = {
        line.name.removeprefix(f"{roster.origin}/")
        for line in Note.parse(kept.note).signatures
        if line.name != roster.origin
    }
    members = (roster.members[index] for index in roster.validators)
    return [member for member in members if member.name in names]


def _contradiction(
    sides: tuple[Side, Side], one: StoredCheckpoint, other: StoredCheckpoint
) -> Contradiction:
    """Show that two sides' checkpoints are of trees of which neither extends the other."""
    pairs = sorted(((one, sides[0]), (other, sides[1])), key=lambda pair: pair[0].size)
    (small, _), (large, side) = pairs
    told = [Checkpoint.parse(Note.parse(kept.note).text) for kept, _ in pairs]
    other_root = side.store.root(small.size)
    proof = tuple(side.store.consistency(small.size, large.size))
    verify_consistency(small.size, large.size, proof, other_root, told[1].root)
    if other_root == told[0].root:
        raise AssertionError("two sides of a fork can't have one root")
    return Contradiction((small.note, large.note), (small.size, large.size), other_root, proof)
