# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Bugs that stop a swarm, let a bad leader stay, or let a replica hold ever more."""

from __future__ import annotations

from swarm_ledger.consensus import certificates, checkpoints, normal, recovery, sync, view_change
from swarm_ledger.consensus.pace import Pace
from swarm_ledger.consensus.pool import Pool
from swarm_ledger.consensus.replica import Replica
from swarm_ledger.consensus.state import State
from swarm_ledger.sim.pbft.network import Weather
from tests.known_bugs import (
    test_checkpoints,
    test_clients,
    test_fabric,
    test_membership,
    test_view_change,
)
from tests.mutants import scenarios
from tests.mutants.mutation import case, mutant
from tests.sim import test_leaders
from tests.unit import (
    test_consensus_hostile,
    test_consensus_normal,
    test_consensus_recovery,
    test_consensus_view_change,
)

BOUNDS = (
    mutant(
        "early messages are unbounded",
        Replica.step,
        "maxlen=EARLY",
        "maxlen=None",
    ),
    mutant(
        "pending requests are unbounded",
        Pool.add,
        "self._held[author] >= self._quota",
        "False",
    ),
    mutant(
        "garbage is never collected",
        checkpoints.collect_garbage,
        "    stable, soon = ",
        "    return\n    stable, soon = ",
    ),
    mutant(
        "checkpoint votes for any number are kept",
        checkpoints.on_checkpoint,
        "_floor(state) < seq <= (state.applied if state.retired else high)",
        "seq",
        scenario=test_consensus_hostile.test_a_flooding_peer_fills_its_own_quota_and_nothing_else,
    ),
    mutant(
        "blocks are adopted however far ahead",
        sync.on_committed,
        "message.seq <= state.stable + state.settings.window",
        "True",
        scenario=test_fabric.test_fabric_920_a_laggard_catches_up_though_the_watermarks_move_on,
    ),
)

LEADERS = (
    mutant(
        "a silent leader is never suspected",
        view_change._suspicious,
        "state.now_ms - pending.since_ms > patience or",
        "",
    ),
    mutant(
        "a leader that leaves out what a view began with is never suspected",
        view_change._suspicious,
        "overdue and any(seq > state.applied for seq in state.expected)",
        "False",
        scenario=test_consensus_view_change.test_leader_that_does_not_finish_what_it_inherits_is_suspected,
    ),
    mutant(
        "a leader that omits a vote is not suspected while others' pass",
        view_change._suspicious,
        "or pending.blocks > blocks",
        "",
        scenario=scenarios.a_leader_that_leaves_out_one_voter_is_replaced,
    ),
    mutant(
        "a slow leader is never suspected",
        Pace.slow,
        "int(median(self.waits)) > allowed",
        "False",
        scenario=scenarios.a_slow_leader_is_replaced,
    ),
    mutant(
        "a replica that lags calls its leader faulty",
        view_change._suspicious,
        "patience = 2 * state.timeout_ms",
        "patience = 0",
        scenario=test_fabric.test_fabric_1331_a_restarted_peer_holds_what_the_others_hold_without_a_checkpoint,
    ),
    mutant(
        "a request is passed on to nobody",
        sync._relay,
        "to != state.settings.me",
        "False",
        scenario=case(
            test_clients.test_aardvark_a_voter_that_convinces_one_drone_only_costs_no_view, 2
        ),
    ),
    mutant(
        "a slot's bodies are not taken past a full pool",
        normal.on_body,
        "if not added:",
        "if not added:\n        return False\n    if not added:",
        scenario=test_consensus_normal.test_a_full_quota_does_not_keep_out_what_a_slot_waits_for,
    ),
    mutant(
        "a leader that equivocates is never named",
        State.accuse,
        "contradiction(first.message, second.message)",
        "False",
        scenario=scenarios.an_equivocating_leader_is_named,
    ),
)

TIME = (
    mutant(
        "time-outs never double",
        State.timeout_ms,
        "min(self.attempts, MAX_DOUBLINGS)",
        "0",
        scenario=test_view_change.test_goquorum_1664_no_storm_of_view_changes_and_a_swarm_that_recovers_from_a_long_night,
    ),
    mutant(
        "time-outs grow without end",
        State.timeout_ms,
        "min(self.attempts, MAX_DOUBLINGS)",
        "self.attempts",
        scenario=scenarios.many_failed_views_are_made_up_for,
    ),
    mutant(
        "time-outs never shrink again",
        normal.on_applied,
        "state.attempts = 0",
        "pass",
        scenario=scenarios.many_failed_views_are_forgotten,
    ),
    mutant(
        "a jump of the clock counts as time that passed",
        State.set_clock,
        "min(max(now_ms - self.clock_ms, 0), MAX_STEP_MS)",
        "max(now_ms - self.clock_ms, 0)",
        scenario=scenarios.clocks_that_jump_ahead_cost_no_leader,
    ),
    mutant(
        "a clock that was set back stops all time-outs",
        State.set_clock,
        "self.clock_ms, self.now_ms = now_ms, self.now_ms + passed",
        "self.clock_ms, self.now_ms = now_ms, max(now_ms, self.now_ms)",
        scenario=scenarios.clocks_that_were_set_back_do_not_keep_a_silent_leader,
    ),
)

CATCHING_UP = (
    mutant(
        "nobody asks for blocks",
        sync._ask,
        "state.say(Fetch(state.applied + 1), state.asked)",
        "pass",
    ),
    mutant(
        "nobody serves blocks",
        sync.on_fetch,
        "state.ready.serve.append(Serve(signed.sender, signed.message.seq))",
        "pass",
    ),
    mutant(
        "always the same peer is asked for blocks",
        sync._ask,
        "(later or ahead)[0]",
        "ahead[0]",
    ),
    mutant(
        "nothing is ever said again",
        State.repeat,
        "signed is not None",
        "False",
    ),
    mutant(
        "a lost view change is never sent again",
        sync.tick,
        "state.repeat(state.own_view_change)",
        "pass",
    ),
    mutant(
        "a lost checkpoint is never sent again",
        sync.tick,
        "state.repeat(state.own_checkpoint)",
        "pass",
        scenario=test_checkpoints.test_a_window_that_is_used_up_opens_again_once_checkpoints_arrive,
    ),
    mutant(
        "a lost vote is never sent again",
        sync.tick,
        "_repeat_slots(state)",
        "pass",
        scenario=test_membership.test_an_old_certificate_proves_nothing_in_the_next_epoch_though_its_signers_stay,
    ),
    mutant(
        "a lost new view is never shown again",
        sync.on_status,
        "state.repeat(state.new_view, sender)",
        "pass",
        view_change.on_view_change,
        "state.repeat(state.new_view, signed.sender)",
        "pass",
        scenario=test_consensus_view_change.test_large_answers_are_not_repeated_faster_than_anyone_needs_them,
    ),
    mutant(
        "nobody asks for the view changes that a new view names",
        sync.tick,
        "ask_for_view_changes(state)",
        "pass",
        scenario=scenarios.a_new_view_s_view_changes_come_from_others_than_its_leader,
    ),
    mutant(
        "nobody asks for bodies again",
        sync._repeat_slots,
        "if missing:",
        "if False:",
        scenario=case(
            test_leaders.test_a_fair_leader_is_not_called_slow_whatever_the_network,
            Weather(delay_ms=50, loss=0.3),
        ),
    ),
    mutant(
        "a view change that leads nowhere is never given up",
        view_change.tick,
        "state.now_ms >= state.give_up_ms",
        "False",
    ),
    mutant(
        "only those who stayed in a view count against patience with it",
        view_change._proceed,
        "change.signed.message.view >= state.view for",
        "change.signed.message.view == state.view for",
        scenario=scenarios.view_changes_that_crossed_a_partition_meet_again,
    ),
    mutant(
        "nobody joins those who leave the view",
        view_change._join,
        "len(ahead) > state.settings.f",
        "False",
        scenario=test_consensus_view_change.test_f_plus_1_ahead_are_followed_to_the_least_of_their_views,
    ),
    mutant(
        "after a restart the own view change does not count",
        recovery._restore_view,
        "state.view_changes[state.settings.me] = checked",
        "pass",
        scenario=scenarios.a_blackout_in_the_middle_of_a_view_change,
    ),
    mutant(
        "a quiet swarm vouches for nothing",
        checkpoints.idle_checkpoint_due,
        "return (",
        "return False and (",
        scenario=scenarios.a_quiet_swarm_s_last_blocks_become_stable,
    ),
    mutant(
        "where an epoch begins, a proof is demanded",
        certificates.check_stable,
        "if seq == settings.base:",
        "if seq < 0:",
    ),
    mutant(
        "bodies and blocks share one turn",
        sync.on_want,
        "state.wanted[signed.sender] += ",
        "state.fetched.add(signed.sender); state.wanted[signed.sender] += ",
        scenario=test_consensus_recovery.test_wants_that_nobody_can_meet_do_not_keep_a_laggard_from_blocks,
    ),
)
