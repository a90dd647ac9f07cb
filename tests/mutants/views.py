# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Bugs that lose agreement: in quorums, certificates, proposals, and what a view carries over."""

from __future__ import annotations

from swarm_ledger.consensus import (
    certificates,
    checkpoints,
    new_view,
    normal,
    recovery,
    view_change,
)
from swarm_ledger.consensus.replica import Replica
from swarm_ledger.consensus.state import Slot, State
from swarm_ledger.sim.pbft.node import Node
from tests.known_bugs import test_durability, test_view_change
from tests.mutants.mutation import mutant
from tests.unit import (
    test_consensus_recovery,
    test_consensus_view_change,
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
        scenario=test_view_change.test_zyzzyva_the_older_of_two_certificates_never_replaces_what_a_later_view_decided,
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
        scenario=test_consensus_view_change.test_new_view_on_view_changes_for_another_view_or_of_one_signer_twice,
    ),
    mutant(
        "anybody may open a view",
        new_view.on_new_view,
        "signed.sender != state.settings.leader(view)",
        "False",
        scenario=test_consensus_view_change.test_new_view_needs_a_quorum_of_different_replicas_for_that_view,
    ),
    mutant(
        "a second new view replaces the first",
        new_view.on_new_view,
        "(view == state.view and state.active)",
        "(view == state.view and state.active and signed == state.new_view)",
        scenario=test_consensus_view_change.test_two_new_views_of_one_leader_are_evidence,
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
        "min(ahead.values())",
        "max(ahead.values())",
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
        scenario=test_consensus_recovery.test_a_restart_commits_to_nothing_else_however_many_lie,
    ),
    mutant(
        "a restart vouches for proposals in its view again",
        State.say,
        "message.view <= self.hushed",
        "False",
        scenario=test_durability.test_telcoin_964_what_is_not_written_down_is_not_said_again,
    ),
    mutant(
        "the first proposal that is vouched for is not journaled",
        State.say,
        "kept = message.view > self.vouched",
        "kept = False",
    ),
    mutant(
        "a restart counts only for views that were left",
        recovery.restore,
        "state.view if state.active else state.view - 1",
        "state.view - 1",
    ),
    mutant(
        "a restart goes unnoticed once the journal is empty",
        recovery.restore,
        "if journal or applied > state.settings.base:",
        "if journal:",
        scenario=test_consensus_recovery.test_a_ledger_without_a_journal_tells_that_we_took_part,
    ),
    mutant(
        "what a leader can't propose any more it proposes all the same",
        State.leading,
        " and self.view > self.hushed",
        "",
        scenario=test_consensus_recovery.test_a_leader_restarted_proposes_nothing_and_leaves_its_view,
    ),
    mutant(
        "a leader that can't propose any more keeps its view",
        view_change.tick,
        "resigns = state.leads and not state.leading",
        "resigns = False",
        scenario=test_consensus_recovery.test_a_leader_restarted_proposes_nothing_and_leaves_its_view,
    ),
    mutant(
        "whoever leaves a view alone is followed",
        view_change._join,
        "ahead.get(state.leader) == state.view + 1",
        "ahead",
        scenario=test_consensus_view_change.test_one_liar_alone_moves_nobody_however_often_it_tries,
    ),
    mutant(
        "a leader that leaves its view is waited for",
        view_change._join,
        "ahead.get(state.leader) == state.view + 1",
        "False",
        scenario=test_consensus_view_change.test_a_leader_that_leaves_its_view_is_followed_into_the_next,
    ),
    mutant(
        "bodies are not kept with what was committed to",
        normal.advance,
        "state.ready.bodies.extend(slot.held.values())",
        "pass",
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
        "begin_with(state, start_from(state, changes)[1])",
        "pass",
        scenario=test_consensus_recovery.test_a_restart_remembers_what_its_view_must_begin_with,
    ),
    mutant(
        "a restart forgets which requests were applied",
        recovery.restore,
        "state.pool.applied(recent)",
        "pass",
        scenario=test_consensus_recovery.test_what_was_applied_is_remembered_and_not_taken_again,
    ),
)
