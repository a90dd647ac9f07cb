# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`swarm-ledger sim`: a whole mission, from the camera image to the verified certificate.

Little is imported here: over ZeroMQ the process that forks the drones imports what they need
while this one does.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from swarm_ledger.cli.output import Json, progress_console
from swarm_ledger.sim.nursery import nursery
from swarm_ledger.sim.ros_environment import ros_environment, ros_unavailable_reason


def sim(
    drones: Annotated[int, typer.Option(help="How many drones fly; at least 4.")] = 4,
    byzantine: Annotated[int, typer.Option(help="How many of them lie.")] = 1,
    validators: Annotated[
        int, typer.Option(help="How many of them run consensus, the others follow; 0: all.")
    ] = 0,
    target: Annotated[str, typer.Option(help="What stands there: cup or two_faces.")] = "cup",
    seed: Annotated[int, typer.Option(help="Decides the world, the views and who lies.")] = 0,
    transport: Annotated[
        str, typer.Option(help="ros, zmq, memory (simulated time), or auto: ros where it can be.")
    ] = "auto",
    keys: Annotated[
        str, typer.Option(help="Where drones' root keys live: software, pkcs11 or tpm2.")
    ] = "software",
    hardware_only: Annotated[
        bool,
        typer.Option("--hardware-only", help="Root keys sign each vote; not with software keys."),
    ] = False,
    attack: Annotated[
        str, typer.Option(help="What liars do besides lying: lie (no more), equivocate, silent.")
    ] = "lie",
    looks: Annotated[int, typer.Option(min=1, max=1000, help="Images that make one vote.")] = 5,
    timeout: Annotated[float, typer.Option(min=1, help="Give up after that many seconds.")] = 60,
    run_dir: Annotated[
        Path | None, typer.Option(help="Where ledgers and proofs go; a new folder in runs/.")
    ] = None,
    rule: Annotated[
        str,
        typer.Option(
            help="How votes are settled: majority, plurality, weighted, bayes, sequential."
        ),
    ] = "majority",
    sealed: Annotated[
        bool, typer.Option("--sealed", help="Commit to votes first, and open them afterwards.")
    ] = False,
    secret: Annotated[
        bool, typer.Option("--secret", help="Encrypt what drones say, for members only.")
    ] = False,
    allow_unsafe: Annotated[
        bool, typer.Option("--allow-unsafe", help="Accept more liars than PBFT tolerates.")
    ] = False,
    behaviour: Annotated[
        bool, typer.Option("--behaviour", help="Pilots fly: drones act on what was decided.")
    ] = False,
    profile: Annotated[
        str | None, typer.Option(help="lpwan: all share one narrow radio channel; --bitrate.")
    ] = None,
    bitrate: Annotated[int, typer.Option(help="Of that channel, bits a second.")] = 50_000,
    duty_cycle: Annotated[
        float, typer.Option(help="The share of time that each drone may be on the air.")
    ] = 1.0,
    loss: Annotated[float, typer.Option(help="The share of its frames that each misses.")] = 0.0,
    as_json: Json = False,
) -> None:
    """Fly a simulated swarm: look, label, sign, vote, agree, certify, verify.

    Exit code 0 if all honest ledgers agree and a stranger could verify the decision, 1 if not,
    2 for a mission that can't be flown.
    """
    chosen = "memory" if profile and transport == "auto" else _choose(transport)
    folder = run_dir or Path("runs") / f"{datetime.now():%Y%m%d-%H%M%S-%f}-{target}-{seed}"
    with nursery(chosen) as opened:
        from swarm_ledger.cli.channel import channel_of  # noqa: PLC0415  - while the nursery begins
        from swarm_ledger.cli.flown import flown  # noqa: PLC0415
        from swarm_ledger.sim.mission import Mission  # noqa: PLC0415

        mission = Mission(
            run_dir=folder,
            drones=drones,
            byzantine=byzantine,
            validators=validators,
            target=target,
            seed=seed,
            transport=chosen,
            keys=keys,
            attack=attack,
            allow_unsafe=allow_unsafe,
            looks=looks,
            timeout_s=timeout,
            hardware_only=hardware_only,
            secret=secret,
            behaviour=behaviour,
            rule=rule,
            sealed=sealed,
            radio=channel_of(profile, bitrate, duty_cycle),
            loss=loss,
        )
        flown(mission, opened, as_json=as_json)


def _choose(transport: str) -> str:
    if transport != "auto":
        return transport
    if ros_environment() is not None:
        return "ros"
    progress_console.print(
        f"ROS 2 can't be used here: {ros_unavailable_reason()}\nFlying over ZeroMQ instead."
    )
    return "zmq"
