# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The leases that one drone wants: asked for, kept going, given back; one claim at a time.

A drone that starts again gives nothing back by itself: it may stand on what it holds. What it
doesn't ask for any more runs out.
"""

from __future__ import annotations

from swarm_ledger.encoding import digest, encode
from swarm_ledger.envelope import Kind
from swarm_ledger.errors import Misuse, PeerFault
from swarm_ledger.identity.roster import Role
from swarm_ledger.rules.limits import MAX_RULES
from swarm_ledger.rules.rule import Ask, Claim, Lease, Release, parse_claim
from swarm_ledger.rules.state import Held, Standing
from swarm_ledger.runtime.admission import Admission
from swarm_ledger.runtime.chronicle import Emit
from swarm_ledger.runtime.engine import Engine
from swarm_ledger.transport import Transport

_LOOK_MS = 100
_AGAIN_MS = 2_000
"""How long to leave alone what was refused."""


class Claims:
    """What a drone wants of the ledger's leases.

    early_ms: how long before its end a lease counts as over here, as leaders' clocks may be that
    far ahead of ours.
    """

    def __init__(
        self, engine: Engine, admission: Admission, transport: Transport, emit: Emit, early_ms: int
    ) -> None:
        self._engine, self._admission, self._transport = engine, admission, transport
        self._emit, self._early_ms = emit, early_ms
        self._wanted: dict[str, int] = {}
        self._unwanted: set[str] = set()
        self._again_ms: dict[str, int] = {}
        self._waits: bytes | None = None
        self._number = self._looked_ms = 0
        self._told: dict[str, Held] = {}

    def want(self, name: str, term_ms: int) -> None:
        """Want a lease, until it is dropped: asked for as soon as there is such a rule.

        term_ms: for how long at a time, at most what the rule allows. Misuse for what no rule has.
        """
        try:
            parse_claim(encode(Ask(name, 1, 1, term_ms)))
        except PeerFault as fault:
            raise Misuse(f"{name!r} for {term_ms} ms can't be asked for: {fault.what}") from fault
        if name not in self._wanted and len(self._wanted) >= MAX_RULES:
            raise Misuse(f"a drone wants {MAX_RULES} leases at most.")
        self._wanted[name] = term_ms
        self._unwanted.discard(name)
        self._again_ms.pop(name, None)

    def drop(self, name: str) -> None:
        """Want a lease no more: it is given back, or waited for no more."""
        if self._wanted.pop(name, None) is not None or self._standing(name) is not None:
            self._unwanted.add(name)
            self._again_ms.pop(name, None)

    @property
    def wanted(self) -> frozenset[str]:
        """What is wanted."""
        return frozenset(self._wanted)

    def held(self, name: str) -> Held | None:
        """Return the lease that we hold, by the ledger and our own clock; None if we don't."""
        standing, me = self._standing(name), self._me
        held = standing.held if standing else None
        if held is None or held.member != me:
            return None
        return held if self._engine.now_ms < held.until_ms - self._early_ms else None

    def all_held(self) -> dict[str, Held]:
        """Return all that we hold, by name."""
        names = (one.name for one in self._engine.machine.rules.kept().standing)
        found = {name: self.held(name) for name in names}
        return {name: held for name, held in found.items() if held is not None}

    @property
    def _me(self) -> bytes | None:
        identity = self._engine.current.seat.identity
        return identity.member.id if identity is not None else None

    def _standing(self, name: str) -> Standing | None:
        return self._engine.machine.rules.standing(name)

    def tick(self) -> None:
        """Tell what is held and what is over, and claim what is to be claimed."""
        steady_ms = self._engine.steady_ms
        if steady_ms - self._looked_ms < _LOOK_MS:
            return
        self._looked_ms = steady_ms
        self._tell()
        replica = self._engine.current.replica
        if self._waits is not None and replica.holds(self._waits):
            return
        self._waits = None
        for name in [*sorted(self._unwanted), *sorted(self._wanted)]:
            if steady_ms < self._again_ms.get(name, 0):
                continue
            claim = self._next(name)
            if claim is not None and self._submit(claim):
                return

    def _tell(self) -> None:
        held = self.all_held()
        for name, before in self._told.items():
            if name not in held:
                self._emit("lease_over", {"rule": name, "grant": before.grant})
        for name, now in held.items():
            if self._told.get(name) != now:
                fields = {"rule": name, "grant": now.grant, "until_ms": now.until_ms}
                self._emit("lease", fields)
        self._told = held

    def _next(self, name: str) -> Claim | None:
        """Return what to claim about a name, if anything."""
        standing, me = self._standing(name), self._me
        if me is None or standing is None:
            return None
        waits = any(wish.member == me for wish in standing.waiting)
        held = standing.held if standing.held and standing.held.member == me else None
        number = max(self._engine.now_ms, self._number + 1)
        number = max(number, self._engine.machine.rules.number_of(me) + 1)
        if name in self._unwanted:
            if waits or held is not None:
                return Release(name, number)
            self._unwanted.discard(name)
            return None
        if waits or not isinstance(standing.body, Lease):
            return None
        if held is not None:
            until_ms = held.until_ms - self._early_ms
            if 2 * (until_ms - self._engine.now_ms) > until_ms - held.since_ms:
                return None
        term_ms = min(self._wanted[name], standing.body.term_ms)
        return Ask(name, standing.version, number, term_ms)

    def _submit(self, claim: Claim) -> bool:
        engine = self._engine
        identity = engine.current.seat.identity
        if identity is None or Role.VOTER not in identity.member.roles:
            return False
        if not engine.votes:
            return False
        raw = identity.seal(Kind.CLAIM, encode(claim))
        try:
            self._admission.take(raw)
        except PeerFault:  # such as a full queue: not now
            self._again_ms[claim.name] = engine.steady_ms + _AGAIN_MS
            return False
        self._number, self._waits = claim.number, digest(raw)
        self._transport.broadcast(raw)
        return True
