# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Rosters change while real drones fly: two files copied to one of them are enough."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from swarm_ledger.audit.ledger import open_ledger, verify_ledger
from swarm_ledger.identity.trust import load_trust
from swarm_ledger.runtime.fleet import FLEET, Fleet
from swarm_ledger.runtime.fleet_file import DroneEntry, FleetFile
from swarm_ledger.runtime.membership import membership_of
from swarm_ledger.signers import SoftwareSigner
from swarm_ledger.sim.drill import Swarm
from swarm_ledger.sim.events import Event
from swarm_ledger.sim.mission import _free_endpoints
from swarm_ledger.sim.processes import Processes
from tests.patience import PATIENCE_S
from tests.system.command import call, surroundings

FOUR = [f"drone_{number}" for number in range(1, 5)]


class Field:
    """Drones that each have a roster folder and a fleet file of their own; one operator's desk."""

    def __init__(self, folder: Path) -> None:
        assert call("roster", "quickstart", "--drones", 4, "--dir", folder).code == 0
        self.folder, self.desk = folder, folder / "roster"
        self.operator = f"file:{folder / 'operator_1' / 'key.pem'}"
        self.swarm_id = load_trust(self.desk).genesis.swarm_id
        self.entries = list(Fleet.load(folder / FLEET).file.drones)
        self.heard: list[Event] = []
        for name in FOUR:
            shutil.copytree(self.desk, self.roster_of(name))
            self.write(name)

    def roster_of(self, name: str) -> Path:
        return self.folder / f"roster_{name}"

    def write(self, name: str, endpoint: str = "") -> None:
        """Write a drone's fleet file, with all that are known by now; endpoint: for the last."""
        *others, last = self.entries
        last = msgspec.structs.replace(last, endpoint=endpoint or last.endpoint)
        file = FleetFile(roster=self.roster_of(name).name, drones=[*others, last])
        (self.folder / f"{name}.yaml").write_bytes(msgspec.yaml.encode(file))

    def command(self, name: str) -> list[str]:
        fleet = ["--fleet", str(self.folder / f"{name}.yaml"), "--drone", name, "--rate", "5"]
        return ["-m", "swarm_ledger.sim.load", *fleet]

    def start(self, *names: str) -> Processes:
        return Processes(self.folder, {name: self.command(name) for name in names}, surroundings())

    def request(self, name: str, key: str) -> Path:
        """A drone makes a key, and asks for it."""
        home = self.folder / name
        home.mkdir(exist_ok=True)
        SoftwareSigner.generate().save(home / key)
        out = home / f"{key}.request"
        done = call(
            *("roster", "request", "--swarm", self.swarm_id, "--name", name),
            *("--key", f"file:{home / key}", "--out", out),
        )
        assert done.code == 0, done
        return out

    def roster(self, *arguments: Any) -> None:
        command, *rest = arguments
        done = call("roster", command, self.desk, *rest)
        assert done.code == 0, done

    def sign(self, *to: str) -> None:
        """Sign the draft, and hand it to these drones alone."""
        self.roster("sign", "--key", self.operator)
        self.roster("submit", *map(self.roster_of, to))


@pytest.mark.slow(40)
def test_members_come_go_and_change_their_keys_in_flight(tmp_path: Path) -> None:
    field = Field(tmp_path / "field")
    with field.start(*FOUR) as processes:
        swarm = Swarm(processes, PATIENCE_S, field.heard.append)
        swarm.goes_on(FOUR)

        # A slip of the pen in a fleet file is reported, and ends nobody.
        field.write("drone_3", endpoint="nonsense")
        swarm.until(
            "drone_3 says what is wrong",
            lambda: any(e.event == "roster_refused" for e in field.heard),
        )
        field.write("drone_3")

        # One more: its address is written into the fleet files in flight, the roster into one.
        made = field.request("drone_5", "key.pem")
        (address,) = _free_endpoints(1)
        entry = DroneEntry("drone_5", "file:drone_5/key.pem", "drone_5", address)
        field.entries.append(entry)
        for name in FOUR:
            field.write(name)
        field.roster("add", made)
        field.sign("drone_2")
        swarm.until("all four are in epoch 2", lambda: swarm.each("epoch", FOUR) == [2] * 4)
        shutil.copytree(field.desk, field.roster_of("drone_5"))
        field.write("drone_5")
        with field.start("drone_5") as fifth:
            joining = Swarm(fifth, PATIENCE_S, field.heard.append)
            joining.until(
                "drone_5 takes part",
                lambda: joining.each("standing") == ["member"] and joining.top() > swarm.top(),
            )
            swarm.goes_on(FOUR)

            # A new key: the old one is refused from then on, in flight.
            made = field.request("drone_1", "new.pem")
            field.roster("rotate", "drone_1", made)
            field.sign("drone_4")
            swarm.until("all are in epoch 3", lambda: swarm.each("epoch", FOUR) == [3] * 4)
            assert swarm.each("standing", ["drone_1"]) == ["removed"]
            others = FOUR[1:]
            swarm.goes_on(others)
            swarm.kill("drone_1")
            new = msgspec.structs.replace(field.entries[0], key="file:drone_1/new.pem")
            field.entries[0] = new
            field.write("drone_1")
            field.roster("submit", field.roster_of("drone_1"))
            swarm.restart("drone_1")
            swarm.until(
                "drone_1 takes part with its new key",
                lambda: swarm.each("standing", ["drone_1"]) == ["member"],
            )
            swarm.goes_on(FOUR)

            # One less, as somebody who has the files copies them: two files, nothing more.
            field.roster("revoke", "drone_3")
            field.roster("sign", "--key", field.operator)
            for name in ("4.roster.json", "4.targets.json"):
                shutil.copy(field.desk / name, field.roster_of("drone_5"))
            left = ["drone_1", "drone_2", "drone_4"]
            swarm.until("they are in epoch 4", lambda: swarm.each("epoch", left) == [4] * 3)
            swarm.until(
                "drone_3 is refused, with the key that it has",
                lambda: swarm.each("refused", ["drone_1"])[0].get("unknown_key", 0) > 0,
            )
            swarm.goes_on(left)
            assert set(swarm.each("links")) == {"curve"}
            assert not [e for e in field.heard if e.event in ("evidence", "lost_disk")]
            joining.until("drone_5 goes on", lambda: joining.top() >= swarm.top() - 1)

    for name in ("drone_1", "drone_2", "drone_4", "drone_5"):
        with open_ledger(field.folder / name) as store:
            verify_ledger(store, load_trust(field.roster_of("drone_3")))
            eras = membership_of(store, load_trust(field.roster_of("drone_3"))).eras
            assert [era.roster.version for era in eras] == [1, 2, 3, 4]
            log = (field.folder / f"{name}.log").read_text()
            assert not log, log
    assert not load_trust(field.roster_of("drone_3")).versions[1:], "nobody gave it a file"
    _a_folder_of_before_is_not_taken(field)


def _a_folder_of_before_is_not_taken(field: Field) -> None:
    """drone_5 verified version 4; now somebody puts the folder of version 2 there."""
    for name in ("4.targets.json", "4.roster.json"):
        (field.roster_of("drone_5") / name).unlink()
    heard: list[Event] = []
    with field.start("drone_5") as processes:
        while not heard or heard[-1].event != "lost":
            event = processes.next_event(PATIENCE_S)
            assert event is not None, heard
            heard.append(event)
    assert heard[-1].fields == {"how": "exit 1"}
    said = (field.folder / "drone_5.log").read_text()
    assert "version 4, which was verified before, is gone" in said
    assert "Traceback" not in said
