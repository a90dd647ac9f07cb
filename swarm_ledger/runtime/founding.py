# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Sets epochs up: anew where one ends and the next begins, and as a crash left them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from swarm_ledger.consensus.messages import Message, Signed
from swarm_ledger.consensus.replica import Replica
from swarm_ledger.consensus.settings import Settings
from swarm_ledger.envelope import Opener
from swarm_ledger.errors import Misuse, NotVerified, PeerFault
from swarm_ledger.identity.roster import Member, Roster
from swarm_ledger.runtime.doorman import Doorman
from swarm_ledger.runtime.epochs import RETIRED, Epoch, Epochs, Seat
from swarm_ledger.runtime.identity import Identity, Keys
from swarm_ledger.runtime.keeper import START_ANEW, Keeper
from swarm_ledger.runtime.membership import Era
from swarm_ledger.runtime.memory import Memory

_NOT_A_MEMBER = -1


class Founding:
    """Seats and replicas of one drone. settings: members, me, base and mute are each epoch's.

    waiting: in the present epoch we are a member, and our root key has not signed for it yet: as
    a token may take its time, or be gone, the loop goes on without it, and says nothing.
    """

    def __init__(self, keys: Keys, keeper: Keeper, memory: Memory, settings: Settings) -> None:
        self._keys, self._keeper, self._memory = keys, keeper, memory
        self._settings = settings
        self.waiting = False

    def seat(self, roster: Roster, ledger: Opener, now_ms: int) -> Seat:
        """Take a place under a roster version. ledger: knows its sessions on our ledger."""
        return Seat(Doorman(ledger), self._keys.begin(roster, now_ms // 1000))

    def ready(self, roster: Roster, now_ms: int) -> bool:
        """Whether that place can be taken at once; if not, our root key signs for it meanwhile."""
        return self._keys.ready(roster, now_ms // 1000)

    def next(self, recent: Iterable[bytes], now_ms: int) -> Epoch:
        """Begin the epoch that the ledger has just reached. recent: digests of its last block."""
        machine = self._keeper.machine
        era = machine.members.now
        seat = Seat(Doorman(era.opener), self.identity(era.roster, now_ms))
        epoch = self._epoch(era, seat, now_ms)
        epoch.replica.restore((), applied=era.base, time_ms=machine.time_ms, recent=recent)
        return epoch

    def identity(self, roster: Roster, now_ms: int) -> Identity | None:
        """Return our session under the present roster; None while we are waiting for it."""
        self.waiting = not self._keys.ready(roster, now_ms // 1000)
        return None if self.waiting else self._keys.begin(roster, now_ms // 1000)

    @property
    def trouble(self) -> Misuse | None:
        """Why our root key did not sign."""
        return self._keys.trouble

    def restore(self, recent: list[bytes], now_ms: int) -> Epochs:
        """Put the epochs back to where journal and ledger left them."""
        journal = self._journal()
        *over, now = self._keeper.machine.members.eras[-RETIRED - 1 :]
        epochs = Epochs(self._restored(now, journal, recent, now_ms))
        for era in over:
            epochs.retired.appendleft(self._restored(era, journal, (), now_ms))
        return epochs

    def _epoch(self, era: Era, seat: Seat, now_ms: int) -> Epoch:
        me = seat.identity.member if seat.identity else self._expected(era.roster)
        settings = replace(
            self._settings,
            members=era.roster.validators,
            me=me.index if me else _NOT_A_MEMBER,
            base=era.base,
            mute=self._memory.lacks(era.roster),
        )
        replica = Replica(settings, seat.doorman.open_consensus, now_ms=now_ms)
        return Epoch(seat, era.base, replica)

    def _expected(self, roster: Roster) -> Member | None:
        """Return ourselves where we have no session yet, and shall have one."""
        mine = (m for m in roster.members if m.public_key == self._keys.root_key)
        return next(mine, None) if self.waiting else None

    def _journal(self) -> dict[int, list[bytes]]:
        """Return the journaled messages by the base of the era that they belong to."""
        found: dict[int, list[bytes]] = {}
        for record in self._keeper.store.journal_read():
            base = self._keeper.machine.members.at(record.seq).base
            found.setdefault(base, []).append(record.data)
        return found

    def _restored(
        self, era: Era, journal: dict[int, list[bytes]], recent: Iterable[bytes], now_ms: int
    ) -> Epoch:
        end = self._keeper.machine.members.end_of(era)
        if end is None:
            seat = self.seat(era.roster, era.opener, now_ms)
        else:
            seat = Seat(Doorman(era.opener), self._keys.kept(era.roster))
        epoch = self._epoch(era, seat, now_ms)
        try:
            messages = [seat.doorman.open_consensus(raw) for raw in journal.get(era.base, ())]
        except PeerFault as fault:
            raise NotVerified(
                f"a record is damaged ({fault.what})", where="journal", remedy=START_ANEW
            ) from fault
        epoch.replica.restore(
            messages,
            applied=self._keeper.store.height if end is None else end,
            time_ms=self._keeper.machine.time_ms,
            recent=recent,
        )
        epoch.stable = self._keeper.uncertified(messages, epoch.replica.settings.quorum)
        if end is not None:
            self._end_again(epoch, end, messages, now_ms)
        return epoch

    def _end_again(
        self, epoch: Epoch, end: int, journal: list[Signed[Message]], now_ms: int
    ) -> None:
        """Retire an epoch after a restart; a crash may have come before we vouched for its end."""
        latest, me = self._keeper.store.latest_checkpoint(), epoch.replica.settings.me
        covered = latest is not None and latest.height >= end
        said = any(
            signed.sender == me and getattr(signed.message, "seq", 0) == end for signed in journal
        )
        if epoch.seat.known and epoch.replica.settings.speaks and not (covered or said):
            epoch.replica.checkpoint(self._keeper.claim(epoch.seat, end, now_ms // 1000))
        epoch.replica.retire()
