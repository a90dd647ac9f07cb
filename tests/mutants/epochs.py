# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Bugs of the driver and of the engine that show when the roster changes, or a disk is lost."""

from __future__ import annotations

from swarm_ledger.consensus import sync
from swarm_ledger.consensus.replica import Replica
from swarm_ledger.sim.pbft.ledger import Ledger
from swarm_ledger.sim.pbft.node import Node
from tests.known_bugs import test_membership
from tests.mutants import scenarios
from tests.mutants.mutation import mutant
from tests.unit import test_sim_pbft_requests
from tests.unit.test_sim_pbft_requests import Book


def evidence_of_another_epoch_convicts_nobody() -> None:
    test_sim_pbft_requests.test_evidence_of_nothing_and_of_another_epoch_convicts_nobody(Book())


EPOCHS = (
    mutant(
        "blocks behind the end of an epoch are applied",
        Node._carry_out,
        "if replica is not self.replica:",
        "if False:",
        Replica.retire,
        "state.handed = state.applied",
        "pass",
    ),
    mutant(
        "a replica whose epoch is over goes on",
        Replica.retire,
        "state.retired, state.active = True, False",
        "pass",
    ),
    mutant(
        "who is no member is counted",
        Replica.step,
        "kind in _BINDING and signed.sender not in state.settings.members",
        "False",
        Node._hear,
        "signed.sender not in members",
        "False",
    ),
    mutant(
        "messages of an old epoch are counted in the new one",
        Node._hear,
        "if version == self.epoch.version:",
        "if version <= self.epoch.version:",
    ),
    mutant(
        "certificates may be of another epoch",
        Node.opener,
        "sealed.version != version",
        "False",
        scenario=test_membership.test_an_old_certificate_proves_nothing_in_the_next_epoch_though_its_signers_stay,
    ),
    mutant(
        "an epoch begins at the first block",
        Node._replica,
        "epoch.base,",
        "0,",
        scenario=scenarios.an_epoch_may_begin_beyond_the_first_window,
    ),
    mutant(
        "who was removed goes on as a member",
        Node._replica,
        "epoch.members,",
        "(*epoch.members, *(() if self.me in epoch.members else (self.me,))),",
    ),
    mutant(
        "a wiped drone speaks at once",
        Node._replica,
        "epoch.version < self.mute_below",
        "False",
    ),
    mutant(
        "an older roster can come back",
        Ledger._apply_one,
        "request.version > self.epoch.version",
        "request.version != self.epoch.version",
        scenario=test_membership.test_of_two_changes_in_flight_one_comes_behind_the_other_or_not_at_all,
    ),
    mutant(
        "the evidence of another epoch convicts",
        Ledger._apply_one,
        "version != self.epoch.version",
        "False",
        scenario=evidence_of_another_epoch_convicts_nobody,
    ),
    mutant(
        "what waits when an epoch ends is lost",
        Node._switch,
        "self._resubmit([pending.body for pending in waiting])",
        "pass",
        scenario=scenarios.what_waits_when_an_epoch_ends_is_ordered_in_the_next,
    ),
    mutant(
        "whoever is left behind in an old epoch is not served",
        Node._hear,
        "version in self.retired",
        "False",
    ),
    mutant(
        "whoever is left behind in an old epoch is not told",
        sync.on_status,
        'status.applied < state.applied and state.not_lately(sender, "the end")',
        "False",
        scenario=scenarios.whoever_missed_the_end_of_an_epoch_is_shown_it,
    ),
    mutant(
        "the end of an epoch is not vouched for",
        Node._apply,
        "if switched or decided",
        "if decided",
        scenario=scenarios.the_end_of_an_epoch_becomes_stable,
    ),
    mutant(
        "a lost vote for the end of an epoch is never sent again",
        sync.tick_retired,
        "state.repeat(own)",
        "pass",
        scenario=scenarios.votes_for_the_end_of_an_epoch_are_sent_again,
    ),
)
