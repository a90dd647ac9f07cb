# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Bugs that lose agreement: in quorums, certificates, proposals, and what a view carries over."""

from __future__ import annotations

from swarm_ledger.consensus import (
    certificates,
    checkpoints,
    evidence,
    normal,
)
from swarm_ledger.consensus.settings import Settings
from swarm_ledger.consensus.state import State
from swarm_ledger.sim.pbft.requests import Office
from tests.known_bugs import test_certificates
from tests.mutants import scenarios
from tests.mutants.mutation import case, mutant
from tests.unit import (
    test_consensus_normal,
    test_consensus_recovery,
    test_consensus_view_change,
)

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
        scenario=test_certificates.test_a_certificate_counts_members_of_its_epoch_only,
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
        scenario=case(
            test_consensus_recovery.test_blocks_handed_over_with_a_certificate, "another body"
        ),
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
        scenario=case(
            test_consensus_view_change.test_view_change_with, "prepares of another batch"
        ),
    ),
    mutant(
        "a prepared certificate may rest on anybody's pre-prepare",
        certificates.check_prepared,
        "pre_prepare.sender != leader",
        "False",
        scenario=case(
            test_consensus_view_change.test_view_change_with, "not its leader's pre-prepare"
        ),
    ),
    mutant(
        "a view change's stable checkpoint is not checked",
        certificates.check_stable,
        "if seq == settings.base:",
        "return votes\n    if seq == settings.base:",
        scenario=case(
            test_consensus_view_change.test_view_change_with, "no proof for its checkpoint"
        ),
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
        scenario=scenarios.only_the_leader_proposes,
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
        scenario=test_consensus_view_change.test_a_block_that_was_fetched_binds_as_one_that_was_voted_for,
    ),
    mutant(
        "another batch is vouched for where one was applied",
        normal._check_proposal,
        "batch.seq <= state.applied",
        "False",
        scenario=test_consensus_view_change.test_a_block_that_only_the_ledger_knows_binds_in_later_views_too,
    ),
    mutant(
        "a second proposal replaces the first",
        normal.on_pre_prepare,
        "slot.pre_prepare is not None",
        "False",
        scenario=test_consensus_normal.test_equivocation_becomes_evidence_once_a_view,
    ),
    mutant(
        "a leader may order a request twice",
        normal._check_fresh,
        "any(state.in_flight.get(key, batch.seq) != batch.seq for key in batch.requests)",
        "False",
        scenario=scenarios.a_leader_orders_no_request_twice,
    ),
    mutant(
        "a batch may name a request twice",
        normal._check_fresh,
        "len(set(batch.requests)) != len(batch.requests)",
        "False",
        scenario=scenarios.no_batch_names_a_request_twice,
    ),
    mutant(
        "a leader may order again what was applied",
        normal._check_fresh,
        "any(state.pool.was_applied(key) for key in batch.requests)",
        "False",
        scenario=scenarios.a_leader_orders_nothing_again_that_was_applied,
    ),
    mutant(
        "a leader's clock may be far ahead",
        normal._check_fresh,
        "<= state.settings.max_ahead_ms",
        "< 1 << 53",
        scenario=test_consensus_normal.test_the_ledgers_own_time_is_never_too_far_ahead,
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
        scenario=scenarios.two_statements_of_two_members_convict_nobody,
    ),
)
