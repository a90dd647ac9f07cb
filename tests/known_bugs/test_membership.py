# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Membership that changes while votes are under way."""

from __future__ import annotations

from swarm_ledger.consensus.messages import Commit, Committed, PrePrepare
from tests.known_bugs.swarm import Swarm, nothing
from tests.unit.consensus_desk import Desk, batch


def test_old_quorums_are_void_behind_the_block_that_changes_the_roster() -> None:
    """A known bug of others: the old members' quorums still counted after the change had taken
    effect, so that both rosters decided about one height.

    Here batches behind that block are prepared and committed by the old members before it is
    applied anywhere: its commits come last. None of them may be applied as the old ones decided.
    """
    swarm = Swarm(spares=3)

    swarm.lost = lambda _, __, message: isinstance(message, Commit) and message.seq == 1
    changed = swarm.enrol((3, 4, 5, 6))
    swarm.run(60)
    votes = [swarm.vote(author) for author in (0, 1, 2, 3)]
    swarm.run(300)
    decided = [n for n in swarm.nodes[:4] if (s := n.replica._state.slots.get(2)) and s.decided]
    assert decided
    assert not swarm.holders(changed)
    swarm.lost = nothing
    everybody = {3, 4, 5, 6}
    swarm.until_held(changed, everybody)
    swarm.until_held(votes[3], everybody)
    assert swarm.watch.epochs == [(1, 0), (2, 1)]
    swarm.until_held(swarm.vote(5), everybody)
    for me in everybody:
        for block in swarm.nodes[me].disk.content.blocks[1:]:
            opened = [swarm.mint.open(raw) for raw in block.commits]
            assert {sealed.version for sealed in opened} == {2}
            assert {sealed.signed.sender for sealed in opened} <= everybody


def test_an_old_certificate_proves_nothing_in_the_next_epoch_though_its_signers_stay() -> None:
    """The same, where all signers are members in both epochs: only the epoch, signed with each
    commit, tells that they decided about something that never came into being."""
    swarm = Swarm()
    swarm.lost = lambda _, __, message: isinstance(message, Commit) and message.seq == 1
    changed = swarm.enrol((3, 2, 1, 0))
    swarm.run(60)
    vote = swarm.vote(1)
    swarm.run(300)
    void = swarm.nodes[1].replica._state.slots[2].decided
    assert void is not None
    swarm.lost = lambda _, __, message: isinstance(message, PrePrepare)
    swarm.until_held(changed, {0, 1, 2, 3})
    victim, before = swarm.nodes[0], swarm.faults["stale_epoch"]
    served = Committed(2, void.time_ms, void.bodies, void.commits)
    victim.receive(swarm.mint.seal(2, 3, served).raw)
    assert swarm.faults["stale_epoch"] == before + 1
    assert victim.ledger.height == 1
    swarm.lost = nothing
    swarm.until_held(vote, {0, 1, 2, 3})
    swarm.agree()


def test_a_replica_whose_epoch_is_over_takes_no_quorum_for_it_any_more() -> None:
    """The same with one replica: after its last block not even a whole certificate counts."""
    desk = Desk(1)
    desk.submit(b"x", b"y")
    desk.hear(0, PrePrepare(0, batch(2, b"y")))
    desk.commit(0, batch(1, b"x"))
    assert [pending.body for pending in desk.replica.retire()] == [b"y"]
    desk.commit(0, batch(2, b"y"))
    desk.hear(2, desk.committed(0, 2, b"y"), desk.view_change(1), desk.new_view(2))
    desk.wait(10_000)
    assert len(desk.blocks) == 1
    assert (desk.replica.view, desk.replica.pending) == (0, 0)
    assert not any(isinstance(message, Commit) and message.seq == 2 for message in desk.said)


def test_of_two_changes_in_flight_one_comes_behind_the_other_or_not_at_all() -> None:
    """A known bug of others: a second change is proposed before the first is in force, is judged
    by the roster before both, and the swarm splits over who its members are.

    Ours: one roster is in force for each height, whichever arrives first, and versions only rise.
    """
    for first in (2, 3):
        swarm = Swarm(spares=4)
        swarm.air.cut = {(a, 0) for a in range(1, 4)}  # the leader hears nobody for a while
        two = swarm.enrol((0, 1, 2, 4))
        three = swarm.enrol((1, 2, 4, 5))
        for node in swarm.nodes:
            bodies = (two, three) if first == 2 else (three, two)
            for body in bodies:
                swarm.at(1, "raw", node.me, body)
        swarm.run(500)
        swarm.isolate()
        everybody = {1, 2, 4, 5}
        swarm.until(lambda: all(swarm.nodes[me].epoch.version == 3 for me in everybody))  # noqa: B023
        swarm.until_held(swarm.vote(5), everybody)
        versions = [version for version, _ in swarm.watch.epochs]
        assert versions == sorted(set(versions))
        assert versions[-1] == 3
        assert len({tuple(swarm.nodes[me].ledger.epochs) for me in everybody}) == 1
        assert len({tuple(swarm.nodes[me].ledger.roots) for me in everybody}) == 1
