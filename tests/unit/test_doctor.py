# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What the doctor says of drones, well and ill."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from swarm_ledger.cli.doctor import checks
from swarm_ledger.cli.doctor.drone import settings_of
from swarm_ledger.cli.doctor.finding import Finding
from swarm_ledger.sim.mission import Mission, prepare, utc_now
from tests.system.command import call

MIB = 1 << 20
DAY = 86_400
TRACKING = (
    "0A000064,10.0.0.100,9,1796062694.4,{offset},0.0,0.0,1.2,0.0,0.1,{delay},0.001,64.2,{leap}\n"
)


def only(findings: list[Finding]) -> Finding:
    (finding,) = findings
    assert finding.state in ("ok", "missing", "warn", "bad")
    assert finding.state == "ok" or finding.remedy, f"no way out: {finding}"
    return finding


KEY = checks.KeyFacts("tpm2", "P-256", True, 130.2, "drone_1", "tpm2")


@pytest.mark.parametrize(
    ("key", "state", "said"),
    [
        (KEY, "ok", "P-256, in tpm2, signs in 130 ms, drone_1"),
        (replace(KEY, store="software", listed_store="software"), "ok", "not protected"),
        (replace(KEY, store="software"), "bad", "the roster says that it is in tpm2"),
        (replace(KEY, member=""), "bad", "not in the roster"),
        (replace(KEY, signs=False), "bad", "its signature is wrong"),
    ],
)
def test_keys(key: checks.KeyFacts, state: str, said: str) -> None:
    finding = only(checks.check_key(key))
    assert finding.state == state
    assert said in finding.found


ROSTER = checks.RosterFacts(3, 1_000_000 + 30 * DAY, ["voter", "validator"], (0, 0))


@pytest.mark.parametrize(
    ("roster", "state", "said"),
    [
        (ROSTER, "ok", "version 3, validator and voter, for 30.0 days more"),
        (replace(ROSTER, expires_s=1_000_000 + 2 * DAY), "warn", "for 2.0 days more"),
        (replace(ROSTER, member_s=(0, 1_000_000 + DAY)), "warn", "for 1.0 days more"),
        (replace(ROSTER, expires_s=1_000_000 - DAY), "bad", "expired 1.0 days ago"),
        (replace(ROSTER, member_s=(1_000_001, 0)), "bad", "doesn't count yet"),
        (replace(ROSTER, roles=["observer"]), "bad", "not a validator"),
        (replace(ROSTER, roles=[]), "bad", "revoked"),
    ],
)
def test_rosters(roster: checks.RosterFacts, state: str, said: str) -> None:
    finding = only(checks.check_roster(roster, 1_000_000))
    assert finding.state == state
    assert said in finding.found


def tracking(offset: str = "0.0001", delay: str = "0.02", leap: str = "Normal") -> str:
    return TRACKING.format(offset=offset, delay=delay, leap=leap)


@pytest.mark.parametrize(
    ("text", "kernel_s", "state", "said"),
    [
        (tracking(), 16.0, "ok", "by 10.0.0.100, within 11.1 ms"),
        (tracking(offset="-0.4"), 16.0, "warn", "within 411.0 ms"),
        (tracking(delay="0.8"), 16.0, "warn", "within 401.1 ms"),
        (tracking(leap="Not synchronised"), 0.1, "bad", "chrony has no source"),
        ("", 0.0125, "ok", "within 0.0125 s, says the kernel"),
        ("", 16.0, "bad", "by nobody"),
        ("", math.inf, "bad", "by nobody"),
        ("506 Cannot talk to daemon\n", 16.0, "bad", "by nobody"),
        (tracking(offset="much"), 16.0, "bad", "by nobody"),
        (",,,,,\n", 0.5, "ok", "says the kernel"),
    ],
)
def test_clocks(text: str, kernel_s: float, state: str, said: str) -> None:
    finding = only(checks.check_clock(checks.parse_tracking(text), kernel_s, 0, 1))
    assert finding.state == state
    assert said in finding.found


def test_a_clock_that_went_back_is_seen_by_the_ledger() -> None:
    def after(ledger_ms: int) -> Finding:
        return checks.check_clock(None, 0.1, ledger_ms, 1_000_000)[-1]

    assert after(1_000_000).state == "ok"
    assert after(1_009_000).state == "ok"  # a leader's clock may be ahead
    found = after(4_600_000)
    assert found.state == "bad"
    assert "3,600 s before the ledger's newest block" in found.found


UP, MULTICAST = 0x1, 0x1000
LO = checks.Interface("lo", UP | 0x8)
CABLE = checks.Interface("eth0", UP | MULTICAST)
RADIO = checks.Interface("wlan0", UP | MULTICAST, wireless=True)
DULL = checks.Interface("can0", UP)


@pytest.mark.parametrize(
    ("interfaces", "around", "state", "said"),
    [
        ([LO, CABLE], {}, "ok", "by multicast"),
        ([LO, RADIO], {}, "warn", "which radio sends slowly"),
        ([RADIO], {"ROS_DISCOVERY_SERVER": "10.0.0.1:11811"}, "ok", "by the server 10.0.0.1"),
        ([RADIO], {"RMW_IMPLEMENTATION": "rmw_zenoh_cpp"}, "ok", "by zenoh's router"),
        ([DULL], {}, "bad", "which no interface has"),
        (
            [RADIO],
            {"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp", "ROS_DISCOVERY_SERVER": "a"},
            "warn",
            "by multicast",
        ),
        (
            [RADIO],
            {"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp", "CYCLONEDDS_URI": "file:///x"},
            "ok",
            "by Cyclone DDS's peers",
        ),
    ],
)
def test_networks(
    interfaces: list[checks.Interface], around: dict[str, str], state: str, said: str
) -> None:
    network, discovery = checks.check_network(interfaces, around)
    assert network.state == "ok"
    assert (discovery.state, discovery.state == "ok" or bool(discovery.remedy)) == (state, True)
    assert said in discovery.found


@pytest.mark.parametrize("interfaces", [[], [LO], [replace(CABLE, flags=MULTICAST)]])
def test_without_a_network_nobody_is_heard(interfaces: list[checks.Interface]) -> None:
    assert only(checks.check_network(interfaces, {})).state == "bad"


@pytest.mark.parametrize(
    ("around", "profile", "states"),
    [
        ({"ROS_DISTRO": "humble"}, checks.ProfileFacts("/p.xml", ""), ["ok", "ok"]),
        ({"ROS_DISTRO": "jazzy"}, None, ["ok", "warn"]),
        ({"ROS_DISTRO": "foxy"}, checks.ProfileFacts("/p.xml", "not XML"), ["warn", "bad"]),
        ({}, None, ["warn", "warn"]),
    ],
)
def test_middleware(
    around: dict[str, str], profile: checks.ProfileFacts | None, states: list[str]
) -> None:
    findings = checks.check_middleware(around, profile)
    assert [finding.state for finding in findings] == states
    assert all(finding.state == "ok" or finding.remedy for finding in findings)


@pytest.mark.parametrize(
    ("free", "ledger", "max_bytes", "state"),
    [
        (600 * MIB, 0, 256 * MIB, "ok"),
        (300 * MIB, 250 * MIB, 256 * MIB, "ok"),
        (300 * MIB, 10 * MIB, 256 * MIB, "bad"),
        (100 * MIB, 300 * MIB, 256 * MIB, "bad"),
        (2_000 * MIB, 10 * MIB, 0, "ok"),
        (600 * MIB, 10 * MIB, 0, "warn"),
        (100 * MIB, 10 * MIB, 0, "bad"),
    ],
)
def test_disks(free: int, ledger: int, max_bytes: int, state: str) -> None:
    assert only(checks.check_disk(free, ledger, max_bytes)).state == state


@pytest.mark.parametrize(
    ("mode", "secret", "state", "said"),
    [
        (0o700, False, "ok", ""),
        (0o600, True, "ok", ""),
        (0o400, True, "ok", ""),
        (0o755, False, "warn", "look into it"),
        (0o775, False, "bad", "change it"),
        (0o640, True, "bad", "read it"),
        (0o602, True, "bad", "change it"),
    ],
)
def test_permissions(mode: int, secret: bool, state: str, said: str) -> None:
    finding = only(checks.check_modes([checks.PathFacts("/x/key.pem", mode, secret)]))
    assert finding.state == state
    assert said in finding.found
    wanted = 0o600 if secret else 0o700
    assert finding.remedy == ("" if state == "ok" else f"chmod {wanted:o} /x/key.pem")


SHOWN = (
    "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\nResult=success\n"
    "NRestarts=0\nWatchdogUSec=20s\nStatusText=height 9, 3 of 3 heard\n"
)


@pytest.mark.parametrize(
    ("change", "states", "said"),
    [
        (("", ""), ["ok", "ok"], "active, enabled: height 9, 3 of 3 heard"),
        (("NRestarts=0", "NRestarts=4"), ["warn", "ok"], "restarted 4 times"),
        (("WatchdogUSec=20s", "WatchdogUSec=0"), ["ok", "warn"], "active"),
        (("WatchdogUSec=20s", "WatchdogUSec=infinity"), ["ok", "warn"], "active"),
        (("=active", "=inactive"), ["warn", "ok"], "inactive"),
        (("=active\n", "=failed\n"), ["bad"], "failed"),
        (("LoadState=loaded", "LoadState=not-found"), ["missing"], "no swarm-ledger-drone@a"),
    ],
)
def test_services(change: tuple[str, str], states: list[str], said: str) -> None:
    shown = checks.parse_properties(SHOWN.replace(*change))
    findings = checks.check_unit("swarm-ledger-drone@a.service", shown)
    assert [finding.state for finding in findings] == states
    assert said in findings[0].found
    assert all(finding.state == "ok" or finding.remedy for finding in findings)


def test_a_machine_without_systemd_has_no_service() -> None:
    assert only(checks.check_unit("a.service", checks.parse_properties(""))).state == "missing"


def test_settings_are_those_of_the_services(tmp_path: Path) -> None:
    ours = {"ROS_DISTRO": "kilted", "HOME": "/root"}
    assert settings_of(tmp_path / "none", ours) == ours
    (tmp_path / "environment").write_text(
        '# ROS_DOMAIN_ID=1\nROS_DISTRO=humble\nROS_DISCOVERY_SERVER="a:1;b:2"\nnonsense\n'
    )
    found = settings_of(tmp_path / "environment", ours)
    assert found == {"ROS_DISTRO": "humble", "HOME": "/root", "ROS_DISCOVERY_SERVER": "a:1;b:2"}
    (tmp_path / "environment").write_bytes(b"\xff\xfe\0")
    assert settings_of(tmp_path / "environment", ours) == ours


# the whole of it


def test_half_of_the_question_is_refused(tmp_path: Path) -> None:
    assert "belong together" in call("doctor", "--drone", "drone_1").refused()
    assert "belong together" in call("doctor", "--fleet", tmp_path).refused()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what is looked at on each machine: other tests look at that."""
    monkeypatch.setattr("swarm_ledger.cli.doctor.look_at_machine", list)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/nowhere")  # and no trace of it afterwards


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    prepare(Mission(tmp_path / "run", byzantine=0), now=utc_now())
    for folder in (tmp_path / "run").iterdir():
        folder.chmod(0o700)
    return tmp_path / "run" / "fleet.yaml"


def look(fleet: Path, drone: str = "drone_1") -> tuple[int, Callable[[str], dict[str, str]]]:
    said = call("doctor", "--fleet", fleet, "--drone", drone, "--json")
    assert said.code in (0, 1)
    findings = said.json["findings"]
    assert all(one["state"] == "ok" or one["remedy"] for one in findings), findings
    return said.code, lambda what: next(one for one in findings if one["what"] == what)


@pytest.mark.usefixtures("quick")
def test_a_drone_that_can_fly(fleet: Path) -> None:
    _, found = look(fleet)
    for what in ("fleet file", "root key", "roster", "ledger", "room for the ledger"):
        assert found(what)["state"] == "ok", found(what)
    assert found("permissions")["state"] == "ok"
    assert found("service")["state"] == "missing"
    assert sorted(path.name for path in (fleet.parent / "drone_1").iterdir()) == [
        "channel.key",
        "key.pem",
    ]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("what", "ruin"),
    [
        ("root key", lambda home: (home / "drone_1/key.pem").unlink()),
        ("root key", lambda home: (home / "drone_1/key.pem").write_text("nonsense")),
        ("permissions", lambda home: (home / "drone_1/channel.key").chmod(0o644)),
        ("ledger", lambda home: (home / "drone_1/ledger.db").write_bytes(b"x" * 5000)),
        ("fleet file", lambda home: (home / "roster/roster.json").write_text("{}")),
        ("roster", lambda home: (home / "drone_1/roster.seen").write_text("nonsense")),
        ("permissions", lambda home: (home / "roster").chmod(0o777)),
    ],
)
def test_what_is_wrong_is_named(fleet: Path, what: str, ruin: Callable[[Path], object]) -> None:
    ruin(fleet.parent)
    code, found = look(fleet)
    assert (code, found(what)["state"]) == (1, "bad"), found(what)


@pytest.mark.usefixtures("quick")
def test_a_passphrase_that_systemd_keeps_is_found(
    fleet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    monkeypatch.setattr("swarm_ledger.cli.doctor.drone.SETTINGS", tmp_path / "environment")
    monkeypatch.setattr("os.environ", dict(os.environ))
    text = fleet.read_text()
    assert "file:drone_1/key.pem" in text
    uri = "file:drone_1/key.pem?passphrase=credential:passphrase"
    fleet.write_text(text.replace("file:drone_1/key.pem", uri))
    key = load_pem_private_key((fleet.parent / "drone_1/key.pem").read_bytes(), None)
    lock = BestAvailableEncryption(b"open sesame")
    (fleet.parent / "drone_1/key.pem").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock)
    )
    _, found = look(fleet)
    assert found("root key")["state"] == "bad"
    (tmp_path / "credentials/drone_1").mkdir(parents=True)
    (tmp_path / "credentials/drone_1/passphrase").write_text("open sesame\n")
    _, found = look(fleet)
    assert found("root key")["state"] == "ok", found("root key")


@pytest.mark.usefixtures("quick")
def test_a_drone_that_the_fleet_lacks_is_a_slip(fleet: Path) -> None:
    said = call("doctor", "--fleet", fleet, "--drone", "drone_9")
    assert "no drone 'drone_9'" in said.refused()
