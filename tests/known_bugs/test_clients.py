# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What readers and voters get: nothing before it is committed, and nothing at a leader's whim."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from swarm_ledger.consensus.messages import Commit, Fetch, Prepare, PrePrepare
from swarm_ledger.consensus.ready import Ready
from swarm_ledger.errors import Misuse, NotVerified, PeerFault
from swarm_ledger.light_client import verify_proof
from swarm_ledger.light_client.policies import check_policy_file, policy_file
from swarm_ledger.runtime.export import find_decision, prove, sessions_in
from swarm_ledger.sim.pbft.liars import Liar, Own
from tests.known_bugs.swarm import Swarm
from tests.lab import Lab
from tests.unit.consensus_desk import Desk, batch

ALL = {0, 1, 2, 3}
X = batch(1, b"x")


def test_reads_of_uncommitted_state_there_is_nothing_to_read() -> None:
    """A known bug of others: reads are answered from state that is prepared, or executed
    tentatively, and the view change takes it back. (Zyzzyva's speculation is the same by design.)

    Ours hands nothing to the ledger, and nothing to a peer, before a quorum has committed.
    """
    desk = Desk(1)
    desk.submit(b"x")
    steps = (
        (0, PrePrepare(0, X)),
        (2, Prepare(0, 1, X.digest())),
        (3, Prepare(0, 1, X.digest())),
        (2, Commit(0, 1, X.digest())),
    )
    for sender, message in steps:
        desk.hear(sender, message)
        desk.hear(3, Fetch(1))
        desk.wait(100)
        assert (desk.blocks, desk.served, desk.replica.applied_seq) == ([], [], 0)
    desk.hear(3, Commit(0, 1, X.digest()))
    desk.hear(3, Fetch(1))
    assert len(desk.blocks) == 1
    assert desk.served == [(3, 1)]


def test_read_only_optimisation_one_drone_is_enough_to_read_from(lab: Callable[..., Lab]) -> None:
    """The read-only optimisation of PBFT (arXiv 2107.11144): a client waits for 2f + 1 equal
    answers. A leader that lets f honest replicas lag, with a silent liar among the rest,
    blocks it for ever, and then ordered requests as well.

    Ours has no such path: what a drone has under a certificate it proves alone. Here drone_4 lags
    and drone_3 is gone; each of the other two convinces a stranger, and drone_4 claims nothing.
    """
    swarm = lab()
    for member in (0, 1, 2):
        swarm.start(member)
    swarm.until_decided()
    swarm.kill(2)
    for member in (0, 1):
        store = swarm.drones[member].keeper.store
        policy = check_policy_file(
            policy_file(sessions_in(store, swarm.crew.trust)), swarm.crew.trust
        )
        index, settled = find_decision(store, 1)
        assert settled.answer == "cup"
        verified = verify_proof(policy, prove(store, index))
        assert verified.entry == store.entry(index)
        assert len(verified.signers) >= 3
    swarm.start(3)
    late = swarm.drones[3].keeper.store
    with pytest.raises((Misuse, NotVerified)):
        find_decision(late, 1)
    swarm.until_decided()
    assert find_decision(late, 1)[1].answer == "cup"


@pytest.mark.parametrize("only", sorted(ALL))
def test_aardvark_a_voter_that_convinces_one_drone_only_costs_no_view(only: int) -> None:
    """Aardvark (Clement et al. 2009, 3): a client sends an authenticator that is valid for some
    replicas only. They suspect a leader that cannot order what it cannot check, and views change.

    Ours: requests are signed, so that one who can check it can pass it on. A vote that reaches
    one drone only is ordered in the first view, with nobody suspected.
    """
    swarm = Swarm()
    vote = swarm.vote(3, to=[only])
    swarm.until_held(vote, ALL, 2)
    assert not swarm.watch.views


class Delaying(Liar):
    """A leader that holds back what it proposes, for a share of the time-out that it may vary."""

    share = 0.8

    def send(self, version: int, ready: Ready, own: Own) -> None:
        prompt: Own = []
        for to, signed in own:
            if isinstance(signed.message, PrePrepare):
                late = self.share * self.replica.settings.request_timeout_ms
                self.world.at(int(late), "post", self.me, signed.raw)
            else:
                prompt.append((to, signed))
        resend = [again for again in ready.resend if not self._proposal(again.raw)]
        super().send(version, Ready(resend=resend), prompt)

    def _proposal(self, raw: bytes) -> bool:
        try:
            return isinstance(self.world.mint.open(raw).signed.message, PrePrepare)
        except PeerFault:
            return False  # a request


class Moderate(Delaying):
    share = 0.3


@pytest.mark.parametrize("n", [4, 7])
@pytest.mark.parametrize(
    "leader",
    [Moderate, Delaying],
)
def test_aardvark_a_leader_that_stays_under_the_time_out_is_replaced(
    n: int, leader: type[Delaying]
) -> None:
    """Aardvark, 3: a leader that delays each request to just before the time-out keeps its place,
    and the service runs at a fraction of its speed for as long as the leader likes.

    Ours measures what leaders take against what agreement takes, and leaves them: then no vote
    waits for a large part of the time-out any more.
    """
    swarm = Swarm(n, liars={0: leader}, request_timeout_ms=2_000)
    for _ in range(50):
        body = swarm.vote(1)
        swarm.until_held(body, set(range(1, n)))
    assert all(node.replica.view > 0 for node in swarm.honest)
    for author in range(1, n):
        swarm.until_held(swarm.vote(author), set(range(1, n)), 0.2)
