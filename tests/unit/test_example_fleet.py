# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""config/fleet.yaml is an example that works, whole, and refuses slips of the pen."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from swarm_ledger.errors import Misuse
from swarm_ledger.runtime import fleet_file
from swarm_ledger.runtime.fleet import FLEET, Fleet
from swarm_ledger.sim.mission import Mission, prepare, utc_now

EXAMPLE = Path(__file__).parents[2] / "config" / "fleet.yaml"


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    """A folder with the keys and the roster of four drones, and our example as its fleet file."""
    prepare(Mission(run_dir=tmp_path, transport="memory"), now=utc_now())
    shutil.copy(EXAMPLE, tmp_path / FLEET)
    return tmp_path / FLEET


def test_example_fleet_is_valid(prepared: Path) -> None:
    fleet = Fleet.load(prepared)
    names = [entry.name for entry in fleet.file.drones]
    assert names == [f"drone_{number}" for number in range(1, 5)]
    assert len(fleet.endpoints()) == len(set(fleet.endpoints().values())) == 4
    assert fleet.file.consensus == fleet_file.ConsensusEntry()
    for place, name in enumerate(names):
        assert fleet.settings(name).n == 4
        assert fleet.identity(name, int(utc_now().timestamp())).member.index == place


def test_example_fleet_names_every_setting(prepared: Path) -> None:
    text = re.sub(r"^#(?=  |\w)", "", EXAMPLE.read_text(), flags=re.M)
    prepared.write_text(text)
    fleet = Fleet.load(prepared)
    assert fleet.file.world == fleet_file.WorldEntry("cup", 0)
    assert fleet.file.drones[3].attack == "lie"
    assert fleet.question()
    for entry in (
        "FleetFile",
        "DroneEntry",
        "ConsensusEntry",
        "RadioEntry",
        "WorldEntry",
        "SignEntry",
    ):
        for name in getattr(fleet_file, entry).__struct_fields__:
            assert re.search(rf"^[ -]*{name}:", text, re.M), f"{entry}.{name}"


def test_slip_in_the_fleet_file_is_refused(prepared: Path) -> None:
    prepared.write_text(EXAMPLE.read_text().replace("looks: 5", "look: 5"))
    with pytest.raises(Misuse, match="look"):
        Fleet.load(prepared)


def test_aliases_that_double_are_refused(prepared: Path) -> None:
    """Forty lines of YAML would be merged into a map of 2 to the 40th."""
    maps = [f"m{i}: &m{i} {{<<: [*m{i - 1}, *m{i - 1}]}}" for i in range(1, 40)]
    prepared.write_text("\n".join(["m0: &m0 {x: 1}", *maps, EXAMPLE.read_text()]))
    with pytest.raises(Misuse, match="aliases"):
        Fleet.load(prepared)
