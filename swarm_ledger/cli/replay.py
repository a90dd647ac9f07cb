# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`swarm-ledger replay`: perception and voting again from a bag, or the bag into ROS 2."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from swarm_ledger.audit.replaying import Replay, Settling, replay_bag
from swarm_ledger.cli import INTERRUPTED
from swarm_ledger.cli.output import Json, console, print_json
from swarm_ledger.errors import Misuse
from swarm_ledger.perception import load
from swarm_ledger.sim.ros_environment import ros_environment, ros_unavailable_reason
from swarm_ledger.voting.decision import Decision


def replay(
    bag: Annotated[Path, typer.Argument(help="A bag: a folder, or an .mcap or .db3 file.")],
    model: Annotated[
        str | None, typer.Option(help="An .npz or .onnx file instead of the shipped one.")
    ] = None,
    roster: Annotated[Path | None, typer.Option(help="The swarm's roster folder.")] = None,
    root: Annotated[Path | None, typer.Option(help="Or the operators' root.json.")] = None,
    publish: Annotated[
        bool, typer.Option("--publish", help="Publish the bag into ROS 2 instead.")
    ] = False,
    clock: Annotated[bool, typer.Option("--clock", help="Also publish /clock.")] = False,
    rate: Annotated[float, typer.Option(min=0.01, max=100, help="How fast.")] = 1.0,
    start_offset: Annotated[float, typer.Option(min=0, help="Seconds to pass over.")] = 0.0,
    loop: Annotated[bool, typer.Option("--loop", help="Begin again at the end.")] = False,
    remap: Annotated[
        list[str] | None, typer.Option(help="Publish one topic as another: A:=B.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Judge a bag's images again, count its votes again, and tell what would be otherwise.

    Exit code 0 also where a decision would be another one: that is an answer, no fault.
    """
    if publish:
        if as_json or model:
            raise Misuse("--publish judges nothing again.", remedy="Leave --json, --model out.")
        given = {"rate": rate, "start_offset": start_offset, "clock": clock, "loop": loop}
        raise typer.Exit(_publish(bag, given, remap or []))
    if clock or loop or remap:
        raise Misuse("only --publish has a clock, loops and other topics.")
    found = replay_bag(bag, load(model), roster=roster, root=root)
    if as_json:
        print_json(fields(found))
    else:
        _show(found)


def _publish(bag: Path, given: dict[str, Any], remap: list[str]) -> int:
    """Run the player, in an environment that has ROS 2."""
    environment = ros_environment()
    if environment is None:
        raise Misuse(
            f"ROS 2 can't be used here: {ros_unavailable_reason()}",
            remedy="Run `make setup`, or source a ROS 2.",
        )
    command = [sys.executable, "-m", "swarm_ledger.nodes.player", "--ros-args"]
    for name, value in {"bag": str(bag.resolve()), **given}.items():
        command += ["-p", f"{name}:={str(value).lower() if isinstance(value, bool) else value}"]
    if remap:
        command += ["-p", "remap:=[" + ", ".join(f'"{one}"' for one in remap) + "]"]
    try:
        return subprocess.call(command, env=environment)  # noqa: S603  - our own module, no shell
    except KeyboardInterrupt:
        return INTERRUPTED


def fields(found: Replay) -> dict[str, Any]:
    """Return a replay for machines."""
    return {
        "differs": found.differs,
        "gap": found.gap,
        "unread": found.unread,
        "images": [
            {
                "drone": one.drone,
                "stamp_ms": one.stamp_ms,
                "recorded": one.recorded,
                "recorded_confidence": one.recorded_confidence,
                "again": one.again,
                "confidence": one.confidence,
                "differs": one.differs,
                "image_as_told": one.same,
            }
            for one in found.images
        ],
        "votes": [
            {
                "drone": one.drone,
                "question": one.question.hex(),
                "recorded": one.recorded,
                "again": one.again,
                "looks": one.looks,
                "differs": one.differs,
            }
            for one in found.votes
        ],
        "decisions": [
            {
                "subject": one.question.subject,
                "recorded": _decision(one, one.recorded),
                "again": _decision(one, one.again),
                "differs": one.differs,
            }
            for one in found.decisions
        ],
    }


def _decision(one: Settling, decision: Decision | None) -> dict[str, Any] | None:
    if decision is None:
        return None
    label = one.question.labels[decision.label] if decision.label >= 0 else ""
    return {
        "outcome": decision.outcome.name.lower(),
        "label": label,
        "counts": dict(zip(one.question.labels, decision.counts, strict=True)),
        "abstentions": decision.abstentions,
        "voided": decision.voided,
        "height": decision.height,
    }


def _show(found: Replay) -> None:
    for one in found.images:
        told = one.recorded or "nothing"
        colour = "red" if one.differs else "green"
        other = "" if one.same or not one.recorded else ", of another image"
        console.print(
            f"{escape(one.drone)} at {one.stamp_ms} ms: told {escape(told)} "
            f"({one.recorded_confidence:.2f}){other}, "
            f"again [{colour}]{one.again}[/] ({one.confidence:.2f})"
        )
    for vote in found.votes:
        if vote.again is None:
            said = "its images aren't in the bag"
        else:
            said = f"again {'[red]' if vote.differs else '[green]'}{vote.again}[/]"
        console.print(f"{escape(vote.drone)} voted {escape(vote.recorded)}, {said}")
    for each in found.decisions:
        was, now = _text(each, each.recorded), _text(each, each.again)
        end = f"[red]otherwise now[/]: {now}" if each.differs else f"[green]again[/] {now}"
        console.print(f"{escape(each.question.subject)}: {was}, {end}")
    if found.unread:
        console.print(f"[yellow]careful[/]: {found.unread} messages don't hold; see audit")
    if found.gap:
        console.print(f"[yellow]careful[/]: votes are counted up to there only: {found.gap}")


def _text(one: Settling, decision: Decision | None) -> str:
    if decision is None:
        return "open"
    counts = zip(one.question.labels, decision.counts, strict=True)
    said = ", ".join(f"{label} {count}" for label, count in counts)
    label = one.question.labels[decision.label] if decision.label >= 0 else ""
    return f"{escape(label or decision.outcome.name.lower())} ({escape(said)})"
