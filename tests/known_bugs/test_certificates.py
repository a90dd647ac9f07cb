# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Counting messages instead of equal statements, and signatures that served twice."""

from __future__ import annotations

import pytest

from swarm_ledger.consensus.messages import (
    Batch,
    Checkpoint,
    Commit,
    Committed,
    Fetch,
    Message,
    NewView,
    Prepare,
    PrePrepare,
    Status,
    ViewChange,
    Want,
)
from swarm_ledger.encoding import digest, encode
from swarm_ledger.envelope import Kind, Opener, seal
from swarm_ledger.errors import PeerFault
from swarm_ledger.runtime.doorman import Doorman, log_checkpoint
from swarm_ledger.runtime.identity import take_up
from tests.crew import T0_MS, T0_S, Crew
from tests.unit.consensus_desk import ROOT, Desk, batch
from tests.unit.consensus_mint import checkpoint

X, Y = batch(1, b"x"), batch(1, b"y")
OTHER_ROOT = digest(b"another root")


def test_commits_of_two_views_never_add_up() -> None:
    """A known bug of others: commits were counted by a counter that survived into the next view,
    so that votes of two views made one decision."""
    desk = Desk(1)
    desk.submit(b"x")
    desk.hear(0, PrePrepare(0, X))
    desk.hear(2, Prepare(0, 1, X.digest()))
    desk.hear(2, Commit(0, 1, X.digest()))  # with our own: one is missing
    desk.hear(3, desk.new_view(3, {0: desk.view_change(3, desk.prepared(0, X))}))
    desk.hear(3, PrePrepare(3, X))
    desk.hear(0, Prepare(3, 1, X.digest()))
    assert desk.last(Commit) == Commit(3, 1, X.digest())
    desk.hear(0, Commit(3, 1, X.digest()))
    assert not desk.blocks
    desk.hear(3, Commit(3, 1, X.digest()))
    assert len(desk.blocks) == 1


def test_a_certificate_counts_members_of_its_epoch_only() -> None:
    """A known bug of others: certificates were counted without looking whether each signer is a
    member, of this epoch. Drone 9 was one, or will be."""
    desk = Desk(1)
    commit = Commit(0, 1, X.digest())
    commits = tuple(desk.mint.seal(sender, commit) for sender in (0, 2, 9))
    assert desk.refuses(2, Committed(1, X.time_ms, (b"x",), commits)) == "bad_certificate"
    with_9 = desk.prepared(0, X, by=(2, 9))
    assert desk.refuses(2, desk.view_change(3, with_9)) == "bad_certificate"
    proof = tuple(desk.mint.seal(sender, checkpoint(4, ROOT)) for sender in (0, 2, 9))
    desk.wait(desk.settings.resend_ms)  # of a flood, not all would be looked into
    assert desk.refuses(2, ViewChange(3, 4, proof, ())) == "bad_certificate"
    assert not desk.blocks


def test_bft_smart_62_answers_count_only_if_they_say_the_same() -> None:
    """BFT-SMaRt #62: during a state transfer a replica took the leader and the regency of the
    *last* answer once enough answers had come, whatever the others said: messages were counted,
    not equal values.

    Ours believes no status at all: views begin by a new view, and roots by equal cosignatures.
    """
    desk = Desk(1, 7)
    for sender in (0, 2, 3, 4, 5):
        desk.hear(sender, Status(3, 0, 0))
    desk.hear(6, Status(6, 0, 0))
    assert (desk.replica.view, desk.replica.leader) == (0, 0)
    desk.submit(b"x")
    desk.commit(0, X)
    for sender, root in ((0, ROOT), (2, ROOT), (3, ROOT), (4, ROOT), (5, OTHER_ROOT)):
        desk.hear(sender, checkpoint(1, root))
    assert desk.replica.stable_seq == 0
    desk.hear(6, Checkpoint(1, 2, ROOT, bytes(72)))  # of another size
    assert desk.replica.stable_seq == 0
    desk.replica.checkpoint(checkpoint(1, ROOT))
    desk.pump()
    assert desk.replica.stable_seq == 1


def test_bft_smart_62_nor_do_prepares_commits_and_view_changes() -> None:
    """BFT-SMaRt #62, elsewhere: a quorum of messages, no quorum of any one statement."""
    desk = Desk(1, 7)
    desk.submit(b"x")
    desk.hear(0, PrePrepare(0, X))
    for sender, what in ((2, X), (3, X), (4, Y), (5, Y)):
        desk.hear(sender, Prepare(0, 1, what.digest()))
    assert not desk.all(Commit)
    desk.hear(6, Prepare(0, 1, X.digest()))
    assert desk.all(Commit) == [Commit(0, 1, X.digest())]
    for sender, what in ((0, X), (2, X), (3, X), (4, Y), (5, Y)):
        desk.hear(sender, Commit(0, 1, what.digest()))
    assert not desk.blocks
    other = Desk(1, 7)
    for sender, view in ((0, 1), (2, 1), (3, 15), (4, 22)):
        other.hear(sender, other.view_change(view))
    assert other.replica.view == 1  # led by us; five have left view 0, three of them for view 1
    assert not other.all(NewView)
    for sender in (5, 6):
        other.hear(sender, other.view_change(1))
    assert len(other.all(NewView)) == 1


CREW = Crew()
SAID: dict[str, Message] = {
    "pre-prepare": PrePrepare(0, Batch(1, T0_MS, (bytes(32),))),
    "prepare": Prepare(0, 1, bytes(32)),
    "commit": Commit(0, 1, bytes(32)),
    "checkpoint": Checkpoint(
        1, 5, ROOT, CREW.identity("drone_1").cosign(log_checkpoint(CREW.roster, 5, ROOT), T0_S)
    ),
    "view change": ViewChange(1, 0, (), ()),
    "new view": NewView(1, (bytes(32),)),
    "status": Status(0, 0, 0),
    "fetch": Fetch(1),
    "want": Want((bytes(32),)),
    "committed": Committed(1, T0_MS, (b"x",), (b"y",)),
}


def doorman(crew: Crew) -> Doorman:
    """A doorman who knows drone_1 by the session key that it has in CREW, too."""
    there = take_up(
        crew.roster,
        crew.root("drone_1"),
        CREW.session("drone_1"),
        not_before=T0_S,
        expires=T0_S + 100,
    )
    made = Doorman(Opener(crew.roster))
    made.ledger.add_session(there.delegation)
    return made


@pytest.mark.parametrize("what", SAID)
def test_concord_1868_every_message_is_bound_to_its_epoch_swarm_and_kind(what: str) -> None:
    """concord-bft #1868: the epoch number of VIEW-CHANGE messages was never set, so that one of
    an old epoch passed for one of the new. In general: a signed message is replayed in another
    epoch, another swarm, or as another kind of message, for want of domain separation.

    Ours: swarm, roster version and kind are signed with every message. The member keeps its key
    here, so that nothing but the domain tells the two apart.
    """
    payload, key = encode(SAID[what]), CREW.session("drone_1")
    here = doorman(CREW)
    assert here.open_consensus(seal(Kind.CONSENSUS, payload, key, CREW.roster)).sender == 0
    as_vote = seal(Kind.VOTE, payload, key, CREW.roster)
    replayed = (
        seal(Kind.CONSENSUS, payload, key, Crew(version=2).roster),
        seal(Kind.CONSENSUS, payload, key, Crew(swarm="other").roster),
        bytes([Kind.CONSENSUS]) + as_vote[1:],
    )
    for raw in replayed:
        with pytest.raises(PeerFault) as caught:
            here.open_consensus(raw)
        assert caught.value.reason == "bad_signature"
    for crew in (Crew(version=2), Crew(swarm="other")):
        at_home = seal(Kind.CONSENSUS, encode(SAID["commit"]), key, crew.roster)
        assert doorman(crew).open_consensus(at_home).sender == 0
