# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The rule book: the state machine that turns requests into grants, and decisions into actions.

Every replica feeds it the same entries and holds the same state. It believes what it is given:
signatures and roles were checked, and the time is the block's. All that follows is made at the end
of a block. A lease that goes on is a request like any other; it comes at once if nobody waits
before it, so that whoever is n-th in the queue waits for n terms at most.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from msgspec.structs import replace

from swarm_ledger.encoding import digest, encode
from swarm_ledger.errors import PeerFault
from swarm_ledger.rules.limits import AHEAD_MS, CLAIM_EVERY_MS, MAX_NUMBER, MAX_RULES
from swarm_ledger.rules.rule import (
    Accept,
    Action,
    Answer,
    Ask,
    Claim,
    Grant,
    Instruction,
    Lease,
    Rule,
    Trigger,
    Withdrawal,
)
from swarm_ledger.rules.state import BookState, Claimant, Held, Standing, Wish


@dataclass(frozen=True, slots=True)
class Fact:
    """A question that settled: the decision's number, the question's subject, the label."""

    number: int
    subject: str
    label: str


class Rulebook:
    """The rules of one ledger. Members are named by their ids, see limits.MemberId."""

    def __init__(self) -> None:
        self.grants = self.actions = 0
        self._standing: dict[str, Standing] = {}
        self._claimants: dict[bytes, Claimant] = {}
        self._digest: bytes | None = b""

    def standing(self, name: str) -> Standing | None:
        """Return what is known under a name, None for nothing."""
        return self._standing.get(name)

    def number_of(self, member: bytes) -> int:
        """Return the number of a member's last claim that counts, 0 for none."""
        last = self._claimants.get(member)
        return last.number if last else 0

    def due_ms(self) -> int | None:
        """Return when somebody's turn comes, if the ledger's time gets there; None for never."""
        ends = (
            one.held.until_ms
            for one in self._standing.values()
            if one.held is not None and any(wish.accepted for wish in one.waiting)
        )
        return min(ends, default=None)

    # what an operator lays down

    def judge_instruction(self, said: Instruction) -> Standing:
        """Return what stands under its name if an instruction counts.

        Raises PeerFault: "known", "stale_rule" (a version that is over, or not in force),
        "no_rule", "rules_full", "no_request" (that was answered, granted or taken back before).
        """
        known = self._standing.get(said.name)
        if isinstance(said, Rule):
            standing = Standing(said.name, said.version, said.body)
            if known is None:
                if len(self._standing) >= MAX_RULES:
                    raise PeerFault("rules_full", f"{MAX_RULES} names are in use.")
                return standing
            if (known.version, known.body) == (said.version, said.body):
                raise PeerFault("known", f"version {said.version} of {said.name} is in force.")
            if said.version <= known.version:
                raise PeerFault("stale_rule", f"{said.name} had version {known.version} before.")
            return replace(standing, held=known.held)
        if known is None or known.body is None:
            raise PeerFault("no_rule", f"no rule {said.name} is in force.")
        if said.version != known.version:
            raise PeerFault("stale_rule", f"version {known.version} of {said.name} is in force.")
        if isinstance(said, Withdrawal):
            return replace(known, body=None, waiting=(), fired=0)
        return _answered(known, said)

    def instruct(self, said: Instruction) -> str:
        """Let an instruction count, and return what it was; PeerFault as judge_instruction()."""
        self._put(self.judge_instruction(said))
        if isinstance(said, Answer):
            return "accepted" if said.accepted else "refused"
        return "ruled" if isinstance(said, Rule) else "withdrawn"

    # what members ask for

    def judge_claim(self, member: bytes, claim: Claim, time_ms: int) -> tuple[Standing, Claimant]:
        """Return what stands then, and what is known of the member, if its claim counts.

        Raises PeerFault: "stale_claim" (a number that is over), "too_soon", "no_rule",
        "stale_rule", "not_listed", "long_term", "asked_already", "queue_full", "nothing_held".
        """
        last = self._claimants.get(member)
        number, until_ms = (last.number, last.until_ms) if last else (0, 0)
        if claim.number <= number:
            raise PeerFault("stale_claim", f"its author had claim {number} before.")
        if until_ms > time_ms + AHEAD_MS:
            raise PeerFault("too_soon", "its author claims more often than it may.")
        claimant = Claimant(member, claim.number, _later(max(until_ms, time_ms), CLAIM_EVERY_MS))
        known = self._standing.get(claim.name)
        if known is None:
            raise PeerFault("no_rule", f"no rule {claim.name} is in force.")
        if isinstance(claim, Ask):
            return _asked(known, member, claim, time_ms), claimant
        held = known.held if _holds(known, member, time_ms) else None
        waiting = tuple(wish for wish in known.waiting if wish.member != member)
        if held is None and waiting == known.waiting:
            raise PeerFault("nothing_held", f"its author has no part in {claim.name}.")
        return replace(known, held=None if held else known.held, waiting=waiting), claimant

    def claim(self, member: bytes, claim: Claim, time_ms: int) -> str:
        """Let a claim count, and return what it was; PeerFault as judge_claim()."""
        standing, claimant = self.judge_claim(member, claim, time_ms)
        self._claimants[member] = claimant
        self._put(standing)
        return "asked" if isinstance(claim, Ask) else "released"

    # what follows

    def end_block(
        self, time_ms: int, may: Callable[[bytes], bool], facts: Iterable[Fact]
    ) -> tuple[tuple[Grant, ...], tuple[Action, ...]]:
        """End a block of that time: grant what is free, and tell what is due.

        may: whether a member may hold anything any more. facts: what settled in this block.
        """
        grants = [self._pass_on(name, time_ms, may) for name in sorted(self._standing)]
        actions = [self._fire(name, time_ms, fact) for fact in facts for name in self._triggers()]
        return (
            tuple(grant for grant in grants if grant is not None),
            tuple(action for action in actions if action is not None),
        )

    def change(self) -> None:
        """Begin under another roster version, in whose domain nothing is signed yet.

        So no earlier message can come again: numbers and withdrawn names are free.
        """
        self._claimants = {}
        self._standing = {
            name: one for name, one in self._standing.items() if one.body or one.held
        }
        self._digest = None

    def _pass_on(self, name: str, time_ms: int, may: Callable[[bytes], bool]) -> Grant | None:
        """End what is over, and give the resource to whose turn it is."""
        known = self._standing[name]
        held = known.held
        if held is None and not known.waiting:
            return None
        if held is not None and (time_ms >= held.until_ms or not may(held.member)):
            held = None
        waiting = tuple(wish for wish in known.waiting if may(wish.member))
        first = next((wish for wish in waiting if wish.accepted), None)
        grant = None
        if first is not None and (held is None or held.member == first.member):
            self.grants += 1
            until_ms = _later(time_ms, first.term_ms)
            held = Held(first.member, self.grants, time_ms, until_ms)
            waiting = tuple(wish for wish in waiting if wish is not first)
            grant = Grant(
                self.grants, name, known.version, first.member, first.number, time_ms, until_ms
            )
        if (held, waiting) != (known.held, known.waiting):
            self._put(replace(known, held=held, waiting=waiting))
        return grant

    def _triggers(self) -> list[str]:
        found = self._standing.items()
        return sorted(name for name, one in found if isinstance(one.body, Trigger))

    def _fire(self, name: str, time_ms: int, fact: Fact) -> Action | None:
        known = self._standing[name]
        rule = known.body
        if not isinstance(rule, Trigger) or (rule.subject, rule.label) != (
            fact.subject,
            fact.label,
        ):
            return None
        if not rule.from_ms <= time_ms < rule.until_ms or (rule.once and known.fired):
            return None
        self.actions += 1
        self._put(replace(known, fired=known.fired + 1))
        return Action(
            self.actions,
            name,
            known.version,
            rule.action,
            rule.parameters,
            rule.members,
            fact.number,
            time_ms,
        )

    # what is remembered

    def kept(self) -> BookState:
        """Return all of it."""
        return BookState(
            self.grants,
            self.actions,
            tuple(self._standing[name] for name in sorted(self._standing)),
            tuple(self._claimants[member] for member in sorted(self._claimants)),
        )

    def resume(self, kept: BookState) -> None:
        """Go on from what was kept. Nothing is checked here: state() tells what it was."""
        self.grants, self.actions = kept.grants, kept.actions
        self._standing = {one.name: one for one in kept.standing}
        self._claimants = {one.member: one for one in kept.claimants}
        self._digest = None

    def state(self) -> bytes:
        """Return a digest of it all, empty where there is nothing."""
        if self._digest is None:
            kept = self.kept()
            self._digest = b"" if kept == BookState() else digest(encode(kept))
        return self._digest

    def _put(self, standing: Standing) -> None:
        self._standing[standing.name] = standing
        self._digest = None


def _later(time_ms: int, by_ms: int) -> int:
    return min(time_ms + by_ms, MAX_NUMBER)


def _holds(known: Standing, member: bytes, time_ms: int) -> bool:
    held = known.held
    return held is not None and held.member == member and time_ms < held.until_ms


def _asked(known: Standing, member: bytes, claim: Ask, time_ms: int) -> Standing:
    lease = known.body
    if not isinstance(lease, Lease):
        raise PeerFault("no_rule", f"no rule {claim.name} for a lease is in force.")
    if claim.version != known.version:
        raise PeerFault("stale_rule", f"version {known.version} of {claim.name} is in force.")
    if lease.members and member not in lease.members:
        raise PeerFault("not_listed", f"its author may not hold {claim.name}.")
    if claim.term_ms > lease.term_ms:
        raise PeerFault("long_term", f"{claim.name} is held for {lease.term_ms} ms at most.")
    if any(wish.member == member for wish in known.waiting):
        raise PeerFault("asked_already", f"its author waits for {claim.name} already.")
    held = known.held
    at_once = held is None or time_ms >= held.until_ms or held.member == member
    if len(known.waiting) >= lease.queue + at_once:
        raise PeerFault("queue_full", f"{len(known.waiting)} wait for {claim.name}.")
    accepted = lease.accept is Accept.LEDGER
    wish = Wish(member, claim.number, claim.term_ms, accepted)
    return replace(known, waiting=(*known.waiting, wish))


def _answered(known: Standing, said: Answer) -> Standing:
    place = next(
        (
            place
            for place, wish in enumerate(known.waiting)
            if (wish.member, wish.number) == (said.member, said.number)
        ),
        None,
    )
    if place is None:
        raise PeerFault("no_request", f"nothing of that number waits for {said.name}.")
    wish, rest = known.waiting[place], known.waiting[place + 1 :]
    if said.accepted and wish.accepted:
        raise PeerFault("known", "that request is accepted already.")
    answered = (replace(wish, accepted=True),) if said.accepted else ()
    return replace(known, waiting=(*known.waiting[:place], *answered, *rest))
