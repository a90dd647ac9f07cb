# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Bugs that lose agreement: in quorums, certificates, proposals, and what a view carries over."""

from __future__ import annotations

from swarm_ledger.consensus import (
    certificates,
    checkpoints,
    evidence,
    new_view,
    normal,
    recovery,
    view_change,
)
from swarm_ledger.consensus.replica import Replica
from swarm_ledger.consensus.settings import Settings
from swarm_ledger.consensus.state import Slot, State
from swarm_ledger.sim.pbft.node import Node
from swarm_ledger.sim.pbft.requests import Office
from tests.mutants.mutation import mutant

COUNTING = (
    mutant(
        "quorum one too small",
        Settings.quorum,
        "quorum(self.n)",
        "quorum(self.n) - 1",
    ),
    mutant(
        "quorum is 2f + 1 where n is not 3f + 1",
        Settings.quorum,
        "quorum(self.n)",
        "2 * faulty(self.n) + 1",
    ),
    mutant(
        "certificates do not check that signers differ",
        certificates.distinct,
        "len(set(listed)) != len(listed)",
        "False",
    ),
    mutant(
        "certificates do not check that signers are members",
        certificates.distinct,
        "not set(listed) <= set(settings.members)",
        "False",
    ),
    mutant(
        "certificates do not check that there is a quorum",
        certificates.distinct,
        "len(listed) < settings.quorum",
        "False",
    ),
    mutant(
        "commit certificates are not checked",
        certificates.check_commits,
        "    opened = ",
        "    return tuple(commits)\n    opened = ",
    ),
    mutant(
        "a commit certificate may be for another batch",
        certificates.check_commits,
        "(signed.message.seq, signed.message.digest) != (seq, batch_digest)",
        "False",
    ),
    mutant(
        "a commit certificate may be of several views",
        certificates.check_commits,
        "> 1",
        "> 9",
    ),
    mutant(
        "a prepared certificate's prepares may be for another batch",
        certificates.check_prepared,
        "(prepare.view, prepare.seq, prepare.digest) != (view, batch.seq, digest)",
        "False",
    ),
    mutant(
        "a prepared certificate may rest on anybody's pre-prepare",
        certificates.check_prepared,
        "pre_prepare.sender != leader",
        "False",
    ),
    mutant(
        "a view change's stable checkpoint is not checked",
        certificates.check_stable,
        "if seq == settings.base:",
        "return votes\n    if seq == settings.base:",
    ),
    mutant(
        "checkpoint votes over different roots count together",
        checkpoints._claim,
        "return signed.message.size, signed.message.root",
        "return 0, b''",
    ),
    mutant(
        "prepares for different batches count together",
        normal.advance,
        "if p.message.digest == slot.digest",
        "",
    ),
    mutant(
        "commits for different batches count together",
        normal.advance,
        "if c.message.digest == slot.digest",
        "",
    ),
    mutant(
        "a batch is decided when it is prepared",
        normal.advance,
        "len(commits) >= state.settings.quorum",
        "slot.commit_sent",
    ),
)

PROPOSALS = (
    mutant(
        "anybody may propose",
        normal.on_pre_prepare,
        "signed.sender != state.settings.leader(view)",
        "False",
    ),
    mutant(
        "any proposal is vouched for",
        normal._check_proposal,
        "    batch = ",
        "    return True\n    batch = ",
    ),
    mutant(
        "a new view may begin with anything",
        normal._check_proposal,
        "batch != expected",
        "False",
    ),
    mutant(
        "another batch is vouched for where one was decided",
        normal._check_proposal,
        "batch != slot.decided.batch()",
        "False",
    ),
    mutant(
        "another batch is vouched for where one was applied",
        normal._check_proposal,
        "batch.seq <= state.applied",
        "False",
    ),
    mutant(
        "a second proposal replaces the first",
        normal.on_pre_prepare,
        "slot.pre_prepare is not None",
        "False",
    ),
    mutant(
        "a leader may order a request twice",
        normal._check_fresh,
        "any(state.in_flight.get(key, batch.seq) != batch.seq for key in batch.requests)",
        "False",
    ),
    mutant(
        "a batch may name a request twice",
        normal._check_fresh,
        "len(set(batch.requests)) != len(batch.requests)",
        "False",
    ),
    mutant(
        "a leader may order again what was applied",
        normal._check_fresh,
        "any(state.pool.was_applied(key) for key in batch.requests)",
        "False",
    ),
    mutant(
        "a leader's clock may be far ahead",
        normal._check_fresh,
        "<= state.settings.max_ahead_ms",
        "< 1 << 53",
    ),
    mutant(
        "a replica prepares before it has the bodies",
        normal.advance,
        "or missing_bodies(state, seq)",
        "",
    ),
    mutant(
        "blocks are handed out with gaps",
        normal.hand_out,
        "            return\n",
        "            later = [s for s in sorted(state.slots) if state.slots[s].decided]\n"
        "            later = [s for s in later if s > state.handed]\n"
        "            if not later:\n"
        "                return\n"
        "            state.handed, decided = later[0] - 1, state.slots[later[0]].decided\n",
    ),
    mutant(
        "the high watermark is ignored",
        State.in_window,
        "self.stable < seq <= self.stable + self.settings.window",
        "self.stable < seq",
    ),
)

VIEWS = (
    mutant(
        "a new view ignores prepared certificates",
        certificates.carried_over,
        "for certificate in change.prepared:",
        "for certificate in ():",
    ),
    mutant(
        "a new view takes the lowest view's batch instead of the highest's",
        certificates.carried_over,
        "certificate.view > best[seq].view",
        "certificate.view < best[seq].view",
    ),
    mutant(
        "a view change leaves out what was prepared",
        view_change.start,
        "slot.prepared is not None and",
        "slot.prepared is not None and not slot.decided and",
    ),
    mutant(
        "prepares are kept across views",
        Slot.new_view,
        "self.prepares, self.commits = {}, {}",
        "self.commits = {}",
    ),
    mutant(
        "commits are kept across views",
        Slot.new_view,
        "self.prepares, self.commits = {}, {}",
        "self.prepares = {}",
    ),
    mutant(
        "certificates do not outlive their view",
        Slot.new_view,
        "self.pre_prepare, self.digest = None, b''".replace("''", '""'),
        'self.pre_prepare, self.digest, self.prepared = None, b"", None',
    ),
    mutant(
        "messages of another view are counted",
        normal.on_commit,
        "message.view != state.view or ",
        "",
    ),
    mutant(
        "a new view may rest on view changes for another view",
        new_view.check_new_view,
        "change.signed.message.view != signed.message.view",
        "False",
    ),
    mutant(
        "anybody may open a view",
        new_view.on_new_view,
        "signed.sender != state.settings.leader(view)",
        "False",
    ),
    mutant(
        "a second new view replaces the first",
        new_view.on_new_view,
        "(view == state.view and state.active)",
        "(view == state.view and state.active and signed == state.new_view)",
    ),
    mutant(
        "a view that was left is entered again",
        view_change.start,
        "forget_new_views(state, view)",
        "pass",
    ),
    mutant(
        "who changes views goes on in the old one",
        view_change.start,
        "state.view, state.active, state.give_up_ms = view, False, None",
        "state.active, state.give_up_ms = False, None",
    ),
    mutant(
        "one liar can have all leave their view",
        view_change._join,
        "len(ahead) > state.settings.f",
        "ahead",
    ),
    mutant(
        "who joins others goes to the furthest view",
        view_change._join,
        "ahead[0]",
        "ahead[-1]",
    ),
)

JOURNAL = (
    mutant(
        "sent before it is journaled",
        Node.effects,
        "    self.persist(version, ready, own)\n    self.send(version, ready, own)\n",
        "    self.send(version, ready, own)\n    self.persist(version, ready, own)\n",
    ),
    mutant(
        "persisted but not synced",
        Node.sync,
        "self.disk.sync()",
        "pass",
    ),
    mutant(
        "what a certificate rests on is not journaled",
        normal.advance,
        "state.keep(slot.pre_prepare, *matching)",
        "pass",
    ),
    mutant(
        "a stable checkpoint's votes are not journaled",
        checkpoints.become_stable,
        "state.keep(*votes)",
        "pass",
    ),
    mutant(
        "a stable checkpoint is kept without its votes",
        checkpoints.become_stable,
        "state.stable, state.stable_proof = checkpoint.seq, votes",
        "state.stable = checkpoint.seq",
    ),
    mutant(
        "what a new view rests on is not journaled",
        new_view.enter,
        "state.keep(signed, *(change.signed for change in changes))",
        "state.keep(signed)",
    ),
    mutant(
        "a checkpoint is signed before its block is applied",
        Node.claim,
        "seq = self.replica.applied_seq",
        "seq = self.replica.applied_seq + 1\n    self.ledger.roots.append(bytes(32))",
        Replica.checkpoint,
        "checkpoint.seq != self._state.applied",
        "False",
    ),
    mutant(
        "a restart forgets what it said in its view",
        recovery._slot,
        "if view != state.view or",
        "if True or",
    ),
    mutant(
        "a restart forgets its certificates",
        recovery._restore_certificates,
        "len(prepares) + 1 >= state.settings.quorum",
        "False",
    ),
    mutant(
        "a restart forgets its view",
        recovery._restore_view,
        "for signed in _of(journal, NewView):",
        "return\n    for signed in _of(journal, NewView):",
    ),
    mutant(
        "a restart forgets its view change",
        recovery._restore_view,
        "signed.sender == state.settings.me and",
        "False and",
    ),
    mutant(
        "a restart forgets what its view began with",
        recovery._restore_view,
        "begin_with(state, carried_over(changes)[1])",
        "pass",
    ),
    mutant(
        "a restart forgets which requests were applied",
        recovery.restore,
        "state.pool.applied(recent)",
        "pass",
    ),
)

EVIDENCE = (
    mutant(
        "a replica accuses without a contradiction",
        State.accuse,
        "contradiction(first.message, second.message)",
        "True",
    ),
    mutant(
        "the ledger convicts without a contradiction",
        Office.culprit,
        "not contradiction(first.signed.message, second.signed.message)",
        "False",
    ),
    mutant(
        "statements on two different numbers contradict each other",
        evidence.contradiction,
        "about == same",
        "about.split()[1] == same.split()[1]",
    ),
    mutant(
        "statements of two members contradict each other",
        Office.culprit,
        "not same",
        "False",
    ),
)
