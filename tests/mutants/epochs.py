# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Bugs of the driver and of the engine that show when the roster changes, or a disk is lost."""

from __future__ import annotations

from swarm_ledger.consensus import sync
from swarm_ledger.consensus.replica import Replica
from swarm_ledger.sim.pbft.ledger import Ledger
from swarm_ledger.sim.pbft.node import Node
from tests.mutants import scenarios
from tests.mutants.mutation import mutant

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
    ),
    mutant(
        "a restart takes its journal of old epochs for this one's",
        Node._restore,
        "if sealed.version == version",
        "",
    ),
    mutant(
        "an epoch begins at the first block",
        Node._replica,
        "epoch.base,",
        "0,",
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
    ),
    mutant(
        "the evidence of another epoch convicts",
        Ledger._apply_one,
        "version != self.epoch.version",
        "False",
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
        scenario=scenarios.the_end_of_an_epoch_becomes_stable,
    ),
)
