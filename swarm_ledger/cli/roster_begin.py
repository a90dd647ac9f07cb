# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""How a roster begins: a whole swarm for trying things out, and a request to be enrolled."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from swarm_ledger.cli.key import stated
from swarm_ledger.cli.output import Json, console, print_json
from swarm_ledger.errors import Misuse
from swarm_ledger.identity.channel import ChannelKeys, beside
from swarm_ledger.identity.enrolment import make_request, statement_context
from swarm_ledger.identity.trust import write_files
from swarm_ledger.runtime.fleet import FLEET
from swarm_ledger.signers import open_signer
from swarm_ledger.sim.mission import KEY, OPERATOR, Mission, prepare, utc_now

KeyOption = Annotated[str, typer.Option("--key", help="URI of the key, such as file:key.pem.")]


def quickstart(
    drones: Annotated[int, typer.Option(min=4, max=100, help="How many drones.")] = 4,
    validators: Annotated[
        int, typer.Option(min=0, help="How many of them run consensus; 0: all. 31 are plenty.")
    ] = 0,
    folder: Annotated[
        Path, typer.Option("--dir", help="A new folder for keys, roster and fleet file.")
    ] = Path("swarm"),
    as_json: Json = False,
) -> None:
    """Set up a swarm for trying things out: keys in files, a signed roster, a fleet file.

    All keys are software keys on this machine: no swarm that matters should begin like this.
    """
    mission = Mission(
        run_dir=folder, drones=drones, byzantine=0, validators=validators, transport="zmq"
    )
    fleet = prepare(mission, now=utc_now())
    said = {
        "fleet": str(folder / FLEET),
        "roster": str(folder / fleet.file.roster),
        "operator_key": f"file:{folder / OPERATOR / KEY}",
        "drones": mission.names(),
        "key_store": "software",
    }
    if as_json:
        print_json(said)
        return
    console.print(f"{drones} drones, one operator; [yellow]all keys are software keys[/]")
    console.print(
        f"Fleet file: {escape(str(said['fleet']))}, roster: {escape(str(said['roster']))}"
    )
    console.print("Fly each drone, on ZeroMQ or ROS 2:")
    console.print(f"  python -m swarm_ledger.sim.pilot --fleet {said['fleet']} --drone drone_1")
    console.print(
        f"  ros2 run swarm_ledger drone --ros-args -r __ns:=/drone_1 "
        f"-p fleet:={said['fleet']} -p drone:=drone_1"
    )


def request(
    swarm: Annotated[str, typer.Option(help="The swarm's id.")],
    name: Annotated[str, typer.Option(help="What the drone or operator is to be called.")],
    key: KeyOption,
    channel: Annotated[
        Path | None,
        typer.Option(help="The drone's channel keys, made if there are none."),
    ] = None,
    plain: Annotated[
        bool, typer.Option("--no-channel", help="Bring none: an operator, or links unencrypted.")
    ] = False,
    hardware_only: Annotated[
        bool,
        typer.Option("--hardware-only", help="Let only this key sign its votes, in hardware."),
    ] = False,
    out: Annotated[Path | None, typer.Option(help="A file to write; stdout otherwise.")] = None,
) -> None:
    """Ask to be enrolled: sign swarm, name and public keys with the root key.

    Run it where the key is, in the drone's folder. It proves that whoever asks holds the key;
    operators demand it. What a token or TPM states about the key goes along. The channel keys are
    channel.key beside a root key in a file, otherwise in this folder; they stay there, and the
    drone needs them to fly.
    """
    if plain and channel is not None:
        raise Misuse("--channel and --no-channel contradict each other.")
    signer = open_signer(key)
    keys = None if plain else ChannelKeys.load_or_make(channel or beside(key))
    line = make_request(
        signer,
        swarm,
        name,
        keys.public if keys else None,
        hardware_only=hardware_only,
        statement=stated(signer, statement_context(swarm, name)),
    )
    if out is None:
        sys.stdout.write(line.decode())
    else:
        write_files(out.parent, {out.name: line})
