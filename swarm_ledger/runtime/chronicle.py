# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What happened, as events for screens, logs and ROS topics: names, and fields that JSON holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from swarm_ledger.encoding import digest, encode
from swarm_ledger.relay.anchor import Anchor
from swarm_ledger.rules.rule import (
    Action,
    Answer,
    Ask,
    Claim,
    Grant,
    Instruction,
    Release,
    Rule,
    Withdrawal,
)
from swarm_ledger.runtime.evidence import Charge
from swarm_ledger.runtime.goal import rule_number
from swarm_ledger.runtime.machine import Applied, Machine, Receipt
from swarm_ledger.voting.commitment import Commitment, Reveal
from swarm_ledger.voting.decision import Settled
from swarm_ledger.voting.limits import ABSTAIN_NAME, UNMEASURED
from swarm_ledger.voting.observation import AnyObservation, NumberObservation
from swarm_ledger.voting.question import AnyQuestion, NumberQuestion, Question
from swarm_ledger.voting.reputation import ONE, StandingChange
from swarm_ledger.voting.rules import NAMES, Sealed, SealedNumbers

Event = tuple[str, dict[str, Any]]

Emit = Callable[[str, dict[str, Any]], None]
"""Receives events: a name, and fields that JSON can hold."""


def describe(applied: Applied, machine: Machine) -> Iterator[Event]:
    """Return the events of one block: its requests in order, its decisions, and itself."""
    for receipt in applied.receipts:
        yield from _request(receipt, applied, machine)
    for settled in applied.decisions:
        yield "decision", decision_fields(settled)
    for grant in applied.grants:
        yield "grant", grant_fields(grant, machine)
    for action in applied.actions:
        yield "action", action_fields(action, machine)
    for change in applied.standings:
        yield "standing", standing_fields(change, machine)
    yield (
        "block",
        {
            "height": applied.height,
            "time_ms": applied.time_ms,
            "requests": len(applied.receipts),
            "entries": len(applied.entries),
        },
    )


def _request(receipt: Receipt, applied: Applied, machine: Machine) -> Iterator[Event]:
    author = receipt.author.name if receipt.author else None
    content = receipt.content
    fields = {"author": author, "result": receipt.result, "height": applied.height}
    if isinstance(content, AnyObservation | Reveal):
        said = content.observation if isinstance(content, Reveal) else content
        yield "vote", {**vote_fields(said, machine), **fields}
    elif isinstance(content, AnyQuestion):
        yield "question", {**question_fields(content, applied.time_ms), **fields}
    elif isinstance(content, Commitment):
        yield "commitment", fields
    elif isinstance(content, Charge):
        if receipt.result == "evidence":
            yield (
                "convicted",
                conviction_fields(content.culprit.name, content.about, applied.height),
            )
    elif isinstance(content, Anchor):
        yield "anchor", {"sequence": content.sequence, "leaves": content.size, **fields}
    elif isinstance(content, Rule | Withdrawal | Answer):
        yield "rule", {**rule_fields(content, machine), **fields}
    elif isinstance(content, Ask | Release):
        yield "claim", {**rule_fields(content, machine), **fields}
    elif receipt.result.startswith("invalid"):
        yield "invalid", fields


def question_fields(question: AnyQuestion, opened_ms: int) -> dict[str, Any]:
    """Return a question as a person would want to read it. opened_ms: the block's ledger time."""
    return {
        "question": digest(encode(question)).hex(),
        **asked_fields(question),
        "rule": rule_number(question.rule),
        "duration_ms": question.duration_ms,
        "opened_ms": opened_ms,
    }


def measured(thousandths: int) -> float | None:
    """Return a bearing in radians or a distance in metres, None where nothing measured it."""
    return None if thousandths == UNMEASURED else thousandths / 1000


def asked_fields(question: AnyQuestion) -> dict[str, Any]:
    """Return what is asked, and how it is settled, such as "sealed bayes"."""
    fields = {"subject": question.subject, "settled_by": rule_name(question)}
    if isinstance(question, NumberQuestion):
        span = {"low": question.low, "high": question.high, "tolerance": question.tolerance}
        return {**fields, "labels": [], "unit": question.unit, **span}
    return {**fields, "labels": list(question.labels)}


def rule_name(question: AnyQuestion) -> str:
    """Return how a question is settled, such as "bayes" or "sealed plurality"."""
    rule = question.rule
    sealed = isinstance(rule, Sealed | SealedNumbers)
    inner = rule.rule if isinstance(rule, Sealed | SealedNumbers) else rule
    return "sealed " * sealed + NAMES[type(inner)]


def vote_fields(said: AnyObservation, machine: Machine) -> dict[str, Any]:
    """Return an observation as a person would want to read it. label: of a number its digits."""
    named = label_name(machine.asked(said.question), said)
    return {
        "label": named,
        "confidence": said.confidence_ppm / 1_000_000,
        "bearing": measured(said.bearing_mrad),
    }


def label_name(question: AnyQuestion | None, said: AnyObservation) -> str:
    """Return what an observation says: a label, a number, or "unknown" for an abstention."""
    if isinstance(said, NumberObservation):
        return ABSTAIN_NAME if said.value is None else str(said.value)
    if not isinstance(question, Question) or not 0 <= said.label < len(question.labels):
        return ABSTAIN_NAME
    return question.labels[said.label]


def standing_fields(change: StandingChange, machine: Machine) -> dict[str, Any]:
    """Return what the swarm thinks of a member as a person would want to read it."""
    member = member_name(machine, change.member)
    right, wrong = round(change.right / ONE, 1), round(change.wrong / ONE, 1)
    standing, reason = change.standing.name.lower(), change.reason.name.lower()
    what = {"suspect": "is suspect", "exclude": "should be excluded, the swarm proposes"}
    return {
        "number": change.number,
        "member": member,
        "standing": standing,
        "reason": reason,
        "right": right,
        "wrong": wrong,
        "decision": change.decision,
        "height": change.height,
        "text": f"At height {change.height}: {member} "
        f"{what.get(standing, 'is in good standing again')} ({reason.replace('_', ' ')}: lately "
        f"{right:g} right, {wrong:g} wrong)",
    }


def member_name(machine: Machine, member: bytes) -> str:
    """Return the name of whom a rule knows by an id, the id itself where the roster has none."""
    found = machine.members.now.roster.by_id.get(member)
    return found.name if found is not None else member.hex()


def rule_fields(said: Instruction | Claim, machine: Machine) -> dict[str, Any]:
    """Return what an operator lays down, or a member claims, as a person would want to read it."""
    fields = {name: getattr(said, name) for name in said.__struct_fields__ if name != "body"}
    fields = {"says": type(said).__name__.lower(), **fields}
    if isinstance(said, Answer):
        fields["member"] = member_name(machine, said.member)
    if isinstance(said, Rule):
        body = said.body
        fields["says"] = type(body).__name__.lower()
        fields |= {name: getattr(body, name) for name in body.__struct_fields__}
        fields["members"] = [member_name(machine, member) for member in body.members]
    if "accept" in fields:
        fields["accept"] = fields["accept"].name.lower()
    return fields


def grant_fields(grant: Grant, machine: Machine) -> dict[str, Any]:
    """Return a grant as a person would want to read it."""
    member = member_name(machine, grant.member)
    return {
        "number": grant.number,
        "rule": grant.rule,
        "version": grant.version,
        "member": member,
        "asked": grant.asked,
        "since_ms": grant.since_ms,
        "until_ms": grant.until_ms,
        "text": f"Grant {grant.number}: {grant.rule} to {member} "
        f"for {grant.until_ms - grant.since_ms} ms",
    }


def action_fields(action: Action, machine: Machine) -> dict[str, Any]:
    """Return an action as a person would want to read it. members: [] for all."""
    members = [member_name(machine, member) for member in action.members]
    return {
        "number": action.number,
        "rule": action.rule,
        "version": action.version,
        "action": action.action,
        "parameters": action.parameters,
        "members": members,
        "decision": action.decision,
        "time_ms": action.time_ms,
        "text": f"Action {action.number} by decision {action.decision}: {action.action} "
        f"({action.parameters or 'no parameters'}) for {', '.join(members) or 'all'}",
    }


def conviction_fields(culprit: str, about: str, height: int) -> dict[str, Any]:
    """Return a conviction as a person would want to read it."""
    return {
        "culprit": culprit,
        "about": about,
        "height": height,
        "text": f"Convicted at height {height}: {culprit} contradicted itself about {about}",
    }


def decision_fields(settled: Settled) -> dict[str, Any]:
    """Return a decision as a person would want to read it."""
    decision = settled.decision
    return {
        "number": decision.number,
        "outcome": decision.outcome.name.lower(),
        "label": settled.answer,
        "votes": settled.votes,
        "voided": decision.voided,
        "voters": decision.voters,
        "height": decision.height,
        "open_ms": decision.closed_ms - decision.opened_ms,
        "text": settled.text,
        **({"support": list(decision.weights)} if decision.weights else {}),
    }
